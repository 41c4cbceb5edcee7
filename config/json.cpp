#include "config/json.hpp"

namespace wskeep::config {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_plain_in_string(char c) {
  return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
}

}  // namespace

bool JsonScanner::take(char c) {
  switch (state_) {
    case State::string:
    case State::escape:
    case State::hex:
      return take_in_string(c);
    case State::minus:
    case State::zero:
    case State::integer:
    case State::point:
    case State::fraction:
    case State::exponent:
    case State::exponent_sign:
    case State::exponent_digits:
      return take_in_number(c);
    case State::word:
      return take_in_word(c);
    default:
      return is_space(c) || take_between(c);
  }
}

// Most of a message is the insides of strings and numbers. Flat, this takes a third less time.
[[gnu::flatten]] std::size_t JsonScanner::take(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (state_ == State::string) {
      while (at < text.size() && is_plain_in_string(text[at])) {
        ++at;
      }
    } else if (state_ == State::integer || state_ == State::fraction) {
      while (at < text.size() && is_digit(text[at])) {
        ++at;
      }
    }
    if (at == text.size() || !take(text[at])) {
      return at;
    }
  }
  return text.size();
}

bool JsonScanner::take_value() {
  if (state_ != State::value && state_ != State::value_or_end) {
    return false;
  }
  end_value();
  return true;
}

bool JsonScanner::take_in_string(char c) {
  constexpr std::string_view escapes = "\"\\/bfnrt";
  if (state_ == State::hex) {
    if (!is_hex_digit(c)) {
      return false;
    }
    if (--digits_ == 0) {
      state_ = State::string;
    }
    return true;
  }
  if (state_ == State::escape) {
    if (c == 'u') {
      state_ = State::hex;
      digits_ = 4;
      return true;
    }
    if (escapes.find(c) == std::string_view::npos) {
      return false;
    }
    state_ = State::string;
    return true;
  }
  if (c == '"') {
    state_ = name_ ? State::colon : State::after_value;
  } else if (c == '\\') {
    state_ = State::escape;
  } else if (static_cast<unsigned char>(c) < 0x20) {
    return false;
  }
  return true;
}

bool JsonScanner::take_in_number(char c) {
  if (is_digit(c)) {
    switch (state_) {
      case State::zero:
        return false;
      case State::minus:
        state_ = c == '0' ? State::zero : State::integer;
        return true;
      case State::point:
        state_ = State::fraction;
        return true;
      case State::exponent:
      case State::exponent_sign:
        state_ = State::exponent_digits;
        return true;
      default:
        return true;
    }
  }
  const bool whole = state_ == State::zero || state_ == State::integer;
  if (c == '.' && whole) {
    state_ = State::point;
    return true;
  }
  if ((c == 'e' || c == 'E') && (whole || state_ == State::fraction)) {
    state_ = State::exponent;
    return true;
  }
  if ((c == '+' || c == '-') && state_ == State::exponent) {
    state_ = State::exponent_sign;
    return true;
  }
  if (!number_may_end()) {
    return false;
  }
  return is_space(c) ? (end_value(), true) : take_after_value(c);
}

bool JsonScanner::take_in_word(char c) {
  if (c != word_.front()) {
    return false;
  }
  word_.remove_prefix(1);
  if (word_.empty()) {
    end_value();
  }
  return true;
}

bool JsonScanner::take_between(char c) {
  switch (state_) {
    case State::colon:
      if (c != ':') {
        return false;
      }
      state_ = State::value;
      return true;
    case State::name:
    case State::name_or_end:
      if (c == '"') {
        name_ = true;
        state_ = State::string;
        return true;
      }
      return state_ == State::name_or_end && close(c);
    case State::value_or_end:
      return c == ']' ? close(c) : begin_value(c);
    case State::value:
      return begin_value(c);
    default:
      return take_after_value(c);
  }
}

bool JsonScanner::take_after_value(char c) {
  if (c == ',' && depth_ > 0) {
    state_ = in_object() ? State::name : State::value;
    return true;
  }
  return close(c);
}

bool JsonScanner::begin_value(char c) {
  if (c == '{' || c == '[') {
    return open(c);
  }
  if (c == '"') {
    name_ = false;
    state_ = State::string;
  } else if (c == '-') {
    state_ = State::minus;
  } else if (is_digit(c)) {
    state_ = c == '0' ? State::zero : State::integer;
  } else if (c == 't' || c == 'f' || c == 'n') {
    word_ = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
    state_ = State::word;
  } else {
    return false;
  }
  return true;
}

bool JsonScanner::open(char c) {
  if (depth_ == max_depth) {
    return false;
  }
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  std::uint64_t& word = objects_[depth_ / 64];
  word = c == '{' ? word | bit : word & ~bit;
  ++depth_;
  state_ = c == '{' ? State::name_or_end : State::value_or_end;
  return true;
}

bool JsonScanner::close(char c) {
  if (depth_ == 0 || c != (in_object() ? '}' : ']')) {
    return false;
  }
  --depth_;
  end_value();
  return true;
}

bool JsonScanner::number_may_end() const noexcept {
  return state_ == State::zero || state_ == State::integer || state_ == State::fraction ||
         state_ == State::exponent_digits;
}

bool JsonScanner::complete() const noexcept {
  return depth_ == 0 && (state_ == State::after_value || number_may_end());
}

std::string_view JsonScanner::expected() const noexcept {
  switch (state_) {
    case State::value:
    case State::value_or_end:
      return depth_ == max_depth ? "less depth" : "a value";
    case State::name:
      return "a name in double quotes";
    case State::name_or_end:
      return "a name in double quotes, or '}'";
    case State::colon:
      return "':'";
    case State::string:
      return "the closing quote; a control character is written as \\n, \\t or \\u00XX";
    case State::escape:
      return "one of \" \\ / b f n r t u behind a backslash";
    case State::hex:
      return "four hexadecimal digits behind \\u";
    case State::word:
      return "true, false or null";
    case State::after_value:
    case State::zero:
    case State::integer:
    case State::fraction:
    case State::exponent_digits:
      return depth_ == 0 ? "the end" : in_object() ? "',' or '}'" : "',' or ']'";
    default:
      return "a digit";
  }
}

bool is_json(std::string_view text) {
  JsonScanner scanner;
  return scanner.take(text) == text.size() && scanner.complete();
}

void append_json_escaped(std::string& to, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : text) {
    switch (c) {
      case '"':
        to += "\\\"";
        break;
      case '\\':
        to += "\\\\";
        break;
      case '\n':
        to += "\\n";
        break;
      case '\r':
        to += "\\r";
        break;
      case '\t':
        to += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          to += "\\u00";
          to += digits[static_cast<unsigned char>(c) >> 4U];
          to += digits[static_cast<unsigned char>(c) & 0xFU];
        } else {
          to += c;
        }
    }
  }
}

}  // namespace wskeep::config
