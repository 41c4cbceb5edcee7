#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/message_rule.hpp"
#include "ipc/subscription.hpp"

namespace wskeep::ipc {

/// Whether a key of the query is about which messages are wanted.
[[nodiscard]] bool is_filter_key(std::string_view key) noexcept;

/// What `contains`, `json` and `opcode` say together; nothing where the query has none of them. Or
/// a sentence that says what is wrong. All of it may have `longest` bytes.
[[nodiscard]] std::variant<std::optional<config::MessageRule>, std::string> parse_filter(
    const Target& target, std::size_t longest);

}  // namespace wskeep::ipc
