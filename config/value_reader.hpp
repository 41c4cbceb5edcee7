#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/problems.hpp"
#include "config/quantity.hpp"
#include "config/text.hpp"
#include "config/value.hpp"

/// What the readers of single values and of lists and maps share.
namespace wskeep::config {

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

  /// Throws Refused: the source in quotes, the complaint and, unless empty, what is allowed.
  [[noreturn]] void refuse(const std::string& complaint, const std::string& allowed) const;
};

/// A scalar that can name variables of the session script.
struct TemplateScalar {
  Template text;
  std::optional<std::string> value;  ///< nothing: only an attempt knows it
};

/// One value of the file: where it stands, where it goes, and where its problems go.
class ValueReader {
 public:
  ValueReader(const Element& node, std::string path, std::string allowed, Draft& draft,
              Problems& problems)
      : node_(node),
        path_(std::move(path)),
        allowed_(std::move(allowed)),
        draft_(draft),
        problems_(problems) {}

  [[nodiscard]] const Element& node() const noexcept { return node_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& allowed() const noexcept { return allowed_; }
  [[nodiscard]] Draft& draft() const noexcept { return draft_; }
  [[nodiscard]] Problems& problems() const noexcept { return problems_; }

  /// A value inside this one.
  [[nodiscard]] ValueReader inside(const Element& node, std::string path,
                                   std::string allowed) const {
    return {node, std::move(path), std::move(allowed), draft_, problems_};
  }

  /// The item of a list.
  [[nodiscard]] ValueReader item(std::size_t index, std::string allowed) const {
    return inside(node_.items[index], path_ + "[" + std::to_string(index) + "]",
                  std::move(allowed));
  }

  /// Adds a problem at this value.
  void complain(const std::string& message) const { problems_.add(node_.place, path_, message); }

  [[nodiscard]] bool require(Element::Kind kind) const {
    return require_kind(node_, kind, path_, allowed_, problems_);
  }

  /// Whether this list or map holds at most so many; complains where it does not.
  [[nodiscard]] bool require_at_most(std::size_t most) const;

  /// Calls `read` with the Scalar. What it throws (Refused, TextError, UrlError, QuantityError) is
  /// made for the reader of the message.
  template <typename Read>
  bool scalar(Read read) const {
    if (!require(Element::Kind::scalar)) {
      return false;
    }
    try {
      read(Scalar(node_));
      return true;
    } catch (const Refused& error) {
      complain(error.what());
    } catch (const TextError& error) {
      complain(error.what());
    } catch (const UrlError& error) {
      complain(error.what());
    }
    return false;
  }

  /// The same with a TemplateScalar. Its variables are looked at when the session script is known:
  /// see RequestTemplates, which `key` is for.
  template <typename Read>
  bool template_scalar(const std::string& key, Read read) const {
    const std::optional<TemplateScalar> scalar = take_template(key);
    if (!scalar) {
      return false;
    }
    try {
      read(*scalar);
      return true;
    } catch (const Refused& error) {
      complain(error.what());
    } catch (const UrlError& error) {
      complain(error.what());
    }
    return false;
  }

  /// A complaint may repeat digits of what was found, which is then not the source.
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

  [[nodiscard]] Rate rate(const Scalar& text) const;

 private:
  [[nodiscard]] std::optional<TemplateScalar> take_template(const std::string& key) const;

  const Element& node_;
  std::string path_;
  std::string allowed_;
  Draft& draft_;
  Problems& problems_;
};

// Lists and maps. False where something in them is wrong, which is then reported; the rest of them
// is read all the same.
bool read_urls(const ValueReader& reader);
bool read_headers(const ValueReader& reader);
bool read_strings(const ValueReader& reader, const StringsValue& value);
bool read_faults(const ValueReader& reader, const FaultsValue& value);
bool read_code_rules(const ValueReader& reader, const CodeRulesValue& value);
bool read_resolve(const ValueReader& reader);
bool read_host_rates(const ValueReader& reader);
bool read_principals(const ValueReader& reader, const PrincipalsValue& value);
bool read_sockets(const ValueReader& reader);

}  // namespace wskeep::config
