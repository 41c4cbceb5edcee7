#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/format.hpp"
#include "cli/json_access.hpp"
#include "cli/request.hpp"
#include "ipc/client/http_client.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;
using std::chrono::steady_clock;

std::string_view verb_of(Control control) {
  switch (control) {
    case Control::reconnect:
      return "reconnect";
    case Control::pause:
      return "pause";
    case Control::resume:
      return "resume";
  }
  return "reconnect";
}

/// One connection that is told what to do, and then waited for.
struct Target {
  std::string name;
  std::uint64_t sessions = 0;  ///< how many it had had before
  bool told = false;
  std::string state;
};

class Controlling {
 public:
  Controlling(const Options& options, const ControlCommand& command, const Console& console)
      : options_(options), command_(command), console_(console) {}

  ExitCode run();

 private:
  [[nodiscard]] std::vector<Target> targets() const;
  void tell(Target& target);
  void wait(Target& target, steady_clock::time_point until);
  [[nodiscard]] object look(const Target& target) const {
    return parse_object(fetch(options_, connection_path(target.name), target.name));
  }
  [[nodiscard]] bool is_there(const Target& target, const object& connection) const;
  void report(const Target& target) const;
  void failed(const std::string& name, ExitCode code, const std::string& sentence);

  const Options& options_;
  const ControlCommand& command_;
  const Console& console_;
  ExitCode code_ = ExitCode::ok;  ///< of the first that failed
};

std::vector<Target> Controlling::targets() const {
  std::vector<Target> targets;
  const auto add = [&](const std::string& name) {
    const bool given_twice = std::ranges::find(targets, name, &Target::name) != targets.end();
    if (!given_twice) targets.push_back({name, 0, false, {}});
  };
  for (const std::string& name : command_.names) add(name);
  if (!command_.all) return targets;
  const object list = parse_object(fetch(options_, "/v1/connections", {}));
  if (const auto* connections = array_of(list, "connections")) {
    for (const boost::json::value& each : *connections) {
      if (each.is_object()) add(text_of(each.get_object(), "name"));
    }
  }
  return targets;
}

void Controlling::failed(const std::string& name, ExitCode code, const std::string& sentence) {
  if (code_ == ExitCode::ok) code_ = code;
  if (options_.json) {
    console_.print(boost::json::serialize(object{{"name", name}, {"message", sentence}}) + "\n");
  } else {
    console_.complain(sentence);
  }
}

void Controlling::report(const Target& target) const {
  if (options_.json) {
    const object line{{"name", target.name}, {"state", target.state}};
    console_.print(boost::json::serialize(line) + "\n");
    return;
  }
  const std::string shown = visible(target.state);
  console_.print(visible(target.name) + ": " +
                 paint(shown, state_color(target.state), console_.output_colors()) + "\n");
}

void Controlling::tell(Target& target) {
  try {
    if (command_.wait) target.sessions = count_of(look(target), "sessions").value_or(0);
    const std::string path = connection_path(target.name) + "/";
    const ipc::HttpResponse response =
        ipc::HttpClient(options_.socket, options_.timeout)
            .post(path + std::string(verb_of(command_.control)), "application/json", {});
    if (response.status != 202 && response.status != 200) {
      throw refused(ipc::Refusal(response.status, response.body), target.name);
    }
    target.state = text_of(parse_object(response.body), "state");
    target.told = true;
  } catch (const CommandError& error) {
    failed(target.name, error.code(), error.what());
  }
}

bool Controlling::is_there(const Target& target, const object& connection) const {
  if (text_of(connection, "state") != "ready") return false;
  // The session that was there before is ready until it has ended.
  return command_.control != Control::reconnect ||
         count_of(connection, "sessions").value_or(target.sessions + 1) > target.sessions;
}

void Controlling::wait(Target& target, steady_clock::time_point until) {
  constexpr std::chrono::milliseconds look_again{50};
  try {
    for (;;) {
      const object connection = look(target);
      target.state = text_of(connection, "state");
      if (is_there(target, connection)) return report(target);
      const bool paused_by_another = target.state == "paused";
      if (paused_by_another || steady_clock::now() >= until) {
        const object* error = object_of(connection, "last_error");
        const std::string why = error == nullptr ? "" : ", " + text_of(*error, "error");
        return failed(target.name, ExitCode::disconnected,
                      target.name + ": not ready " +
                          (paused_by_another ? std::string("(somebody paused it)")
                                             : "after " + format_duration(*command_.wait)) +
                          " but " + target.state + why + " (wskeep why " + target.name +
                          " says more)");
      }
      std::this_thread::sleep_for(look_again);
    }
  } catch (const CommandError& error) {
    failed(target.name, error.code(), error.what());
  }
}

ExitCode Controlling::run() {
  std::vector<Target> targets = this->targets();
  // All are told before any is waited for.
  for (Target& target : targets) {
    tell(target);
    if (target.told && !command_.wait) report(target);
  }
  if (command_.wait) {
    const auto until = steady_clock::now() + *command_.wait;
    for (Target& target : targets) {
      if (target.told) wait(target, until);
    }
  }
  if (targets.empty()) console_.note("no connections are configured");
  return code_;
}

}  // namespace

ExitCode run_control(const Options& options, const ControlCommand& command,
                     const Console& console) {
  return Controlling(options, command, console).run();
}

}  // namespace wskeep::cli
