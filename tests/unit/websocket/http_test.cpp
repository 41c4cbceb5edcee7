#include "websocket/http.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;
using Kind = HttpReader::Kind;
using Status = HttpReader::Status;
using Error = HttpReader::Error;

/// Reads at every split; all must agree. Returns the last.
HttpReader::Result read_everywhere(HttpReader& reader, std::string_view text) {
  const Bytes bytes = bytes_of(text);
  reader.reset();
  HttpReader::Result whole = reader.read(bytes);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    reader.reset();
    HttpReader::Result result = reader.read(std::span(bytes).first(cut));
    std::size_t consumed = result.consumed;
    if (result.status == Status::incomplete) {
      EXPECT_EQ(consumed, cut);
      result = reader.read(std::span(bytes).subspan(cut));
      consumed += result.consumed;
    }
    EXPECT_EQ(result.status, whole.status) << cut;
    EXPECT_EQ(result.error, whole.error) << cut;
    if (whole.status == Status::complete) {
      EXPECT_EQ(consumed, whole.consumed) << cut;
    }
  }
  return whole;
}

constexpr std::string_view switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

TEST(HttpReader, RequestAndWhatFollowsIt) {
  HttpReader reader(Kind::request, {});
  const std::string first = "GET /v1/x?a=b HTTP/1.1\r\nHost: a\r\nX-Y:  z \r\n\r\n";
  const auto result = read_everywhere(reader, first + "GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(result.status, Status::complete);
  EXPECT_EQ(result.consumed, first.size());
  EXPECT_EQ(reader.head().method, "GET");
  EXPECT_EQ(reader.head().target, "/v1/x?a=b");
  EXPECT_EQ(reader.head().version, 11U);
  EXPECT_TRUE(reader.head().keep_alive);
  ASSERT_NE(reader.head().find("x-y"), nullptr);
  EXPECT_EQ(*reader.head().find("x-y"), "z");
  EXPECT_EQ(reader.read(bytes_of("more")).consumed, 0U);
}

TEST(HttpReader, FramesBehindThe101AreTheCallers) {
  HttpReader reader(Kind::response, {});
  const auto result = read_everywhere(reader, std::string(switching) + "\x81\x01x");
  EXPECT_EQ(result.status, Status::complete);
  EXPECT_EQ(result.consumed, switching.size());
  EXPECT_EQ(reader.head().status, 101U);
  EXPECT_EQ(reader.head().reason, "Switching Protocols");
}

TEST(HttpReader, A101HasNoBodyWhateverItSays) {
  HttpReader reader(Kind::response, {});
  const std::string head = "HTTP/1.1 101 X\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(read_everywhere(reader, head + "\x81\x03"
                                           "abc")
                .consumed,
            head.size());
}

