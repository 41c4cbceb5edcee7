#include "config/session_keys.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace wskeep::config {
namespace {

using Keys = std::vector<SessionKey>;

constexpr std::size_t map_count = static_cast<std::size_t>(SessionMap::forget) + 1;
constexpr std::string_view binary = "As a binary message instead of a text message";

Keys keys_of_session() {
  return {
      {"variables", Form::constants, "Constants: texts, and lists of texts for `repeat`"},
      {"prepare", Form::prepares,
       "Done before each attempt to connect: asks by HTTP, or runs a program"},
      {"open", Form::steps, "Said and awaited when the session is open, before it is ready"},
      {"resume", Form::steps,
       "Instead of `open`, when all that it names under `remember` is known"},
      {"resume_url", Form::text, "Where `resume` connects, from what is remembered"},
      {"insecure_url", Form::flag, "A URL that upstream names may begin with ws://"},
      {"heartbeat", Form::map, "What is said again and again", false, SessionMap::heartbeat},
      {"replies", Form::list, "Answers to messages of upstream", false, SessionMap::reply},
      {"remember", Form::remembered, "What is kept of messages for `resume`, by variable"},
      {"forget", Form::map, "After what nothing is remembered", false, SessionMap::forget},
      {"goodbye", Form::list, "Messages that announce the session's end", false,
       SessionMap::goodbye},
      {"refuse", Form::maps, "Messages that end the session whenever they come", false,
       SessionMap::refusal},
      {"close", Form::map, "What is said before the session is ended by us", false,
       SessionMap::close},
  };
}

Keys keys_of_request() {
  return {
      {"request", Form::text, "The http:// or https:// URL to ask", true},
      {"method",
       Form::choice,
       "GET, or POST where there is a body",
       false,
       SessionMap::none,
       {"GET", "POST", "PUT", "PATCH", "DELETE"}},
      {"headers", Form::texts, "Added to the request"},
      {"body", Form::message, "Of the request"},
      {"status", Form::codes, "HTTP statuses of a good answer; 2xx without it"},
      {"tls",
       Form::choice,
       "By the connection's `tls`, or the system's authorities",
       false,
       SessionMap::none,
       {"connection", "system"}},
      {"proxy", Form::text, "Instead of the connection's: a URL, environment or off"},
      {"timeout", Form::duration, "For all of it; 10s without it"},
      {"expect", Form::map, "What the answer must be", false, SessionMap::rule},
      {"set", Form::values, "Variables from the answer, which is `answer` in templates"},
  };
}

Keys keys_of_command() {
  return {
      {"command", Form::command, "The program's path and its arguments; no shell reads it", true},
      {"environment", Form::texts, "Variables of its environment"},
      {"timeout", Form::duration, "For all of it; 10s without it"},
      {"expect", Form::map, "What it must print", false, SessionMap::rule},
      {"set", Form::values, "Variables from what it prints, which is `answer` in templates"},
  };
}

Keys keys_of_send() {
  return {
      {"send", Form::message, "The message", true},
      {"repeat", Form::repeat, "Once for each of a list under `variables`: {NAME: LIST}"},
      {"pace", Form::duration, "Between two of them"},
      {"binary", Form::flag, binary},
      {"set", Form::texts, "Variables, before each sending"},
  };
}

Keys keys_of_wait() {
  return {
      {"wait", Form::maps, "Messages to wait for, in any order", true, SessionMap::rule},
      {"timeout", Form::duration, "For all of them; 10s without it"},
      {"set", Form::values, "Variables from the messages"},
      {"refuse", Form::maps, "Messages that end the session while it waits", false,
       SessionMap::refusal},
  };
}

Keys keys_of_rule() {
  return {
      {"json", Form::json, "What stands at JSON pointers: a value, or one of a list"},
      {"exists", Form::pointers, "JSON pointers at which something stands"},
      {"absent", Form::pointers, "JSON pointers at which nothing stands"},
      {"text", Form::name, "A regular expression that is found in it"},
      {"contains", Form::name, "Text that stands in it"},
      {"opcode",
       Form::choice,
       "Which kind of message",
       false,
       SessionMap::none,
       {"any", "text", "binary"}},
  };
}

Keys keys_of_refusal() {
  Keys keys = keys_of_rule();
  keys.push_back({"verdict",
                  Form::choice,
                  "What follows: the usual back-off, the slowest pace, or "
                  "nothing; slow without it",
                  false,
                  SessionMap::none,
                  {"retry", "slow", "stop"}});
  return keys;
}

Keys keys_of_heartbeat() {
  return {
      {"every", Form::interval, "How often", true},
      {"send", Form::message, "The message", true},
      {"binary", Form::flag, binary},
      {"set", Form::texts, "Variables, before each beat"},
      {"expect", Form::map, "The answer; without it within `within` the session is dead", false,
       SessionMap::rule},
      {"within", Form::duration, "How long that may take; 10s without it"},
      {"jitter_first", Form::flag, "The first beat comes at a random part of the interval"},
      {"idle_only", Form::flag, "None while messages come"},
  };
}

Keys keys_of_reply() {
  return {
      {"on", Form::map, "Which messages", true, SessionMap::rule},
      {"send", Form::message, "The answer; none where only `set` is given"},
      {"binary", Form::flag, binary},
      {"set", Form::values, "Variables from the message"},
  };
}

Keys keys_of_remembered() {
  return {
      {"on", Form::map, "Which messages", false, SessionMap::rule},
      {"value", Form::text, "A JSON pointer, the number of a group, or a template", true},
      {"keep",
       Form::choice,
       "For how long; over a restart of wskeepd in its state directory",
       false,
       SessionMap::none,
       {"session", "restart"}},
  };
}

Keys keys_of_goodbye() {
  return {
      {"on", Form::map, "Which messages", true, SessionMap::rule},
      {"renew", Form::renewal, "When the session is renewed; now without it"},
      {"resume", Form::flag, "false: the next session is opened anew"},
  };
}

Keys keys_of_close() {
  return {
      {"send", Form::message, "A last message"},
      {"binary", Form::flag, binary},
      {"code", Form::close_code, "Of our Close frame: 1000, 1001 or 3000 to 4999"},
  };
}

Keys keys_of_forget() {
  return {
      {"close", Form::codes, "Close codes"},
      {"status", Form::codes, "HTTP statuses"},
  };
}

Keys make_keys(SessionMap map) {
  switch (map) {
    case SessionMap::none:
      break;
    case SessionMap::session:
      return keys_of_session();
    case SessionMap::request:
      return keys_of_request();
    case SessionMap::command:
      return keys_of_command();
    case SessionMap::send:
      return keys_of_send();
    case SessionMap::wait:
      return keys_of_wait();
    case SessionMap::set:
      return {{"set", Form::texts, "Variables and what they are given", true}};
    case SessionMap::pause:
      return {{"pause", Form::duration, "Nothing is done for so long", true}};
    case SessionMap::rule:
      return keys_of_rule();
    case SessionMap::refusal:
      return keys_of_refusal();
    case SessionMap::heartbeat:
      return keys_of_heartbeat();
    case SessionMap::reply:
      return keys_of_reply();
    case SessionMap::remembered:
      return keys_of_remembered();
    case SessionMap::goodbye:
      return keys_of_goodbye();
    case SessionMap::close:
      return keys_of_close();
    case SessionMap::forget:
      return keys_of_forget();
  }
  return {};
}

struct Entry {
  Keys keys;
  std::vector<std::string_view> names{};
};

const Entry& entry_of(SessionMap map) {
  static const std::array<Entry, map_count> entries = [] {
    std::array<Entry, map_count> all;
    for (std::size_t index = 0; index < map_count; ++index) {
      all.at(index).keys = make_keys(static_cast<SessionMap>(index));
      for (const SessionKey& key : all.at(index).keys) {
        all.at(index).names.push_back(key.name);
      }
    }
    return all;
  }();
  return entries.at(static_cast<std::size_t>(map));
}

}  // namespace

std::span<const SessionKey> session_keys(SessionMap map) {
  return entry_of(map).keys;
}

const std::vector<std::string_view>& session_key_names(SessionMap map) {
  return entry_of(map).names;
}

const std::vector<std::string_view>& session_choices(SessionMap map, std::string_view key) {
  return std::ranges::find(entry_of(map).keys, key, &SessionKey::name)->choices;
}

}  // namespace wskeep::config
