#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/environment.hpp"
#include "daemon/error.hpp"

namespace wskeep::net {

/// What is said to a proxy until it lets us through, as a pure protocol without I/O: send
/// `to_send`, then read at most `wanted` bytes and hand them over, until there is a `result`.
/// Failures do not name the proxy; whoever knows it puts that in front.
class ProxyDialogue {
 public:
  virtual ~ProxyDialogue();
  ProxyDialogue(const ProxyDialogue&) = delete;
  ProxyDialogue& operator=(const ProxyDialogue&) = delete;

  /// To be sent before anything is read; good until `sent` or `received` is called.
  [[nodiscard]] std::string_view to_send() const noexcept { return output_; }

  /// All of it was sent. Wipes it, for it may hold a password.
  void sent() noexcept;

  /// How many bytes of the proxy's answer there are at least still to come. Who reads no more than
  /// that leaves what comes through the tunnel where it is.
  [[nodiscard]] virtual std::size_t wanted() const noexcept = 0;

  /// The next bytes of the answer, between 1 and `wanted()`.
  virtual void received(std::span<const std::byte> bytes) = 0;

  /// nullopt: it goes on. Error::none: the next byte comes through the tunnel.
  [[nodiscard]] const std::optional<daemon::Failure>& result() const noexcept { return result_; }

 protected:
  ProxyDialogue() = default;

  /// Where to write what is sent next. To be reserved before a secret is put in: what a string
  /// leaves behind when it grows is not wiped.
  [[nodiscard]] std::string& output() noexcept { return output_; }
  void succeed() { result_.emplace(); }
  void fail(daemon::Error error, std::string text) {
    result_ = daemon::Failure{error, std::move(text)};
  }

 private:
  std::string output_;
  std::optional<daemon::Failure> result_;
};

/// The one that this proxy understands, to be let through to `host` and `port`, both as config::Url
/// has them.
[[nodiscard]] std::unique_ptr<ProxyDialogue> make_proxy_dialogue(const daemon::Proxy& proxy,
                                                                 const std::string& host,
                                                                 std::uint16_t port);

}  // namespace wskeep::net
