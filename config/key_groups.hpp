#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/keys.hpp"

/// The pieces that the table of keys is put together from: one file for each topic.
namespace wskeep::config {

void add_top(std::vector<Key>& keys);
void add_timeouts(std::vector<Key>& keys);
void add_connecting(std::vector<Key>& keys);
void add_reconnecting(std::vector<Key>& keys);
void add_proxy(std::vector<Key>& keys);
void add_tls(std::vector<Key>& keys);
void add_upgrade(std::vector<Key>& keys);
void add_messages(std::vector<Key>& keys);

inline constexpr Milliseconds zero{0};
inline constexpr Milliseconds shortest{1};
inline constexpr Milliseconds hour = std::chrono::hours(1);
inline constexpr Milliseconds day = std::chrono::hours(24);
inline constexpr std::uint64_t kib = 1U << 10U;
inline constexpr std::uint64_t mib = 1U << 20U;
inline constexpr std::uint64_t gib = 1U << 30U;

template <typename Member>
ChoiceValue choice(std::vector<std::string_view> names, Member member) {
  using Enumeration = std::remove_reference_t<std::invoke_result_t<Member, Draft&>>;
  return {std::move(names),
          [member](Draft& draft) { return static_cast<std::size_t>(member(draft)); },
          [member](Draft& draft, std::size_t index) {
            member(draft) = static_cast<Enumeration>(index);
          }};
}

/// Adds keys of one scope.
class KeyAdder {
 public:
  KeyAdder(std::vector<Key>& keys, Scope scope) : keys_(keys), scope_(scope) {}

  void operator()(std::string_view path, Value value, std::string_view description,
                  bool group_off = false) const {
    keys_.push_back({scope_, path, std::move(value), description, group_off});
  }

 private:
  std::vector<Key>& keys_;
  Scope scope_;
};

}  // namespace wskeep::config

// clang-format off
/// How a value of the table finds its member in a draft.
#define MEMBER(type, name) ([](Draft& draft) -> type& { return draft.name; })
// clang-format on
