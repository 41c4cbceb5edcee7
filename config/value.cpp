#include "config/value.hpp"

#include <algorithm>
#include <map>

#include "config/characters.hpp"
#include "config/header.hpp"
#include "config/quantity.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

/// Thrown with the whole message of a problem.
class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A scalar, and what its place-holders stand for. Messages quote the source: the rest may be
/// secret.
struct Scalar {
  const Element& node;
  Text text;
  std::string value;

  explicit Scalar(const Element& scalar)
      : node(scalar), text(scalar.value), value(text.resolve()) {}

  [[noreturn]] void refuse(const std::string& complaint, const std::string& allowed) const {
    throw Refused(in_quotes(node.value) + " " + complaint +
                  (allowed.empty() ? "" : "; allowed: " + allowed));
  }
};

class Reader {
 public:
  Reader(const Key& key, const Element& node, const std::string& path, Draft& draft,
         Problems& problems)
      : allowed_(type_text(key.value)),
        node_(node),
        path_(path),
        draft_(draft),
        problems_(problems) {}

  bool operator()(const DurationValue& value) {
    return scalar([&](const Scalar& text) {
      const bool off = value.zero_is_off && (text.value == "off" || text.value == "0");
      const Milliseconds duration = off ? Milliseconds(0) : quantity(text, parse_duration);
      const bool zero = value.zero_is_off && duration == Milliseconds(0);
      if (!zero) {
        check_range(text, duration, value.least, value.most);
      }
      value.member(draft_) = duration;
    });
  }

  bool operator()(const SizeValue& value) {
    return scalar([&](const Scalar& text) {
      const std::uint64_t size = quantity(text, parse_size);
      check_range(text, size, value.least, value.most);
      value.member(draft_) = size;
    });
  }

  bool operator()(const CountValue& value) {
    return scalar([&](const Scalar& text) {
      const std::uint64_t count = quantity(text, parse_count);
      check_range<std::uint64_t>(text, count, value.least, value.most);
      value.member(draft_) = static_cast<std::uint32_t>(count);
    });
  }

  bool operator()(const FlagValue& value) {
    return scalar([&](const Scalar& text) {
      if (text.value != "true" && text.value != "false") {
        text.refuse("is neither", allowed_);
      }
      value.member(draft_) = text.value == "true";
    });
  }

  bool operator()(const ChoiceValue& value) {
    return scalar([&](const Scalar& text) {
      const auto found = std::ranges::find(value.names, text.value);
      if (found == value.names.end()) {
        const std::string hint =
            text.text.has_placeholder() ? "" : suggestion(text.value, value.names);
        text.refuse("is unknown" + hint, allowed_);
      }
      value.set(draft_, static_cast<std::size_t>(found - value.names.begin()));
    });
  }

  // YAML readers disagree on whether 0660 is octal, so it is not left to them.
  bool operator()(const ModeValue& value) {
    return scalar([&](const Scalar& text) {
      const std::uint32_t mode = quantity(text, parse_mode);
      if (!node_.quoted && !text.text.has_placeholder()) {
        text.refuse("needs quotes, because it is octal", "\"" + node_.value + "\"");
      }
      value.member(draft_) = mode;
    });
  }

  // Where nothing is the default, nothing can be given, so that a connection can undo what it
  // inherits.
  bool operator()(const StringValue& value) {
    return scalar([&](const Scalar& text) {
      Draft initial;
      const bool none = text.value.empty() && value.member(initial).empty();
      const std::string error = none ? "" : value.error(text.value);
      if (!error.empty()) {
        text.refuse(error, "");
      }
      value.member(draft_) = text.value;
    });
  }

  bool operator()(const UrlValue& /*value*/) {
    return scalar([&](const Scalar& text) {
      draft_.url = parse_url(text.value);
      draft_.connection.urls = {text.text};
    });
  }

