#include "cli/init.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/installed_configuration.hpp"
#include "cli/request.hpp"
#include "cli/schema.hpp"
#include "config/document.hpp"
#include "config/file.hpp"
#include "config/load.hpp"

namespace wskeep::cli {

namespace {

constexpr std::size_t longest_answer = 4096;
constexpr std::string_view standard_output = "-";
/// What systemd/wskeepd.service reads.
constexpr const char* service_file = "/etc/wskeep/wskeep.yaml";

/// Single quotes: nothing in them means anything but a quote.
std::string in_yaml(std::string_view text) {
  std::string quoted = "'";
  for (const char character : text) {
    quoted += character;
    if (character == '\'') quoted += character;
  }
  return quoted + "'";
}

/// A question on standard error, so that standard output stays the file's. Empty: as proposed.
std::string ask(const Console& console, const std::string& question, const std::string& proposed) {
  console.print_error(question + (proposed.empty() ? "" : " [" + proposed + "]") + ": ");
  std::string answer;
  char next = 0;
  // A byte at a time: a terminal gives a line at once, and nothing behind it is ours.
  while (answer.size() < longest_answer) {
    const ssize_t count = ::read(console.input(), &next, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw CommandError(ExitCode::interrupted, "no answer; nothing was written");
    if (next == '\n') break;
    answer += next;
  }
  const std::size_t begin = answer.find_first_not_of(" \t");
  if (begin == std::string::npos) return proposed;
  return answer.substr(begin, answer.find_last_not_of(" \t\r") - begin + 1);
}

/// What is wrong with a connection of that name and URL, without a place, which only a file has;
/// empty: nothing.
std::string problem_of(const std::string& name, const std::string& url) {
  FirstConfiguration tried;
  tried.name = name;
  tried.url = url;
  tried.socket = "/run/wskeep/wskeep.sock";
  try {
    static_cast<void>(config::load_text(write_first_configuration(tried), "-"));
    return {};
  } catch (const config::LoadError& error) {
    return visible(error.problems().front().message);
  }
}

/// Asks until the answer does. Wrong ones are told at once, not when all has been asked.
template <typename Good>
std::string ask_until(const Console& console, const std::string& question,
                      const std::string& proposed, const Good& problem) {
  for (;;) {
    std::string answer = ask(console, question, proposed);
    const std::string wrong = problem(answer);
    if (wrong.empty()) return answer;
    console.print_error("  " + wrong + "\n");
  }
}

FirstConfiguration wanted_by(const InitCommand& command, const Options& options,
                             const Console& console) {
  FirstConfiguration wanted{command.name,    command.url,    command.subscribe, command.token_file,
                            command.metrics, options.socket, installed_schema()};
  if (wanted.url.empty()) {
    if (!console.input_is_terminal())
      throw CommandError(ExitCode::usage, "which URL? Give --url wss://HOST/PATH");
    wanted.url = ask_until(console, "URL to hold (ws:// or wss://)", "", [](const auto& url) {
      return url.empty() ? "there has to be one" : problem_of("trades", url);
    });
    if (wanted.name.empty()) {
      wanted.name = ask_until(console, "Its name here", name_for(wanted.url),
                              [&wanted](const auto& name) { return problem_of(name, wanted.url); });
    }
    if (wanted.token_file.empty())
      wanted.token_file = ask(console, "File with a bearer token (none: Enter)", "");
    if (wanted.subscribe.empty())
      wanted.subscribe = ask(console, "Message to send when it is open (none: Enter)", "");
  }
  if (wanted.name.empty()) wanted.name = name_for(wanted.url);
  return wanted;
}

/// Whether nobody has put anything of his own into it.
bool is_as_installed(const std::string& path) {
  try {
    return config::read_regular_file(path, config::largest_file) == installed_configuration;
  } catch (const config::FileError&) {
    return false;
  }
}

[[noreturn]] void refuse_to_replace(const std::string& path) {
  throw CommandError(ExitCode::failed, visible(path) +
                                           " is there already; --force replaces it, or name "
                                           "another file, or - for standard output");
}

/// Only its owner and the group may read it: it may get secrets.
void write_file(const std::string& path, std::string_view text, bool replace) {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL);
  const int file = ::open(path.c_str(), flags, 0640);
  if (file < 0 && errno == EEXIST) refuse_to_replace(path);
  const auto fail = [&path] {
    return CommandError(ExitCode::failed, "cannot write " + visible(path) + ": " +
                                              std::generic_category().message(errno) +
                                              (errno == EACCES ? ": try it with sudo" : ""));
  };
  if (file < 0) throw fail();
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const CommandError error = fail();
      ::close(file);
      throw error;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(file) != 0) throw fail();
}

std::string next_steps(const std::string& file, const std::string& name) {
  const std::string look = "  wskeep list\n  wskeep tail " + visible(name) + "\n";
  if (file == service_file) {
    return file + " is written. Next:\n\n  sudo systemctl restart wskeepd\n" + look +
           "\nUsers of the group wskeep may do the latter: sudo adduser NAME wskeep, from the next "
           "login on.\n";
  }
  return visible(file) + " is written. Next:\n\n  wskeepd --config " + visible(file) + "\n" + look +
         "\nUnder systemd: put it at " + std::string(service_file) +
         ", then sudo systemctl restart wskeepd.\n";
}

}  // namespace

