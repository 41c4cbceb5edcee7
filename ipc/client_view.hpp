#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/access.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// The directory as one client may see it: a connection that it has no right to is not there. Used
/// on the server's executor, as the whole one. A stream that outlives its request shares it.
class ClientView final : public Directory {
 public:
  /// nullopt: it is no local app but monitoring, which sees everything and may change nothing.
  /// `all` outlives the view.
  ClientView(Directory& all, std::optional<Client> client)
      : all_(all), client_(std::move(client)) {}

  /// What it may do now with a connection.
  [[nodiscard]] Rights rights(std::string_view name) const {
    return client_ ? all_.rights(*client_, name) : Rights();
  }
  /// And with the daemon: `ipc.access`.
  [[nodiscard]] Rights rights() const { return rights({}); }

  [[nodiscard]] bool sees(std::string_view name) const { return !client_ || !rights(name).none(); }

  [[nodiscard]] std::shared_ptr<Upstream> find(std::string_view name) override {
    return sees(name) ? all_.find(name) : nullptr;
  }
  [[nodiscard]] std::vector<std::shared_ptr<Upstream>> all() override {
    auto seen = all_.all();
    std::erase_if(seen, [this](const auto& upstream) { return !sees(upstream->name()); });
    return seen;
  }
  [[nodiscard]] Rights rights(const Client& client, std::string_view name) override {
    return all_.rights(client, name);
  }
  [[nodiscard]] std::shared_ptr<EventStream> events() override { return all_.events(); }
  void watch(std::weak_ptr<DirectoryWatcher> watcher) override { all_.watch(std::move(watcher)); }
  void reload(ReloadRequest request, std::function<void(ReloadAnswer)> done) override {
    all_.reload(std::move(request), std::move(done));
  }
  /// Of what this client sees, whoever is named.
  void status(const std::optional<Client>& /*viewer*/,
              std::function<void(std::string)> done) override {
    all_.status(client_, std::move(done));
  }
  void metrics(const std::optional<Client>& /*viewer*/,
               std::function<void(std::shared_ptr<LongText>)> done) override {
    all_.metrics(client_, std::move(done));
  }

 private:
  Directory& all_;
  std::optional<Client> client_;
};

}  // namespace wskeep::ipc
