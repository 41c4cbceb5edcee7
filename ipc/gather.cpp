#include "ipc/gather.hpp"

#include <algorithm>

#include "ipc/run_on.hpp"

namespace wskeep::ipc {
namespace {

/// Connections that are asked before a shard goes on with its own work.
constexpr std::size_t in_one_go = 64;

}  // namespace

boost::asio::awaitable<std::vector<std::string>> gather(
    Directory& directory, std::function<std::string(Upstream&)> question) {
  const std::vector<std::shared_ptr<Upstream>> all = directory.all();
  std::vector<std::string> answers(all.size());
  std::vector<bool> asked(all.size());
  for (std::size_t first = 0; first < all.size(); ++first) {
    if (asked[first]) continue;
    const auto shard = all[first]->executor();
    co_await call_on(shard, [&] {
      std::size_t count = 0;
      for (std::size_t index = first; index < all.size() && count < in_one_go; ++index) {
        if (asked[index] || all[index]->executor() != shard) continue;
        answers[index] = question(*all[index]);
        asked[index] = true;
        ++count;
      }
      return true;
    });
  }
  co_return answers;
}

}  // namespace wskeep::ipc
