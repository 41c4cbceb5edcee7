#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/error.hpp"

namespace wskeep::net {

/// One look-up with a c-ares channel of its own, whose sockets are watched through Asio. Destroying
/// it ends everything at once.
class NameQuery {
 public:
  /// `on_progress` is called from the executor when an answer has come, and never after the end of
  /// this object.
  NameQuery(boost::asio::any_io_executor executor, std::function<void()> on_progress);
  ~NameQuery();
  NameQuery(const NameQuery&) = delete;
  NameQuery& operator=(const NameQuery&) = delete;

  /// Once. May be finished when it returns: names in the hosts file.
  void start(const std::string& host, const std::string& servers, config::Family family,
             std::chrono::milliseconds timeout);

  /// When `process_timeouts` is to be called; max() for never. It asks the next server, or the same
  /// again.
  [[nodiscard]] daemon::TimePoint next_timeout() const;
  void process_timeouts();

  [[nodiscard]] bool finished() const noexcept;

  /// When the first family's addresses came, while the other's are still due.
  [[nodiscard]] std::optional<daemon::TimePoint> first_answer() const noexcept;

  [[nodiscard]] const std::vector<boost::asio::ip::address>& addresses() const noexcept;

  /// How long the addresses hold: the least of all records. Zero for those of the hosts file, and
  /// when a family's answer is missing, for then there may be more to know.
  [[nodiscard]] std::chrono::seconds ttl() const noexcept;

  /// Why there are no addresses.
  [[nodiscard]] daemon::Failure failure(const std::string& host) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace wskeep::net
