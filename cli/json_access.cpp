#include "cli/json_access.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "cli/format.hpp"

namespace wskeep::cli {

namespace {

std::string describe_text(std::string_view text) {
  if (const auto time = parse_time(text)) {
    const auto age = std::chrono::system_clock::now() - *time;
    if (age >= age.zero()) return std::string(text) + " (" + format_duration(age) + " ago)";
    return std::string(text) + " (in " + format_duration(-age) + ")";
  }
  return std::string(text);
}

}  // namespace

std::string text_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* member = object.if_contains(key);
  if (member == nullptr || !member->is_string()) return {};
  return std::string(member->get_string());
}

std::optional<double> number_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* member = object.if_contains(key);
  if (member == nullptr || !member->is_number()) return std::nullopt;
  return member->to_number<double>();
}

std::optional<std::uint64_t> count_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* member = object.if_contains(key);
  if (member == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto count = member->to_number<std::uint64_t>(error);
  return error ? std::nullopt : std::optional(count);
}

const boost::json::object* object_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* member = object.if_contains(key);
  return member == nullptr ? nullptr : member->if_object();
}

const boost::json::array* array_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* member = object.if_contains(key);
  return member == nullptr ? nullptr : member->if_array();
}

boost::json::object parse_object(std::string_view body) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) {
    throw std::runtime_error(
        "the daemon's answer is no JSON object: are wskeep and wskeepd of the same version?");
  }
  return std::move(value.get_object());
}

std::string describe(const boost::json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return describe_text(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  std::string text;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (!text.empty()) text += ", ";
      text += std::string(key) + " " + describe(member);
    }
    return text.empty() ? "-" : text;
  }
  if (const auto* array = value.if_array()) {
    for (const auto& member : *array) {
      if (!text.empty()) text += ", ";
      text += describe(member);
    }
    return text.empty() ? "-" : text;
  }
  return boost::json::serialize(value);
}

}  // namespace wskeep::cli
