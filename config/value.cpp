#include "config/value.hpp"

#include <algorithm>
#include <utility>

#include "config/suggest.hpp"
#include "config/value_reader.hpp"

namespace wskeep::config {
namespace {

class Visitor {
 public:
  explicit Visitor(ValueReader reader) : reader_(std::move(reader)) {}

  bool operator()(const DurationValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const bool off = value.zero_is_off && (text.value == "off" || text.value == "0");
      const Milliseconds duration = off ? Milliseconds(0) : reader_.quantity(text, parse_duration);
      const bool zero = value.zero_is_off && duration == Milliseconds(0);
      if (!zero) {
        reader_.check_range(text, duration, value.least, value.most);
      }
      value.member(reader_.draft()) = duration;
    });
  }

  bool operator()(const SizeValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const std::uint64_t size = reader_.quantity(text, parse_size);
      reader_.check_range(text, size, value.least, value.most);
      value.member(reader_.draft()) = size;
    });
  }

  bool operator()(const CountValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const bool off = value.zero_is_off && text.value == "off";
      const std::uint64_t count = off ? 0 : reader_.quantity(text, parse_count);
      reader_.check_range<std::uint64_t>(text, count, value.least, value.most);
      value.member(reader_.draft()) = static_cast<std::uint32_t>(count);
    });
  }

  bool operator()(const RateValue& value) {
    return reader_.scalar(
        [&](const Scalar& text) { value.member(reader_.draft()) = reader_.rate(text); });
  }

  bool operator()(const ByteRateValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      ByteRate rate;
      if (text.value != "off") {
        rate = reader_.quantity(text, parse_byte_rate);
        reader_.check_range(text, rate.bytes, ByteRateValue::least_bytes,
                            ByteRateValue::most_bytes);
        reader_.check_range(text, rate.per, RateValue::shortest, RateValue::longest);
      }
      value.member(reader_.draft()) = rate;
    });
  }

  bool operator()(const FlagValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      if (text.value != "true" && text.value != "false") {
        text.refuse("is neither", reader_.allowed());
      }
      value.member(reader_.draft()) = text.value == "true";
    });
  }

  bool operator()(const ChoiceValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const auto found = std::ranges::find(value.names, text.value);
      if (found == value.names.end()) {
        const std::string hint =
            text.text.has_placeholder() ? "" : suggestion(text.value, value.names);
        text.refuse("is unknown" + hint, reader_.allowed());
      }
      value.set(reader_.draft(), static_cast<std::size_t>(found - value.names.begin()));
    });
  }

  // YAML readers disagree on whether 0660 is octal, so it is not left to them.
  bool operator()(const ModeValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const std::uint32_t mode = reader_.quantity(text, parse_mode);
      if (!reader_.node().quoted && !text.text.has_placeholder()) {
        text.refuse("needs quotes, because it is octal", "\"" + reader_.node().value + "\"");
      }
      value.member(reader_.draft()) = mode;
    });
  }

  // Where nothing is the default, nothing can be given, so that a connection can undo what it
  // inherits.
  bool operator()(const StringValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      Draft initial;
      const bool none = text.value.empty() && value.member(initial).empty();
      const std::string error = none ? "" : value.error(text.value);
      if (!error.empty()) {
        text.refuse(error, "");
      }
      value.member(reader_.draft()) = text.value;
    });
  }

  // The value may be a secret even without a place-holder, so it is not quoted.
  bool operator()(const TextValue& value) {
    return reader_.scalar([&](const Scalar& text) {
      const bool off = value.off_is_none && text.node.value == "off";
      const bool none = off || text.text.empty();
      const std::string error = none ? "" : value.error(text.value);
      if (!error.empty()) {
        throw Refused(error + "; allowed: " + reader_.allowed());
      }
      value.member(reader_.draft()) = none ? Text() : text.text;
    });
  }

  bool operator()(const TemplateValue& value) {
    if (reader_.node().value == "off") {
      reader_.draft().requests.forget(std::string(value.type));
      value.member(reader_.draft()) = Template();
      return reader_.require(Element::Kind::scalar);
    }
    return reader_.template_scalar(std::string(value.type), [&](const TemplateScalar& text) {
      const bool wrong = text.value && !text.text.empty() && !value.error(*text.value).empty();
      if (wrong) {
        throw Refused(value.error(*text.value) + "; allowed: " + reader_.allowed());
      }
      value.member(reader_.draft()) = text.text;
    });
  }

  bool operator()(const StringsValue& value) { return read_strings(reader_, value); }
  bool operator()(const FaultsValue& value) { return read_faults(reader_, value); }
  bool operator()(const CodeRulesValue& value) { return read_code_rules(reader_, value); }
  bool operator()(const PrincipalsValue& value) { return read_principals(reader_, value); }
  bool operator()(const SocketsValue& /*value*/) { return read_sockets(reader_); }
  bool operator()(const UrlsValue& /*value*/) { return read_urls(reader_); }
  bool operator()(const HeadersValue& /*value*/) { return read_headers(reader_); }
  bool operator()(const ResolveValue& /*value*/) { return read_resolve(reader_); }
  bool operator()(const HostRatesValue& /*value*/) { return read_host_rates(reader_); }

  // It is read when all that it can name is there: see read_session.
  bool operator()(const SessionValue& /*value*/) {
    const Element& node = reader_.node();
    if (node.kind == Element::Kind::scalar && node.value == "off") {
      reader_.draft().sessions.clear();
      return true;
    }
    const std::string allowed =
        "map of variables, prepare, open, resume, heartbeat, replies, remember, goodbye, refuse, "
        "close and others, or off";
    if (!require_kind(node, Element::Kind::map, reader_.path(), allowed, reader_.problems())) {
      return false;
    }
    reader_.draft().sessions.push_back({&node, reader_.path()});
    return true;
  }

 private:
  ValueReader reader_;
};

}  // namespace

bool read_value(const Key& key, const Element& node, const std::string& path, Draft& draft,
                Problems& problems) {
  return std::visit(Visitor(ValueReader(node, path, type_text(key.value), draft, problems)),
                    key.value);
}

bool require_kind(const Element& node, Element::Kind kind, const std::string& path,
                  const std::string& allowed, Problems& problems) {
  if (node.kind == kind) {
    return true;
  }
  if (node.kind == Element::Kind::null) {
    problems.add(node.place, path,
                 (path.empty() ? "is empty; allowed: " : "has no value; allowed: ") + allowed);
  } else if (node.kind != Element::Kind::refused) {
    problems.add(node.place, path,
                 "is " + std::string(kind_text(node.kind)) + "; allowed: " + allowed);
  }
  return false;
}

}  // namespace wskeep::config
