#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "config/request_templates.hpp"
#include "config/session_load.hpp"

/// The one table of all keys. The loader reads by it, the reference is written from it, and
/// defaults come from the members that it names, so that each is stated once.
namespace wskeep::config {

/// What keys are read into.
struct Draft {
  Config config;
  Connection connection;                ///< the one being read, or `defaults`
  std::vector<Url> urls;                ///< the connection's, as they resolve at load
  std::vector<SessionSource> sessions;  ///< of `defaults` and of the connection
  RequestTemplates requests;            ///< whose variables are still to be looked at
};

struct DurationValue {
  Milliseconds& (*member)(Draft&);
  Milliseconds least;
  Milliseconds most;
  bool zero_is_off = false;  ///< `0` and `off` are allowed too
};

struct SizeValue {
  std::uint64_t& (*member)(Draft&);
  std::uint64_t least;
  std::uint64_t most;
};

struct CountValue {
  std::uint32_t& (*member)(Draft&);
  std::uint32_t least;
  std::uint32_t most;
  bool zero_is_off = false;  ///< `off` is allowed too
};

/// `300/5m`, or `off`. All have the same limits.
struct RateValue {
  static constexpr std::uint32_t most_count = 10'000;
  static constexpr Milliseconds shortest{1};
  static constexpr Milliseconds longest{std::chrono::hours(7 * 24)};

  Rate& (*member)(Draft&);
};

/// `1MiB/1s`, or `off`.
struct ByteRateValue {
  static constexpr std::uint64_t least_bytes = 1;
  static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40U;

  ByteRate& (*member)(Draft&);
};

struct FlagValue {
  bool& (*member)(Draft&);
};

/// One of some names; the index of a name is the enumerator's number.
struct ChoiceValue {
  std::vector<std::string_view> names;
  std::function<std::size_t(Draft&)> get;
  std::function<void(Draft&, std::size_t)> set;
};

struct ModeValue {
  std::uint32_t& (*member)(Draft&);
};

/// Text that `error` has nothing to say against; its answer follows the value in quotes.
struct StringValue {
  std::string& (*member)(Draft&);
  std::string_view type;
  std::string (*error)(std::string_view);
};

/// Text whose place-holders are read again at each use, and which may be a secret: neither messages
/// nor `error` repeat it.
struct TextValue {
  Text& (*member)(Draft&);
  std::string_view type;
  std::string (*error)(std::string_view);
  bool off_is_none = false;  ///< `off` stands for nothing, as `""` does for all
};

/// The same, but it can name variables and functions; `error` is then asked at each attempt.
struct TemplateValue {
  Template& (*member)(Draft&);
  std::string_view type;
  std::string (*error)(std::string_view);
};

/// A list of texts, none twice. `read` puts one into its normal form, or answers what is wrong with
/// it, which then follows it in quotes.
struct StringsValue {
  std::vector<std::string>& (*member)(Draft&);
  std::string_view type;
  std::string (*read)(std::string&);
};

/// Some of some names; the index of a name is the enumerator's number.
struct FaultsValue {
  std::vector<CertificateFault>& (*member)(Draft&);
  std::vector<std::string_view> names;
};

/// Codes, ranges and classes of them, each with a verdict. Those of a connection come behind the
/// inherited ones.
struct CodeRulesValue {
  std::vector<CodeRule>& (*member)(Draft&);
  std::string_view type;
  std::uint16_t least;
  std::uint16_t most;
  std::uint16_t success = 0;  ///< a code that has no place here alone; 0: none
};

/// Who may do something.
struct PrincipalsValue {
  std::optional<Principals>& (*member)(Draft&);
  std::string_view initial = "none";  ///< what holds where the file says nothing
};

struct UrlsValue {};
struct HeadersValue {};
struct ResolveValue {};
struct HostRatesValue {};
struct SessionValue {};
struct SocketsValue {};

using Value = std::variant<DurationValue, SizeValue, CountValue, RateValue, ByteRateValue,
                           FlagValue, ChoiceValue, ModeValue, StringValue, TextValue, TemplateValue,
                           StringsValue, FaultsValue, CodeRulesValue, PrincipalsValue, UrlsValue,
                           HeadersValue, ResolveValue, HostRatesValue, SessionValue, SocketsValue>;

/// Where a key can stand.
enum class Scope : std::uint8_t {
  top,         ///< at the top of the file
  inherited,   ///< in a connection and under `defaults`
  connection,  ///< in a connection only
};

struct Key {
  Scope scope = Scope::top;
  std::string_view path;  ///< below the file, `defaults` or the connection: `timeouts.connect`
  Value value;
  std::string_view description;
  bool group_off = false;  ///< `GROUP: off` switches it off too
};

/// All keys, in the order in which the documents name them.
[[nodiscard]] const std::vector<Key>& all_keys();

/// `duration, 1ms to 1d`: what a key takes.
[[nodiscard]] std::string type_text(const Value& value);

/// The value a key has where the file gives none, as the file would write it; `none`, or
/// `required`.
[[nodiscard]] std::string default_text(const Value& value);

}  // namespace wskeep::config
