#include "config/template_function.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "config/characters.hpp"
#include "config/source.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

constexpr std::array<std::string_view, 4> encodings{"hex", "base64", "base64url", "raw"};
/// What with_length() puts a length into.
constexpr std::array<std::string_view, 4> lengths{"uint8", "uint16", "uint32", "varint"};
constexpr int most_random_bytes = 1024;

constexpr std::array<FunctionShape, 29> shapes{{
    {Function::add, "add", 2, 2, "add(a, b)"},
    {Function::base64, "base64", 1, 1, "base64(text)"},
    {Function::base64_decode, "base64_decode", 1, 1, "base64_decode(text)"},
    {Function::base64url, "base64url", 1, 1, "base64url(text)"},
    {Function::concat, "concat", 1, FunctionShape::any, "concat(a, b, ...)"},
    {Function::credential, "credential", 1, 1, "credential('NAME')"},
    {Function::default_, "default", 2, 2, "default(value, other)"},
    {Function::env, "env", 1, 1, "env('NAME')"},
    {Function::file, "file", 1, 1, "file('PATH')"},
    {Function::hex, "hex", 1, 1, "hex(text)"},
    {Function::hex_decode, "hex_decode", 1, 1, "hex_decode(text)"},
    {Function::hmac_sha256, "hmac_sha256", 2, 3, "hmac_sha256(key, text, 'hex')"},
    {Function::hmac_sha512, "hmac_sha512", 2, 3, "hmac_sha512(key, text, 'hex')"},
    {Function::json, "json", 1, 1, "json(text)"},
    {Function::jwt_eddsa, "jwt_eddsa", 2, 3, "jwt_eddsa(key_pem, claims_json, header_json)"},
    {Function::jwt_es256, "jwt_es256", 2, 3, "jwt_es256(key_pem, claims_json, header_json)"},
    {Function::jwt_hs256, "jwt_hs256", 2, 3, "jwt_hs256(key, claims_json, header_json)"},
    {Function::lower, "lower", 1, 1, "lower(text)"},
    {Function::max, "max", 2, 2, "max(a, b)"},
    {Function::random_hex, "random_hex", 1, 1, "random_hex(bytes)"},
    {Function::sha256, "sha256", 1, 2, "sha256(text, 'hex')"},
    {Function::time_ms, "time_ms", 0, 0, "time_ms()"},
    {Function::time_rfc3339, "time_rfc3339", 0, 1, "time_rfc3339(offset_seconds)"},
    {Function::time_s, "time_s", 0, 0, "time_s()"},
    {Function::time_us, "time_us", 0, 0, "time_us()"},
    {Function::upper, "upper", 1, 1, "upper(text)"},
    {Function::url, "url", 1, 1, "url(text)"},
    {Function::uuid, "uuid", 0, 0, "uuid()"},
    {Function::with_length, "with_length", 2, 2, "with_length(text, 'uint16')"},
}};

// The evaluation finds a function's code by its number.
constexpr bool in_order() {
  for (std::size_t index = 0; index < shapes.size(); ++index) {
    if (static_cast<std::size_t>(shapes[index].function) != index) {
      return false;
    }
  }
  return static_cast<std::size_t>(Function::with_length) + 1 == shapes.size();
}
static_assert(in_order());

[[noreturn]] void refuse(std::size_t offset, const FunctionShape& shape,
                         const std::string& complaint) {
  throw TemplateError(offset, std::string(shape.name) + " " + complaint + "; it is written " +
                                  std::string(shape.usage));
}

std::string counted(std::size_t number) {
  return std::to_string(number) + (number == 1 ? " argument" : " arguments");
}

void check_count(const Expression& call, const FunctionShape& shape) {
  const std::size_t found = call.arguments.size();
  if (found >= shape.least && found <= shape.most) {
    return;
  }
  std::string takes;
  if (shape.most == FunctionShape::any) {
    takes = "at least " + counted(shape.least);
  } else if (shape.most == 0) {
    takes = "no argument";
  } else if (shape.least == shape.most) {
    takes = counted(shape.least);
  } else {
    takes = std::to_string(shape.least) + " or " + counted(shape.most);
  }
  refuse(call.offset, shape, "takes " + takes + ", not " + std::to_string(found));
}

void check_one_of(std::span<const std::string_view> words, const std::string& listed,
                  const Expression& argument, const FunctionShape& shape) {
  const bool known = argument.kind == Expression::Kind::text &&
                     std::ranges::find(words, argument.text) != words.end();
  if (!known) {
    refuse(argument.offset, shape, "needs " + listed + " as its last argument");
  }
}

// Read when the configuration is loaded, so they must be known then.
void check_source(const Expression& argument, const FunctionShape& shape) {
  const bool text = argument.kind == Expression::Kind::text;
  if (shape.function == Function::env && !(text && is_variable_name(argument.text))) {
    refuse(argument.offset, shape, "needs a name of letters, digits and _ in quotes");
  }
  if (shape.function == Function::credential && !(text && is_credential_name(argument.text))) {
    refuse(argument.offset, shape, "needs the name of a file, without '/', in quotes");
  }
  if (shape.function == Function::file &&
      !(text && !argument.text.empty() && !has_control(argument.text))) {
    refuse(argument.offset, shape, "needs a path without control characters in quotes");
  }
}

void check_random_size(const Expression& argument, const FunctionShape& shape) {
  int bytes = 0;
  const std::string& text = argument.text;
  const bool number =
      argument.kind == Expression::Kind::number &&
      std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc();
  if (!number || bytes < 1 || bytes > most_random_bytes) {
    refuse(argument.offset, shape, "needs a number from 1 to " + std::to_string(most_random_bytes));
  }
}

}  // namespace

std::span<const FunctionShape> functions() {
  return shapes;
}

const FunctionShape* find_function(std::string_view name) {
  const auto found = std::ranges::find(shapes, name, &FunctionShape::name);
  return found == shapes.end() ? nullptr : &*found;
}

void check_call(const Expression& call, const FunctionShape& shape) {
  check_count(call, shape);
  switch (shape.function) {
    case Function::hmac_sha256:
    case Function::hmac_sha512:
    case Function::sha256:
      if (call.arguments.size() == shape.most) {
        check_one_of(encodings, "'hex', 'base64', 'base64url' or 'raw'", call.arguments.back(),
                     shape);
      }
      break;
    case Function::credential:
    case Function::env:
    case Function::file:
      check_source(call.arguments.front(), shape);
      break;
    case Function::random_hex:
      check_random_size(call.arguments.front(), shape);
      break;
    case Function::with_length:
      check_one_of(lengths, "'uint8', 'uint16', 'uint32' or 'varint'", call.arguments.back(),
                   shape);
      break;
    default:
      break;
  }
}

}  // namespace wskeep::config
