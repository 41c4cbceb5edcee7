#include "ipc/client/error.hpp"

#include <boost/json.hpp>
#include <utility>

namespace wskeep::ipc {

Refusal::Refusal(int status, std::string_view body) : Refusal(status, parse(status, body)) {}

Refusal::Refusal(int status, Parsed parsed)
    : std::runtime_error(parsed.sentence), status_(status), name_(std::move(parsed.name)) {}

Refusal::Parsed Refusal::parse(int status, std::string_view body) {
  Parsed parsed;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (!error && value.is_object()) {
    const auto text = [&](std::string_view key) {
      const boost::json::value* member = value.get_object().if_contains(key);
      return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                      : std::string();
    };
    parsed.name = text("error");
    parsed.sentence = text("message");
  }
  if (parsed.sentence.empty()) {
    parsed.sentence = "the daemon answered with HTTP status " + std::to_string(status);
    if (!parsed.name.empty()) parsed.sentence += " (" + parsed.name + ")";
  }
  return parsed;
}

}  // namespace wskeep::ipc
