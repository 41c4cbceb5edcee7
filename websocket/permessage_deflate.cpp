#include "websocket/permessage_deflate.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "websocket/header_text.hpp"

namespace wskeep::websocket {
namespace {

constexpr std::string_view extension_name = "permessage-deflate";
constexpr std::string_view server_takeover = "server_no_context_takeover";
constexpr std::string_view client_takeover = "client_no_context_takeover";
constexpr std::string_view server_bits = "server_max_window_bits";
constexpr std::string_view client_bits = "client_max_window_bits";

struct Parameter {
  std::string_view name;
  std::optional<std::string> value;
};

struct Extension {
  std::string_view name;
  std::vector<Parameter> parameters;
};

/// Reads the grammar of RFC 6455, section 9.1.
class ExtensionListReader {
 public:
  explicit ExtensionListReader(std::string_view text) : text_(text) {}

  /// False if the text is not of that grammar.
  bool read(std::vector<Extension>& extensions) {
    do {
      skip_space();
      if (text_.empty() || text_.front() == ',') continue;  // a list may have empty elements
      Extension& extension = extensions.emplace_back();
      extension.name = token();
      if (extension.name.empty()) return false;
      while (take(';')) {
        if (!read_parameter(extension)) return false;
      }
    } while (take(','));
    skip_space();
    return text_.empty();
  }

 private:
  bool read_parameter(Extension& extension) {
    skip_space();
    Parameter& parameter = extension.parameters.emplace_back();
    parameter.name = token();
    if (parameter.name.empty()) return false;
    if (!take('=')) return true;
    skip_space();
    parameter.value = text_.starts_with('"') ? quoted() : std::string(token());
    return !parameter.value->empty();
  }

  void skip_space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size())); }

  bool take(char wanted) {
    skip_space();
    if (!text_.starts_with(wanted)) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view token() {
    const auto* end = std::find_if_not(text_.begin(), text_.end(), is_token_character);
    const auto size = static_cast<std::size_t>(end - text_.begin());
    const std::string_view found = text_.substr(0, size);
    text_.remove_prefix(size);
    return found;
  }

  /// The content must be a token once it is unquoted, so that an escape is never needed; empty if
  /// it is not.
  std::string quoted() {
    text_.remove_prefix(1);
    const std::string_view found = token();
    if (!text_.starts_with('"')) return {};
    text_.remove_prefix(1);
    return std::string(found);
  }

  std::string_view text_;
};

/// Section 7.1.2: 8 to 15, no leading zero. 0 if it is not that.
int window_bits(const std::string& text) {
  if (text.size() == 1) return text == "8" ? 8 : text == "9" ? 9 : 0;
  if (text.size() != 2 || text[0] != '1' || text[1] < '0' || text[1] > '5') return 0;
  return 10 + (text[1] - '0');
}

/// The parameters of one permessage-deflate, in an offer or an answer, that are there.
struct Given {
  bool server_takeover = false;
  bool client_takeover = false;
  std::optional<int> server_bits;
  std::optional<int> client_bits;  ///< 0 if without a value
};

/// An empty text if all is well.
std::string read_parameter(const Parameter& parameter, bool in_offer, Given& given) {
  const std::string name(parameter.name);
  const auto flag = [&](bool& there) -> std::string {
    if (there) return name + " is there twice";
    there = true;
    return parameter.value ? name + " has a value" : "";
  };
  const auto bits = [&](std::optional<int>& there, bool value_needed) -> std::string {
    if (there) return name + " is there twice";
    there = parameter.value ? window_bits(*parameter.value) : 0;
    if (!parameter.value && !value_needed) return "";
    return *there == 0 ? name + " is not a number from 8 to 15" : "";
  };
  if (name == server_takeover) return flag(given.server_takeover);
  if (name == client_takeover) return flag(given.client_takeover);
  if (name == server_bits) return bits(given.server_bits, true);
  if (name == client_bits) return bits(given.client_bits, !in_offer);
  return "unknown parameter " + name;
}

std::string read_parameters(const Extension& extension, bool in_offer, Given& given) {
  for (const Parameter& parameter : extension.parameters) {
    if (std::string error = read_parameter(parameter, in_offer, given); !error.empty())
      return error;
  }
  return {};
}