TEST(HttpReader, InterimResponsesAreSkipped) {
  HttpReader reader(Kind::response, {});
  const std::string interim =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  const auto result = read_everywhere(reader, interim + std::string(switching) + "tail");
  EXPECT_EQ(result.status, Status::complete);
  EXPECT_EQ(result.consumed, interim.size() + switching.size());
  EXPECT_EQ(reader.head().status, 101U);
  EXPECT_EQ(reader.head().find("link"), nullptr);

  std::string endless;
  for (int i = 0; i < 100; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(read_everywhere(reader, endless).error, Error::head_too_large);
}

TEST(HttpReader, Bodies) {
  HttpReader request(Kind::request, {});
  const std::string post = "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
  EXPECT_EQ(read_everywhere(request, post + "GET").consumed, post.size());
  EXPECT_EQ(request.body(), "hello");

  const std::string chunked =
      "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\nA "
      "\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
  EXPECT_EQ(read_everywhere(request, chunked + "GET").consumed, chunked.size());
  EXPECT_EQ(request.body(), "hello0123456789");

  HttpReader response(Kind::response, {});
  EXPECT_EQ(read_everywhere(response, "HTTP/1.1 200 OK\r\n\r\nto the end").status,
            Status::incomplete);
  EXPECT_TRUE(response.head_complete());
  EXPECT_EQ(response.finish().status, Status::complete);
  EXPECT_EQ(response.body(), "to the end");
}

TEST(HttpReader, RefusalWithAnEndlessBody) {
  HttpReader reader(Kind::response, {.head = 1000, .body = 100});
  for (const std::string framing :
       {"", "Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const std::string chunk = framing.starts_with('T') ? "3e8\r\n" : "";
    const auto result = read_everywhere(
        reader, "HTTP/1.1 403 Forbidden\r\n" + framing + "\r\n" + chunk + std::string(300, 'x'));
    EXPECT_EQ(result.error, Error::body_too_large) << framing;
    EXPECT_TRUE(reader.head_complete());
    EXPECT_EQ(reader.head().status, 403U);
    EXPECT_EQ(reader.body(), std::string(100, 'x'));
  }
}

TEST(HttpReader, RequestTooLongIsRefusedAtItsHead) {
  HttpReader reader(Kind::request, {.head = 1000, .body = 100});
  const auto result =
      reader.read(bytes_of("POST / HTTP/1.1\r\nContent-Length: 9000000000000000\r\n\r\n"));
  EXPECT_EQ(result.error, Error::body_too_large);
  EXPECT_TRUE(reader.head_complete());
}

TEST(HttpReader, HeadLimitIsExact) {
  const std::string start = "HTTP/1.1 101 X\r\nA: ";
  const std::string end = "\r\n\r\n";
  HttpReader reader(Kind::response, {});
  for (const std::size_t size : {8191U, 8192U, 8193U}) {
    reader.reset();
    const std::string head = start + std::string(size - start.size() - end.size(), 'a') + end;
    const auto result = reader.read(bytes_of(head));
    EXPECT_EQ(result.status, size <= 8192 ? Status::complete : Status::error) << size;
    EXPECT_EQ(result.error, size <= 8192 ? Error::none : Error::head_too_large) << size;
  }
}

// Beast by itself would take this for ever: its limit counts only what it has not yet taken.
TEST(HttpReader, EndlessHeadLineByLine) {
  HttpReader reader(Kind::response, {});
  HttpReader::Result result = reader.read(bytes_of("HTTP/1.1 200 OK\r\n"));
  for (int i = 0; i < 1000 && result.status == Status::incomplete; ++i)
    result = reader.read(bytes_of("A: 0123456789\r\n"));
  EXPECT_EQ(result.error, Error::head_too_large);
}

TEST(HttpReader, EndlessTrailersAndExtensions) {
  HttpReader reader(Kind::response, {});
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(reader.read(bytes_of(head + "1;" + std::string(9000, 'x'))).error,
            Error::head_too_large);
  reader.reset();
  std::string trailers = head + "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "A: 0123456789\r\n";
  EXPECT_EQ(reader.read(bytes_of(trailers)).error, Error::head_too_large);
}

TEST(HttpReader, GarbageIsACleanError) {
  HttpReader response(Kind::response, {});
  HttpReader request(Kind::request, {});
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail ESMTP\r\n", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1234567890123456\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    EXPECT_EQ(read_everywhere(response, text).error, Error::malformed) << text;
  }
  for (const std::string_view text :
       {"\x16\x03\x01\x02", "\x81\x05hello", " GET / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "AVERYVERYVERYVERYVERYLONGMETHODNAME / HTTP/1.1\r\n\r\n"}) {
    EXPECT_EQ(read_everywhere(request, text).error, Error::malformed) << text;
  }
}

TEST(HttpReader, ClosedWithin) {
  HttpReader reader(Kind::response, {});
  for (const std::string_view text :
       {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"}) {
    reader.reset();
    reader.read(bytes_of(text));
    EXPECT_EQ(reader.finish().error, Error::truncated) << text;
  }
}

TEST(HttpHead, ListsAndTokens) {
  HttpHead head;
  head.fields = {{"Connection", "keep-alive, Upgrade"}, {"connection", " x ,,y"}, {"Other", "1"}};
  EXPECT_TRUE(head.has_token("connection", "upgrade"));
  EXPECT_FALSE(head.has_token("connection", "grade"));
  EXPECT_EQ(head.elements("CONNECTION"),
            (std::vector<std::string_view>{"keep-alive", "Upgrade", "x", "y"}));
  EXPECT_EQ(head.values("connection").size(), 2U);
  EXPECT_EQ(head.find("absent"), nullptr);
}

TEST(HttpText, WrittenMessagesAreReadBack) {
  HttpHead head;
  head.method = "POST";
  head.target = "/a?b";
  head.fields = {{"Host", "h"}};
  EXPECT_EQ(write_request(head, "xy"),
            "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy");
  HttpHead response;
  response.status = 404;
  EXPECT_EQ(write_response(response, "no"),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  response.status = 204;
  EXPECT_EQ(write_response(response), "HTTP/1.1 204 No Content\r\n\r\n");
  response.status = 200;
  response.reason = "Fine";
  response.fields = {{"Transfer-Encoding", "chunked"}};
  EXPECT_EQ(write_response(response), "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(HttpText, NothingThatWouldBreakTheMessageIsWritten) {
  const auto with_field = [](std::string name, std::string value) {
    HttpHead head;
    head.method = "GET";
    head.target = "/";
    head.fields = {{std::move(name), std::move(value)}};
    return head;
  };
  EXPECT_THROW(static_cast<void>(write_request(with_field("A", "b\r\nC: d"))),
               std::invalid_argument);
  EXPECT_THROW(static_cast<void>(write_request(with_field("A", "b\nC"))), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(write_request(with_field("A", std::string("b\0c", 3)))),
               std::invalid_argument);
  EXPECT_THROW(static_cast<void>(write_request(with_field("A b", "c"))), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(write_request(with_field("", "c"))), std::invalid_argument);
  EXPECT_NO_THROW(static_cast<void>(write_request(with_field("A", "b\tc \xC3\xA9"))));
  HttpHead head = with_field("A", "b");
  head.target = "/ HTTP/1.1\r\nX: y";
  EXPECT_THROW(static_cast<void>(write_request(head)), std::invalid_argument);
  head.target = "/";
  head.method = "GET /";
  EXPECT_THROW(static_cast<void>(write_request(head)), std::invalid_argument);
}

}  // namespace
}  // namespace wskeep::websocket
