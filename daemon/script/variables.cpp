#include "daemon/script/variables.hpp"

#include <algorithm>
#include <utility>

#include "config/json.hpp"
#include "daemon/script/encoding.hpp"
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
  for (const config::Remembered& remembered : script.remember) {
    if (remembered.over_restart) {
      over_restart_.insert(remembered.variable);
    }
  }
}

Variables::~Variables() {
  begin_attempt();
  wipe_all(remembered_);
}

void Variables::wipe_all(Values& values) {
  for (auto& [name, value] : values) {
    wipe(value);
  }
  values.clear();
}

std::optional<std::string_view> Variables::find(std::string_view name) const {
  for (const Values* const values : {&session_, &prepared_, &remembered_, &constants_}) {
    if (const auto found = values->find(name); found != values->end()) {
      return found->second;
    }
  }
  return std::nullopt;
}

/// Where a variable is kept that is given a value.
Variables::Values& Variables::place_of(std::string_view name) {
  const auto is_it = [name](const auto& one) { return one.variable == name; };
  if (std::ranges::any_of(script_.remember, is_it)) {
    return remembered_;
  }
  const bool prepared = std::ranges::any_of(script_.prepare, [&](const config::PrepareStep& step) {
    return std::ranges::any_of(step.set, is_it);
  });
  return prepared ? prepared_ : session_;
}

bool Variables::set(std::string_view name, std::string value) {
  if (value.size() > max_value) {
    unset(name);
    return false;
  }
  Values& values = place_of(name);
  const auto found = values.find(name);
  if (over_restart_.contains(name) && (found == values.end() || found->second != value)) {
    ++kept_changes_;
  }
  if (found == values.end()) {
    values.emplace(name, std::move(value));
  } else {
    wipe(found->second);
    found->second = std::move(value);
  }
  return true;
}

void Variables::unset(std::string_view name) {
  for (Values* const values : {&session_, &prepared_, &remembered_}) {
    if (const auto found = values->find(name); found != values->end()) {
      wipe(found->second);
      values->erase(found);
      kept_changes_ += over_restart_.contains(name) ? 1 : 0;
    }
  }
}

void Variables::begin_attempt() {
  wipe_all(prepared_);
  wipe_all(session_);
}

void Variables::begin_session() {
  wipe_all(session_);
}

void Variables::forget(std::span<const std::string> names) {
  for (const std::string& name : names) {
    unset(name);
  }
}

Variables::Values Variables::kept() const {
  Values kept;
  for (const std::string& name : over_restart_) {
    const auto found = remembered_.find(name);
    if (found != remembered_.end() && found->second.size() <= max_kept && is_utf8(found->second)) {
      kept.insert(*found);
    }
  }
  return kept;
}

void Variables::restore(Values values) {
  for (auto& [name, value] : values) {
    if (over_restart_.contains(name)) {
      remembered_.insert_or_assign(name, std::move(value));
    }
  }
}

void Variables::forget_remembered() {
  ++kept_changes_;
  wipe_all(remembered_);
}

bool Variables::knows_all(std::span<const std::string> names) const {
  return std::ranges::all_of(names,
                             [&](const std::string& name) { return find(name).has_value(); });
}

const std::vector<std::string>& Variables::list(std::string_view name) const {
  return std::ranges::find(script_.variables, name, &config::Constant::name)->values;
}

}  // namespace wskeep::script
