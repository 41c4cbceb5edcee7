#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/options.hpp"
#include "cli/run.hpp"
#include "tests/unit/cli/scripted_server.hpp"

namespace wskeep::cli::test {

struct Outcome {
  ExitCode code = ExitCode::ok;
  std::string output;
  std::string error;
};

/// A file without a name, so that no command waits for somebody to read.
class Scratch {
 public:
  explicit Scratch(std::string_view content = {})
      : descriptor_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    EXPECT_EQ(::write(descriptor_, content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
    ::lseek(descriptor_, 0, SEEK_SET);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ::close(descriptor_); }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::string content() const {
    std::string text(1U << 20U, '\0');
    const ssize_t count = ::pread(descriptor_, text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(count));
    return text;
  }

 private:
  int descriptor_;
};

inline Outcome run_command(const std::string& socket, std::vector<std::string> arguments,
                           std::string_view input = {}) {
  arguments.insert(arguments.begin(), {"--socket", socket, "--timeout", "5s"});
  const auto parsed = parse_arguments(arguments);
  const Scratch in(input);
  const Scratch out;
  const Scratch error;
  const Console console(in.descriptor(), out.descriptor(), error.descriptor(),
                        ColorChoice::automatic);
  const ExitCode code = run(std::get<Options>(parsed), console);
  return {code, out.content(), error.content()};
}

inline std::string answer(int status, std::string_view body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline ScriptedServer::Script answers(int status, std::string_view body) {
  return [=](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.write(answer(status, body));
    peer.drain();
  };
}

}  // namespace wskeep::cli::test
