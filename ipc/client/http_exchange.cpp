#include "ipc/client/http_exchange.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "ipc/client/error.hpp"
#include "websocket/http.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::ipc {

namespace {

using websocket::HttpReader;

constexpr std::size_t piece = 64U << 10U;

HttpReader make_reader() {
  // Thousands of connections with their certificates are a few MiB of JSON.
  return HttpReader(HttpReader::Kind::response, {.head = 64U << 10U, .body = 256U << 20U});
}

[[noreturn]] void throw_nonsense(const UnixSocket& socket, const std::string& detail) {
  throw ClientError(Fault::protocol, "what listens at " + socket.path() + " gave a wrong answer (" +
                                         detail + "): is that wskeepd, and of this version?");
}

/// True once the answer is there; `left` is then what came behind it.
bool read_piece(UnixSocket& socket, HttpReader& reader, bool stop_at_upgrade, std::string& left,
                Deadline deadline) {
  std::vector<std::byte> buffer(piece);
  const std::size_t count = socket.read_some(buffer, deadline);
  const std::span input = std::span(buffer).first(count);
  const HttpReader::Result result = count == 0 ? reader.finish() : reader.read(input);
  if (result.status == HttpReader::Status::error) {
    if (count == 0) {
      throw ClientError(Fault::closed, "the daemon at " + socket.path() +
                                           " went away without an answer: did it stop? "
                                           "(systemctl status wskeepd)");
    }
    throw_nonsense(socket, result.text);
  }
  const bool upgraded = stop_at_upgrade && reader.head_complete() && reader.head().status == 101;
  if (result.status != HttpReader::Status::complete && !upgraded) return false;
  const std::span behind = input.subspan(std::min(result.consumed, count));
  left.assign(reinterpret_cast<const char*>(behind.data()), behind.size());
  return true;
}

/// Writes; where the daemon no longer reads, the reason is kept for when it gives no answer at all.
std::optional<ClientError> write_request_bytes(UnixSocket& socket, std::string_view request,
                                               Deadline deadline) {
  try {
    socket.write_all(request, deadline);
  } catch (const ClientError& error) {
    if (error.fault() != Fault::closed) throw;
    return error;
  }
  return std::nullopt;
}

}  // namespace

HttpResponse exchange(UnixSocket& socket, std::string_view request, Deadline deadline) {
  const std::optional<ClientError> write_error = write_request_bytes(socket, request, deadline);
  HttpReader reader = make_reader();
  std::string left;
  try {
    while (!read_piece(socket, reader, false, left, deadline)) continue;
  } catch (const ClientError& error) {
    if (write_error && error.fault() == Fault::closed) throw *write_error;
    throw;
  }
  return {static_cast<int>(reader.head().status), reader.body()};
}

Upgraded upgrade(UnixSocket socket, const std::string& target, const std::string& subprotocol,
                 Deadline deadline) {
  std::array<std::byte, 16> random{};
  std::random_device device;
  for (std::byte& byte : random) byte = static_cast<std::byte>(device());
  websocket::UpgradeRequest request;
  request.host = "wskeep";
  request.target = target;
  request.subprotocols = {subprotocol};
  request.key = websocket::make_key(random);
  socket.write_all(websocket::write_upgrade_request(request), deadline);

  HttpReader reader = make_reader();
  std::string left;
  while (!read_piece(socket, reader, true, left, deadline)) continue;
  if (reader.head().status != 101) {
    throw Refusal(static_cast<int>(reader.head().status), reader.body());
  }
  const auto result = websocket::check_upgrade_response(request, reader.head());
  if (!result.accepted) throw_nonsense(socket, result.text);
  if (result.subprotocol != subprotocol) {
    throw_nonsense(socket, "it does not speak " + subprotocol);
  }
  return {std::move(socket), std::move(left)};
}

}  // namespace wskeep::ipc
