#include "config/keys.hpp"
#include "config/quantity.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

/// What each kind of value takes.
struct TypeText {
  std::string operator()(const DurationValue& value) const {
    return "duration, " + format_duration(value.least) + " to " + format_duration(value.most) +
           or_off(value.zero_is_off);
  }
  std::string operator()(const SizeValue& value) const {
    return "size, " + format_size(value.least) + " to " + format_size(value.most);
  }
  std::string operator()(const CountValue& value) const {
    return "number, " + std::to_string(value.least) + " to " + std::to_string(value.most) +
           or_off(value.zero_is_off);
  }
  std::string operator()(const RateValue& /*value*/) const {
    return "rate, 1 to " + std::to_string(RateValue::most_count) + " in " +
           format_duration(RateValue::shortest) + " to " + format_duration(RateValue::longest) +
           ", or off";
  }
  std::string operator()(const ByteRateValue& /*value*/) const {
    return "size in a duration such as 1MiB/s, or off";
  }
  std::string operator()(const FlagValue& /*value*/) const { return "true or false"; }
  std::string operator()(const ChoiceValue& value) const { return joined(value.names, "or"); }
  std::string operator()(const ModeValue& /*value*/) const { return "octal mode in quotes"; }
  std::string operator()(const StringValue& value) const { return std::string(value.type); }
  std::string operator()(const TextValue& value) const { return std::string(value.type); }
  std::string operator()(const TemplateValue& value) const { return std::string(value.type); }
  std::string operator()(const StringsValue& value) const { return std::string(value.type); }
  std::string operator()(const FaultsValue& value) const {
    return "list of " + joined(value.names, "and");
  }
  std::string operator()(const CodeRulesValue& value) const { return std::string(value.type); }
  std::string operator()(const PrincipalsValue& /*value*/) const {
    return "list of user:NAME, group:NAME, uid:N, gid:N, root, daemon and anyone";
  }
  std::string operator()(const SocketsValue& /*value*/) const {
    return "list of up to 16 maps of path, mode, group and access";
  }
  std::string operator()(const UrlsValue& /*value*/) const {
    return "ws:// or wss:// URL, or a list of 1 to 16";
  }
  std::string operator()(const HeadersValue& /*value*/) const { return "map of names to values"; }
  std::string operator()(const ResolveValue& /*value*/) const {
    return "map of hosts to an IP address or a list of up to 16";
  }
  std::string operator()(const HostRatesValue& /*value*/) const { return "map of hosts to rates"; }
  std::string operator()(const SessionValue& /*value*/) const {
    return "map, see [session](session.md), or off";
  }

 private:
  static std::string or_off(bool allowed) { return allowed ? ", or off" : ""; }
};

/// What each kind of value is in an empty draft.
struct DefaultText {
  Draft& draft;

  std::string operator()(const DurationValue& value) const {
    const Milliseconds duration = value.member(draft);
    return value.zero_is_off && duration == Milliseconds(0) ? "off" : format_duration(duration);
  }
  std::string operator()(const SizeValue& value) const { return format_size(value.member(draft)); }
  std::string operator()(const CountValue& value) const {
    const std::uint32_t count = value.member(draft);
    return value.zero_is_off && count == 0 ? "off" : std::to_string(count);
  }
  std::string operator()(const RateValue& value) const { return format_rate(value.member(draft)); }
  std::string operator()(const ByteRateValue& value) const {
    return format_byte_rate(value.member(draft));
  }
  std::string operator()(const PrincipalsValue& value) const { return std::string(value.initial); }
  std::string operator()(const FlagValue& value) const {
    return value.member(draft) ? "true" : "false";
  }
  std::string operator()(const ChoiceValue& value) const {
    return std::string(value.names.at(value.get(draft)));
  }
  std::string operator()(const ModeValue& value) const {
    return "\"" + format_mode(value.member(draft)) + "\"";
  }
  std::string operator()(const StringValue& value) const {
    const std::string& text = value.member(draft);
    return text.empty() ? "none" : text;
  }
  std::string operator()(const UrlsValue& /*value*/) const { return "required"; }

  /// Lists, maps and texts that may be secret are empty by default.
  template <typename Other>
  std::string operator()(const Other& /*value*/) const {
    return "none";
  }
};

}  // namespace

std::string type_text(const Value& value) {
  return std::visit(TypeText{}, value);
}

std::string default_text(const Value& value) {
  Draft empty;
  return std::visit(DefaultText{empty}, value);
}

}  // namespace wskeep::config
