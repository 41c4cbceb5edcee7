#include "ipc/api.hpp"

#include <gtest/gtest.h>

namespace wskeep::ipc {
namespace {

using Resource = Route::Resource;
using Control = Upstream::Control;

TEST(Api, FindsWhatCanBeAskedOfAConnection) {
  EXPECT_EQ(find_route("/v1/connections").resource, Resource::connections);
  EXPECT_EQ(find_route("/v1/connections/feed").resource, Resource::connection);
  EXPECT_EQ(find_route("/v1/connections/feed/attempts").resource, Resource::attempts);
  EXPECT_EQ(find_route("/v1/connections/feed/messages").resource, Resource::messages);
  for (const auto& [path, control] :
       {std::pair{"/v1/connections/feed/reconnect", Control::reconnect},
        std::pair{"/v1/connections/feed/pause", Control::pause},
        std::pair{"/v1/connections/feed/resume", Control::resume}}) {
    const Route route = find_route(path);
    EXPECT_EQ(route.resource, Resource::control) << path;
    EXPECT_EQ(route.control, control) << path;
    EXPECT_EQ(route.name, "feed") << path;
    EXPECT_FALSE(is_monitoring(route.resource));
  }
}

TEST(Api, WhatIsAlmostAPathIsNone) {
  for (const char* path :
       {"", "/", "/v1", "/v1/connections/", "/v1/connections//pause", "/v1/connections/feed/",
        "/v1/connections/feed/Pause", "/v1/connections/feed/pause/", "/v1/connections/feed/stop"}) {
    EXPECT_EQ(find_route(path).resource, Resource::none) << path;
  }
}

}  // namespace
}  // namespace wskeep::ipc