  bool operator()(const HeadersValue& /*value*/) {
    if (!require_kind(node_, Element::Kind::map, path_, allowed_, problems_)) {
      return false;
    }
    bool good = true;
    std::map<std::string, std::size_t> first_lines;
    for_each_entry(node_, path_, problems_, [&](const Element& name, const Element& value) {
      const auto [first, is_new] = first_lines.emplace(folded(name.value), name.place.line);
      if (!is_new) {
        problems_.add(name.place, joined_key(path_, name.value),
                      "is given twice (case does not matter), first on line " +
                          std::to_string(first->second));
      }
      good = is_new && read_header(name, value) && good;
    });
    return good;
  }

  bool operator()(const SubprotocolsValue& /*value*/) {
    if (!require_kind(node_, Element::Kind::sequence, path_, allowed_, problems_)) {
      return false;
    }
    std::vector<std::string> names;
    bool good = true;
    for (std::size_t index = 0; index < node_.items.size(); ++index) {
      const std::string path = path_ + "[" + std::to_string(index) + "]";
      good = read_subprotocol(node_.items[index], path, names) && good;
    }
    draft_.connection.settings.subprotocols = std::move(names);
    return good;
  }

 private:
  template <typename Read>
  bool scalar(Read read) {
    return scalar(node_, path_, allowed_, read);
  }

  // What is thrown here is made for the reader of the message: Refused, TextError and UrlError.
  template <typename Read>
  bool scalar(const Element& node, const std::string& path, const std::string& allowed, Read read) {
    if (!require_kind(node, Element::Kind::scalar, path, allowed, problems_)) {
      return false;
    }
    try {
      read(Scalar(node));
      return true;
    } catch (const Refused& error) {
      problems_.add(node.place, path, error.what());
    } catch (const TextError& error) {
      problems_.add(node.place, path, error.what());
    } catch (const UrlError& error) {
      problems_.add(node.place, path, error.what());
    }
    return false;
  }

  // A complaint may repeat digits of what was found, which is then not the source.
  template <typename Number>
  Number quantity(const Scalar& text, Number (*parse)(std::string_view)) const {
    try {
      return parse(text.value);
    } catch (const QuantityError& error) {
      text.refuse(text.text.has_placeholder() ? "does not stand for what is needed" : error.what(),
                  allowed_);
    }
  }

  template <typename Number>
  void check_range(const Scalar& text, Number number, Number least, Number most) const {
    if (number < least || number > most) {
      text.refuse("is out of range", allowed_);
    }
  }

  bool read_header(const Element& name, const Element& node) {
    const std::string path = joined_key(path_, name.value);
    const std::string error = header_name_error(name.value);
    if (!error.empty()) {
      problems_.add(name.place, path, error);
      return false;
    }
    return scalar(node, path, "text", [&](const Scalar& text) {
      const std::string value_error = header_value_error(text.value);
      if (!value_error.empty()) {
        throw Refused(value_error);
      }
      set_header(name.value, text.text);
    });
  }

  void set_header(const std::string& name, const Text& value) {
    auto& headers = draft_.connection.settings.headers;
    const auto same = std::ranges::find_if(
        headers, [&](const auto& header) { return folded(header.first) == folded(name); });
    if (same == headers.end()) {
      headers.emplace_back(name, value);
    } else {
      *same = {name, value};
    }
  }

  bool read_subprotocol(const Element& node, const std::string& path,
                        std::vector<std::string>& names) {
    return scalar(node, path, "text", [&](const Scalar& text) {
      const std::string error = subprotocol_error(text.value);
      if (!error.empty()) {
        text.refuse(error, "");
      }
      if (std::ranges::find(names, text.value) != names.end()) {
        text.refuse("is in the list twice", "");
      }
      names.push_back(text.value);
    });
  }

  std::string allowed_;
  const Element& node_;
  const std::string& path_;
  Draft& draft_;
  Problems& problems_;
};

}  // namespace

bool read_value(const Key& key, const Element& node, const std::string& path, Draft& draft,
                Problems& problems) {
  Reader reader(key, node, path, draft, problems);
  return std::visit(reader, key.value);
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
