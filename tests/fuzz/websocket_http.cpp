// HttpReader, both kinds: whole and in pieces must come to the same; what it takes for a message
// can be judged as an upgrade. The first byte says which kind and how the input is cut.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "websocket/http.hpp"
#include "websocket/permessage_deflate.hpp"
#include "websocket/upgrade.hpp"

namespace {

using namespace wskeep::websocket;

constexpr HttpReader::Limits limits{.head = 512, .body = 64};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  HttpReader::Status status = HttpReader::Status::incomplete;
  HttpReader::Error error = HttpReader::Error::none;
  std::size_t consumed = 0;  ///< when complete
  std::string body;
  std::size_t fields = 0;
  bool operator==(const Outcome&) const = default;
};

void judge(HttpReader::Kind kind, const HttpHead& head) {
  if (kind == HttpReader::Kind::request) {
    const UpgradeCheck check = check_upgrade_request(head);
    require(check.ok == (check.status == 101));
    if (auto choice = choose_deflate(head.values("sec-websocket-extensions"), {})) {
      const std::string_view answer = choice->header;
      const DeflateAnswer checked = check_deflate_answer({}, {&answer, 1});
      require(checked.error.empty() && checked.agreed == choice->agreed);
    }
    return;
  }
  UpgradeRequest request;
  request.subprotocols = {"a"};
  request.compression.emplace();
  request.key = "dGhlIHNhbXBsZSBub25jZQ==";
  const UpgradeResult result = check_upgrade_response(request, head);
  require(result.accepted == (result.error == UpgradeError::none));
  require(result.accepted || !result.text.empty());
}

Outcome read(std::span<const std::byte> input, HttpReader::Kind kind, std::size_t longest_piece) {
  HttpReader reader(kind, limits);
  Outcome outcome;
  while (!input.empty() && outcome.status == HttpReader::Status::incomplete) {
    const std::size_t size = std::min(longest_piece, input.size());
    const HttpReader::Result result = reader.read(input.first(size));
    require(result.consumed <= size);
    require(result.consumed == size || result.status != HttpReader::Status::incomplete);
    outcome.status = result.status;
    outcome.error = result.error;
    outcome.consumed += result.consumed;
    input = input.subspan(size);
  }
  if (outcome.status == HttpReader::Status::incomplete) outcome.error = reader.finish().error;
  if (outcome.status != HttpReader::Status::complete) outcome.consumed = 0;
  require(reader.body().size() <= limits.body);
  outcome.body = reader.body();
  outcome.fields = reader.head().fields.size();
  if (reader.head_complete()) judge(kind, reader.head());
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto kind = (data[0] & 1U) != 0 ? HttpReader::Kind::request : HttpReader::Kind::response;
  const std::size_t longest_piece = 1U + (data[0] >> 1U);
  const Outcome whole = read(input, kind, input.size());
  const Outcome pieces = read(input, kind, longest_piece);
  // What is wrong with a head can be told at different bytes of it, and then differ; that it is
  // wrong cannot.
  require(whole.status == pieces.status && whole.consumed == pieces.consumed &&
          whole.fields == pieces.fields);
  require(whole.body == pieces.body);
  return 0;
}
