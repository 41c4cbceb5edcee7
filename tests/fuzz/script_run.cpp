// A session script and what upstream says, whatever both are: first what stands under `session:` in
// the configuration (six spaces before each line), then a line `---`, then a message on each line.
// A line `@N` lets N milliseconds go by, `=` begins another session, and one that begins with `!`
// is a binary message.

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"
#include "daemon/script/run.hpp"

namespace {

using namespace wskeep;
using script::Run;

void require(bool holds) {
  if (!holds) std::abort();
}

class Still final : public script::Surroundings {
 public:
  std::chrono::system_clock::time_point wall_now() const override { return {}; }
  void random(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) byte = std::byte{0x5A};
  }
};

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

/// One session after the other.
class World {
 public:
  explicit World(const std::shared_ptr<const config::SessionScript>& script)
      : program_(script), variables_(*script) {
    open();
  }

  void open() {
    if (run_ && !run_->ended()) {
      run_->closed_by_peer();
      static_cast<void>(run_->farewell());
    }
    run_.emplace(program_, variables_, still_);
    was_ready_ = false;
    over_ = false;
    run_->opened(now_);
    check();
  }

  void say(std::string_view message) {
    const bool binary = message.starts_with('!');
    if (binary) message.remove_prefix(1);
    run_->received(now_);
    if (run_->watches()) {
      run_->message(
          {static_cast<std::uint8_t>(binary ? 2 : 1), std::as_bytes(std::span(message)), false},
          reader_, now_);
    }
    check();
  }

  void wait(std::chrono::milliseconds duration) {
    const Run::Time until = now_ + duration;
    // As often as something is to be done, but not for a whole day of heartbeats.
    for (int times = 0; times < 100 && run_->next() <= until; ++times) {
      now_ = std::max(now_, run_->next());
      run_->time(now_);
      require(run_->next() > now_);  // or the daemon would turn in circles
      check();
    }
    now_ = until;
  }

 private:
  void check() {
    for (const Run::Action& action : run_->take()) {
      require(!over_);
      if (const auto* const send = std::get_if<Run::Send>(&action)) {
        require(send->binary || simdjson::validate_utf8(send->text.data(), send->text.size()));
      } else if (const auto* const end = std::get_if<Run::End>(&action)) {
        require(!end->text.empty());
        over_ = true;
      } else {
        require(!was_ready_);
        was_ready_ = true;
      }
    }
    require(over_ == run_->ended());
    require(run_->ready() == (was_ready_ && !over_));
    require(run_->steps().size() <= 64);
  }

  Still still_;
  script::JsonReader reader_;
  script::Program program_;
  script::Variables variables_;
  std::optional<Run> run_;
  Run::Time now_{std::chrono::hours(1)};
  bool was_ready_ = false;
  bool over_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string yaml = "connections:\n  a:\n    url: wss://h/\n    session:\n";
  for (std::string_view line = take_line(rest); line != "---" && !rest.empty();
       line = take_line(rest)) {
    yaml.append(line).append("\n");
  }
  try {
    const config::Config config = config::load_text(yaml, "fuzz.yaml");
    const auto& script = config.connections.at(0).settings.session;
    if (!script) return 0;
    World world(script);
    for (int lines = 0; lines < 200 && !rest.empty(); ++lines) {
      const std::string_view line = take_line(rest);
      std::uint32_t milliseconds = 0;
      if (line == "=") {
        world.open();
      } else if (line.starts_with('@') &&
                 std::from_chars(line.data() + 1, line.data() + line.size(), milliseconds).ec ==
                     std::errc()) {
        world.wait(std::chrono::milliseconds(milliseconds));
      } else {
        world.say(line);
      }
    }
  } catch (const config::LoadError&) {
  }
  return 0;
}
