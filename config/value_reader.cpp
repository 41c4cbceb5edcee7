#include "config/value_reader.hpp"

#include "config/place_within.hpp"

namespace wskeep::config {

void Scalar::refuse(const std::string& complaint, const std::string& allowed) const {
  throw Refused(in_quotes(node.value) + " " + complaint +
                (allowed.empty() ? "" : "; allowed: " + allowed));
}

std::optional<TemplateScalar> ValueReader::take_template(const std::string& key) const {
  if (!require(Element::Kind::scalar)) {
    return std::nullopt;
  }
  try {
    TemplateScalar scalar{.text = Template(node_.value), .value = {}};
    scalar.value = scalar.text.text_now();
    if (!scalar.value) {
      scalar.text.check_sources();
    }
    draft_.requests.note(key, scalar.text, node_.place, path_);
    return scalar;
  } catch (const TemplateError& error) {
    add_within(problems_, node_.place, path_, error);
    return std::nullopt;
  }
}

bool ValueReader::require_at_most(std::size_t most) const {
  if (node_.items.size() <= most) {
    return true;
  }
  complain("holds " + std::to_string(node_.items.size()) + " entries; allowed: at most " +
           std::to_string(most));
  return false;
}

Rate ValueReader::rate(const Scalar& text) const {
  if (text.value == "off") {
    return {};
  }
  const Rate rate = quantity(text, parse_rate);
  check_range<std::uint32_t>(text, rate.count, 1, RateValue::most_count);
  check_range(text, rate.per, RateValue::shortest, RateValue::longest);
  return rate;
}

}  // namespace wskeep::config
