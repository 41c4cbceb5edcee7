#include "daemon/script/variables.hpp"

#include <algorithm>
#include <utility>

#include "config/json.hpp"
#include "daemon/script/signature.hpp"

namespace wskeep::script {
namespace {

std::string as_array(const std::vector<std::string>& texts) {
  std::string array = "[";
  for (const std::string& text : texts) {
    array += array.size() == 1 ? "\"" : ",\"";
    config::append_json_escaped(array, text);
    array += '"';
  }
  return array + "]";
}

}  // namespace

Variables::Variables(const config::SessionScript& script) : script_(script) {
  for (const config::Constant& constant : script.variables) {
    constants_[constant.name] = constant.list ? as_array(constant.values) : constant.values.front();
  }
}

Variables::~Variables() {
  wipe_all(session_);
  wipe_all(remembered_);
}

void Variables::wipe_all(Values& values) {
  for (auto& [name, value] : values) {
    wipe(value);
  }
  values.clear();
}

std::optional<std::string_view> Variables::find(std::string_view name) const {
  for (const Values* const values : {&session_, &remembered_, &constants_}) {
    if (const auto found = values->find(name); found != values->end()) {
      return found->second;
    }
  }
  return std::nullopt;
}

bool Variables::is_remembered(std::string_view name) const {
  return std::ranges::any_of(script_.remember, [&](const config::Remembered& remembered) {
    return remembered.variable == name;
  });
}

bool Variables::set(std::string_view name, std::string value) {
  if (value.size() > max_value) {
    unset(name);
    return false;
  }
  Values& values = is_remembered(name) ? remembered_ : session_;
  const auto found = values.find(name);
  if (found == values.end()) {
    values.emplace(name, std::move(value));
  } else {
    wipe(found->second);
    found->second = std::move(value);
  }
  return true;
}

void Variables::unset(std::string_view name) {
  for (Values* const values : {&session_, &remembered_}) {
    if (const auto found = values->find(name); found != values->end()) {
      wipe(found->second);
      values->erase(found);
    }
  }
}

void Variables::begin_session() {
  wipe_all(session_);
}

void Variables::forget(std::span<const std::string> names) {
  for (const std::string& name : names) {
    unset(name);
  }
}

bool Variables::knows_all(std::span<const std::string> names) const {
  return std::ranges::all_of(names,
                             [&](const std::string& name) { return find(name).has_value(); });
}

const std::vector<std::string>& Variables::list(std::string_view name) const {
  return std::ranges::find(script_.variables, name, &config::Constant::name)->values;
}

}  // namespace wskeep::script
