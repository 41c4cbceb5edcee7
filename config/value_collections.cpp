#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "config/authority.hpp"
#include "config/characters.hpp"
#include "config/code_range.hpp"
#include "config/header.hpp"
#include "config/suggest.hpp"
#include "config/value_reader.hpp"

namespace wskeep::config {
namespace {

constexpr std::size_t most_urls = 16;
constexpr std::size_t most_addresses = 16;
constexpr std::size_t most_strings = 64;
constexpr std::size_t most_rules = 64;
constexpr std::size_t most_overrides = 256;
constexpr std::size_t most_hosts = 1024;

bool read_url(const ValueReader& reader, std::vector<Template>& sources, std::vector<Url>& urls) {
  return reader.template_scalar(reader.path(), [&](const TemplateScalar& text) {
    if (text.value) {
      urls.push_back(parse_url(*text.value));
    } else {
      check_url_template(text.text, parse_url);
    }
    sources.push_back(text.text);
  });
}

bool read_header(const ValueReader& reader, const Element& name) {
  const std::string error = header_name_error(name.value);
  if (!error.empty()) {
    reader.problems().add(name.place, reader.path(), error);
    return false;
  }
  return reader.template_scalar("header " + folded(name.value), [&](const TemplateScalar& text) {
    const std::string value_error = header_value_error(text.value.value_or(""));
    if (!value_error.empty()) {
      throw Refused(value_error);
    }
    auto& headers = reader.draft().connection.settings.headers;
    const auto same = std::ranges::find_if(
        headers, [&](const auto& header) { return folded(header.first) == folded(name.value); });
    if (same == headers.end()) {
      headers.emplace_back(name.value, text.text);
    } else {
      *same = {name.value, text.text};
    }
  });
}

bool read_string(const ValueReader& reader, const StringsValue& value,
                 std::vector<std::string>& strings) {
  return reader.scalar([&](const Scalar& text) {
    std::string normal = text.value;
    const std::string error = value.read(normal);
    if (!error.empty()) {
      text.refuse(error, "");
    }
    if (std::ranges::find(strings, normal) != strings.end()) {
      text.refuse("is in the list twice", "");
    }
    strings.push_back(std::move(normal));
  });
}

/// The index of the name that a scalar is.
std::size_t read_name(const ValueReader& reader, const Scalar& text,
                      const std::vector<std::string_view>& names) {
  const auto found = std::ranges::find(names, text.value);
  if (found == names.end()) {
    const std::string hint = text.text.has_placeholder() ? "" : suggestion(text.value, names);
    text.refuse("is unknown" + hint, reader.allowed());
  }
  return static_cast<std::size_t>(found - names.begin());
}

bool read_rule(const ValueReader& reader, const CodeRulesValue& value, const Element& codes) {
  static const std::vector<std::string_view> verdicts{"retry", "slow", "stop"};
  CodeRange range;
  try {
    range = parse_code_range(codes.value, value.least, value.most);
    if (range.first == value.success && range.last == value.success) {
      throw QuantityError("is no refusal");
    }
  } catch (const QuantityError& error) {
    reader.problems().add(
        codes.place, reader.path(),
        in_quotes(codes.value) + " " + error.what() + "; allowed: " + std::string(value.type));
    return false;
  }
  return reader.scalar([&](const Scalar& text) {
    const auto verdict = static_cast<Verdict>(read_name(reader, text, verdicts));
    auto& rules = value.member(reader.draft());
    std::erase_if(rules, [&](const CodeRule& rule) {
      return rule.first == range.first && rule.last == range.last;
    });
    rules.push_back({range.first, range.last, verdict});
  });
}

/// The host and port of an override. Throws UrlError.
ResolveOverride parse_override_key(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon != text.rfind(':') || is_ipv4_address(text.substr(0, colon))) {
    throw UrlError("is not HOST or HOST:PORT: an address needs no other");
  }
  ResolveOverride result;
  result.host = parse_host_name(text.substr(0, colon));
  result.port = colon == std::string::npos ? std::uint16_t{0} : parse_port(text.substr(colon + 1));
  return result;
}

bool read_address(const ValueReader& reader, std::vector<std::string>& addresses) {
  return reader.scalar([&](const Scalar& text) {
    try {
      addresses.push_back(parse_ip_address(text.value));
    } catch (const UrlError& error) {
      text.refuse(error.what(), reader.allowed());
    }
  });
}

bool read_addresses(const ValueReader& reader, std::vector<std::string>& addresses) {
  const std::string allowed = "IP address";
  if (reader.node().kind != Element::Kind::sequence) {
    return read_address(reader, addresses);
  }
  bool good = reader.require_at_most(most_addresses);
  for (std::size_t index = 0; good && index < reader.node().items.size(); ++index) {
    good = read_address(reader.item(index, allowed), addresses);
  }
  return good;
}

bool read_override(const ValueReader& reader, ResolveOverride entry) {
  if (!read_addresses(reader, entry.addresses)) {
    return false;
  }
  auto& all = reader.draft().connection.settings.resolve;
  std::erase_if(all, [&](const ResolveOverride& other) {
    return other.host == entry.host && other.port == entry.port;
  });
  if (!entry.addresses.empty()) {
    all.push_back(std::move(entry));
  }
  return true;
}

/// A host as it stands in a URL. Throws UrlError.
std::string parse_url_host(const std::string& text) {
  Authority authority = parse_authority(text);
  if (authority.port || !authority.user_info.empty()) {
    throw UrlError("only the host of a URL stands here");
  }
  return std::move(authority.host);
}

std::string twice(std::size_t line) {
  return "is given twice (case does not matter), first on line " + std::to_string(line);
}

}  // namespace