std::string name_for(const std::string& url) {
  constexpr std::array<std::string_view, 9> says_little{"www", "ws",  "wss",       "stream", "api",
                                                        "com", "net", "websocket", "feed"};
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "trades";
  std::string host = url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
  host = host.substr(0, host.rfind(':'));
  std::vector<std::string> labels;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t dot = std::min(host.find('.', at), host.size());
    labels.push_back(host.substr(at, dot - at));
    at = dot + 1;
  }
  // The last is the country or the kind: it says nothing unless it is alone.
  if (labels.size() > 1) labels.pop_back();
  std::string best;
  for (const std::string& label : labels) {
    const bool good =
        label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos &&
        label.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos &&
        std::ranges::find(says_little, label) == says_little.end();
    if (good && label.size() >= best.size() && label.size() <= 32) best = label;
  }
  return best.empty() ? "trades" : best;
}

std::string write_first_configuration(const FirstConfiguration& wanted) {
  std::string text;
  if (!wanted.schema.empty()) text += "# yaml-language-server: $schema=" + wanted.schema + "\n\n";
  text +=
      "# What wskeepd holds. Every key: docs/configuration.md, or `man wskeep.yaml`.\n"
      "# `wskeep check FILE` says what is wrong with it; `wskeep diff` and `wskeep reload` apply "
      "it.\n\n";
  text +=
      "ipc:\n  # Local programs connect here; whoever may open it may read and send.\n"
      "  socket: " +
      in_yaml(wanted.socket) + "\n\n";
  if (!wanted.metrics.empty()) {
    text += "metrics:\n  # Prometheus scrapes http://" + wanted.metrics +
            "/metrics.\n  listen: " + in_yaml(wanted.metrics) + "\n\n";
  }
  text += "connections:\n  # wskeep list, wskeep tail " + wanted.name + ", wskeep why " +
          wanted.name + "\n  " + wanted.name + ":\n    url: " + in_yaml(wanted.url) + "\n";
  if (!wanted.token_file.empty()) {
    text +=
        "    # Read anew at each connect, so that a renewed token is used.\n"
        "    authorization: {bearer: " +
        in_yaml("${file:" + wanted.token_file + "}") + "}\n";
  }
  if (!wanted.subscribe.empty()) {
    text += "    session:\n      open:\n        # Sent with each new session.\n        - send: " +
            in_yaml(wanted.subscribe) +
            "\n        # Better: wait for the answer, so that `ready` means subscribed. See "
            "docs/session.md.\n        # - wait: {json: {/event: subscribed}}\n";
  }
  text +=
      "    # As it is without these lines:\n"
      "    # timeouts: {connect: 60s, address: 10s, receive: 30s, send: 30s}\n"
      "    # keepalive: {ping: 10s}\n"
      "    # history: 1MiB          # what local programs can still read that come late\n"
      "    # reconnect: {initial: 500ms, max: 30s, budget: 300/5m}\n";
  return text;
}

ExitCode run_init(const Options& options, const InitCommand& command, const Console& console) {
  // Before anything is asked. What comes to be there meanwhile is not replaced either.
  const bool replace = command.force || is_as_installed(command.file);
  if (!replace && command.file != standard_output && ::access(command.file.c_str(), F_OK) == 0)
    refuse_to_replace(command.file);
  const FirstConfiguration wanted = wanted_by(command, options, console);
  const std::string text = write_first_configuration(wanted);
  try {
    static_cast<void>(config::load_text(text, command.file));
  } catch (const config::LoadError& error) {
    throw CommandError(ExitCode::configuration,
                       "that would be no good configuration; nothing was written. " +
                           visible(error.problems().front().text()));
  }
  if (command.file == standard_output) {
    console.print(text);
    return ExitCode::ok;
  }
  write_file(command.file, text, replace);
  console.print(next_steps(command.file, wanted.name));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
