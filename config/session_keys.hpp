#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// The one table of the keys under `session`: the loader knows no others, and the JSON Schema is
/// written from it.
namespace wskeep::config {

/// What a key of a session script takes.
enum class Form : std::uint8_t {
  text,      ///< a template, or what else is text
  message,   ///< a template that is not empty
  name,      ///< plain text
  flag,      ///< true or false
  choice,    ///< one of SessionKey::choices
  duration,  ///< `5s`
  interval,  ///< the same, or a template that stands for one
  renewal,   ///< the same, or `now`
  close_code,
  codes,    ///< a code, a range or a class of codes, or a list of them
  texts,    ///< a map of names to templates
  values,   ///< a map of variables to templates, pointers, or numbers of groups
  command,  ///< a list of a program's path and its arguments
  constants,
  repeat,    ///< a map of one name to the name of a list
  json,      ///< a map of JSON pointers to values, each one or a list of them
  pointers,  ///< one or a list of them
  map,       ///< SessionKey::map
  maps,      ///< one or a list of them
  list,      ///< a list of them
  steps,     ///< a list of `send`, `wait`, `set` and `pause`
  prepares,  ///< a list of `request` and `command`
  remembered,
};

/// Maps with keys of their own.
enum class SessionMap : std::uint8_t {
  none,
  session,
  request,  ///< a step of `prepare`
  command,  ///< likewise
  send,     ///< a step of `open` and `resume`
  wait,
  set,
  pause,
  rule,
  refusal,
  heartbeat,
  reply,
  remembered,
  goodbye,
  close,
  forget,
};

struct SessionKey {
  std::string_view name;
  Form form = Form::text;
  std::string_view description;
  bool required = false;
  SessionMap map = SessionMap::none;        ///< of Form::map, maps and list
  std::vector<std::string_view> choices{};  ///< of Form::choice, in the order of the enumerators
};

/// The keys of one map, in the order in which messages name them.
[[nodiscard]] std::span<const SessionKey> session_keys(SessionMap map);

/// Their names.
[[nodiscard]] const std::vector<std::string_view>& session_key_names(SessionMap map);

/// The choices of one of them.
[[nodiscard]] const std::vector<std::string_view>& session_choices(SessionMap map,
                                                                   std::string_view key);

}  // namespace wskeep::config