bool read_urls(const ValueReader& reader) {
  std::vector<Template> sources;
  std::vector<Url> urls;
  bool good = true;
  if (reader.node().kind == Element::Kind::sequence) {
    if (reader.node().items.empty()) {
      reader.complain("is empty; allowed: " + reader.allowed());
      return false;
    }
    good = reader.require_at_most(most_urls);
    for (std::size_t index = 0; index < std::min(reader.node().items.size(), most_urls); ++index) {
      good = read_url(reader.item(index, "ws:// or wss:// URL"), sources, urls) && good;
    }
  } else {
    good = read_url(reader, sources, urls);
  }
  reader.draft().connection.urls = std::move(sources);
  if (good) {
    reader.draft().urls = std::move(urls);
  }
  return good;
}

bool read_headers(const ValueReader& reader) {
  if (!reader.require(Element::Kind::map)) {
    return false;
  }
  bool good = true;
  std::map<std::string, std::size_t> first_lines;
  for_each_entry(reader.node(), reader.path(), reader.problems(),
                 [&](const Element& name, const Element& value) {
                   const std::string path = joined_key(reader.path(), name.value);
                   const auto [first, is_new] =
                       first_lines.emplace(folded(name.value), name.place.line);
                   if (!is_new) {
                     reader.problems().add(name.place, path, twice(first->second));
                   }
                   good = is_new && read_header(reader.inside(value, path, "text"), name) && good;
                 });
  return good;
}

bool read_strings(const ValueReader& reader, const StringsValue& value) {
  if (!reader.require(Element::Kind::sequence) || !reader.require_at_most(most_strings)) {
    return false;
  }
  std::vector<std::string> strings;
  bool good = true;
  for (std::size_t index = 0; index < reader.node().items.size(); ++index) {
    good = read_string(reader.item(index, "text"), value, strings) && good;
  }
  value.member(reader.draft()) = std::move(strings);
  return good;
}

bool read_faults(const ValueReader& reader, const FaultsValue& value) {
  if (!reader.require(Element::Kind::sequence) || !reader.require_at_most(value.names.size())) {
    return false;
  }
  std::vector<CertificateFault> faults;
  bool good = true;
  for (std::size_t index = 0; index < reader.node().items.size(); ++index) {
    const ValueReader item = reader.item(index, joined(value.names, "or"));
    good = item.scalar([&](const Scalar& text) {
      const auto fault = static_cast<CertificateFault>(read_name(item, text, value.names));
      if (std::ranges::find(faults, fault) != faults.end()) {
        text.refuse("is in the list twice", "");
      }
      faults.push_back(fault);
    }) && good;
  }
  std::ranges::sort(faults);
  value.member(reader.draft()) = std::move(faults);
  return good;
}

bool read_code_rules(const ValueReader& reader, const CodeRulesValue& value) {
  if (!reader.require(Element::Kind::map) || !reader.require_at_most(most_rules)) {
    return false;
  }
  bool good = true;
  for_each_entry(
      reader.node(), reader.path(), reader.problems(),
      [&](const Element& codes, const Element& verdict) {
        const std::string path = joined_key(reader.path(), codes.value);
        good = read_rule(reader.inside(verdict, path, "retry, slow or stop"), value, codes) && good;
      });
  return good;
}

bool read_resolve(const ValueReader& reader) {
  if (!reader.require(Element::Kind::map) || !reader.require_at_most(most_overrides)) {
    return false;
  }
  bool good = true;
  std::map<std::tuple<std::string, std::uint16_t>, std::size_t> first_lines;
  const auto read = [&](const Element& host, const Element& value) {
    const std::string path = joined_key(reader.path(), host.value);
    try {
      ResolveOverride entry = parse_override_key(host.value);
      const auto [first, is_new] =
          first_lines.emplace(std::tuple(entry.host, entry.port), host.place.line);
      if (!is_new) {
        throw UrlError(twice(first->second));
      }
      good = read_override(reader.inside(value, path, "IP address, or a list of up to 16"),
                           std::move(entry)) &&
             good;
    } catch (const UrlError& error) {
      reader.problems().add(host.place, path, error.what());
      good = false;
    }
  };
  for_each_entry(reader.node(), reader.path(), reader.problems(), read);
  return good;
}

bool read_host_rates(const ValueReader& reader) {
  if (!reader.require(Element::Kind::map) || !reader.require_at_most(most_hosts)) {
    return false;
  }
  bool good = true;
  std::map<std::string, std::size_t> first_lines;
  auto& hosts = reader.draft().config.connects.hosts;
  const auto read = [&](const Element& name, const Element& value) {
    const std::string path = joined_key(reader.path(), name.value);
    try {
      const std::string host = parse_url_host(name.value);
      const auto [first, is_new] = first_lines.emplace(host, name.place.line);
      if (!is_new) {
        throw UrlError(twice(first->second));
      }
      const ValueReader inside = reader.inside(value, path, type_text(RateValue{}));
      good = inside.scalar([&](const Scalar& text) {
        hosts.emplace_back(host, inside.rate(text));
      }) && good;
    } catch (const UrlError& error) {
      reader.problems().add(name.place, path, error.what());
      good = false;
    }
  };
  for_each_entry(reader.node(), reader.path(), reader.problems(), read);
  return good;
}

}  // namespace wskeep::config