std::string check_given(const DeflateParameters& offer, const Given& given) {
  if (offer.server_no_context_takeover && !given.server_takeover) {
    return "server_no_context_takeover was asked for and is missing";
  }
  if (given.server_bits.value_or(15) > offer.server_max_window_bits) {
    return "server_max_window_bits is missing or greater than asked for";
  }
  if (given.client_bits.value_or(8) > offer.client_max_window_bits) {
    return "client_max_window_bits is greater than offered";
  }
  return {};
}

void append_flag(std::string& text, std::string_view name, bool there) {
  if (there) text.append("; ").append(name);
}

void append_bits(std::string& text, std::string_view name, int bits) {
  text.append("; ").append(name).append("=").append(std::to_string(bits));
}

std::optional<DeflateChoice> choose(const Given& asked, const DeflateParameters& preferred) {
  DeflateChoice choice;
  DeflateParameters& agreed = choice.agreed;
  agreed.server_no_context_takeover = asked.server_takeover || preferred.server_no_context_takeover;
  agreed.client_no_context_takeover = asked.client_takeover || preferred.client_no_context_takeover;
  agreed.server_max_window_bits =
      std::min(asked.server_bits.value_or(15), preferred.server_max_window_bits);
  if (asked.client_bits) {
    const int can = *asked.client_bits == 0 ? 15 : *asked.client_bits;
    agreed.client_max_window_bits = std::min(can, preferred.client_max_window_bits);
  }
  choice.header = extension_name;
  append_flag(choice.header, server_takeover, agreed.server_no_context_takeover);
  append_flag(choice.header, client_takeover, agreed.client_no_context_takeover);
  if (asked.server_bits || agreed.server_max_window_bits < 15) {
    append_bits(choice.header, server_bits, agreed.server_max_window_bits);
  }
  // Only what the offer says it understands may be answered (section 7.1.2.2).
  if (asked.client_bits && agreed.client_max_window_bits < 15) {
    append_bits(choice.header, client_bits, agreed.client_max_window_bits);
  }
  return choice;
}

}  // namespace

std::string write_deflate_offer(const DeflateParameters& offer) {
  std::string text(extension_name);
  append_flag(text, server_takeover, offer.server_no_context_takeover);
  append_flag(text, client_takeover, offer.client_no_context_takeover);
  if (offer.server_max_window_bits < 15)
    append_bits(text, server_bits, offer.server_max_window_bits);
  if (offer.client_max_window_bits < 15) {
    append_bits(text, client_bits, offer.client_max_window_bits);
  } else {
    append_flag(text, client_bits, true);
  }
  return text;
}

DeflateAnswer check_deflate_answer(const DeflateParameters& offer,
                                   std::span<const std::string_view> values) {
  std::vector<Extension> extensions;
  for (const std::string_view value : values) {
    if (!ExtensionListReader(value).read(extensions)) {
      return {std::nullopt, "badly written: " + std::string(value)};
    }
  }
  if (extensions.empty()) return {};
  if (extensions.size() > 1) return {std::nullopt, "more than one extension"};
  if (!equal_ignoring_case(extensions[0].name, extension_name)) {
    return {std::nullopt, std::string(extensions[0].name) + " was not offered"};
  }
  Given given;
  std::string error = read_parameters(extensions[0], false, given);
  if (error.empty()) error = check_given(offer, given);
  if (!error.empty()) return {std::nullopt, std::move(error)};
  DeflateParameters agreed;
  agreed.server_no_context_takeover = given.server_takeover;
  // Ours to decide, and what we said in the offer still holds (section 7.1.1.2).
  agreed.client_no_context_takeover = given.client_takeover || offer.client_no_context_takeover;
  agreed.server_max_window_bits = given.server_bits.value_or(15);
  agreed.client_max_window_bits = given.client_bits.value_or(offer.client_max_window_bits);
  return {agreed, {}};
}

std::optional<DeflateChoice> choose_deflate(std::span<const std::string_view> values,
                                            const DeflateParameters& preferred) {
  std::vector<Extension> extensions;
  for (const std::string_view value : values) {
    if (!ExtensionListReader(value).read(extensions)) return std::nullopt;
  }
  for (const Extension& extension : extensions) {
    Given asked;
    if (equal_ignoring_case(extension.name, extension_name) &&
        read_parameters(extension, true, asked).empty()) {
      return choose(asked, preferred);
    }
  }
  return std::nullopt;
}

}  // namespace wskeep::websocket
