#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wskeep::ipc {

enum class Fault : std::uint8_t {
  no_daemon,  ///< nothing listens at the socket, or it may not be opened
  timed_out,  ///< the daemon took too long
  closed,     ///< the daemon ended the connection before it was due
  protocol,   ///< what came is not what docs/ipc.md says
};

/// The daemon could not be talked to. `what()` is a whole sentence for people: what happened,
/// where, and what to do.
class ClientError : public std::runtime_error {
 public:
  ClientError(Fault fault, const std::string& sentence)
      : std::runtime_error(sentence), fault_(fault) {}
  [[nodiscard]] Fault fault() const noexcept { return fault_; }

 private:
  Fault fault_;
};

/// The daemon answered, with a refusal.
class Refusal : public std::runtime_error {
 public:
  /// Takes the sentence from a body as docs/ipc.md has it; makes one of the status otherwise.
  Refusal(int status, std::string_view body);
  [[nodiscard]] int status() const noexcept { return status_; }
  /// The stable name, such as `not_connected`; empty if the body named none.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  struct Parsed {
    std::string name;
    std::string sentence;
  };
  Refusal(int status, Parsed parsed);
  [[nodiscard]] static Parsed parse(int status, std::string_view body);

  int status_;
  std::string name_;
};

}  // namespace wskeep::ipc
