#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Members of an object, taken leniently: one that is missing or of another type is empty, so that
/// an older wskeep shows what it can of a newer daemon's answer.
namespace wskeep::cli {

[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::optional<double> number_of(const boost::json::object& object,
                                              std::string_view key);
[[nodiscard]] std::optional<std::uint64_t> count_of(const boost::json::object& object,
                                                    std::string_view key);
[[nodiscard]] const boost::json::object* object_of(const boost::json::object& object,
                                                   std::string_view key);
[[nodiscard]] const boost::json::array* array_of(const boost::json::object& object,
                                                 std::string_view key);

/// The answer of the daemon, which is to be an object. Throws std::runtime_error, with a sentence
/// for people, where it is none.
[[nodiscard]] boost::json::object parse_object(std::string_view body);

/// A scalar, or a short rendering of what is nested, for people.
[[nodiscard]] std::string describe(const boost::json::value& value);

}  // namespace wskeep::cli
