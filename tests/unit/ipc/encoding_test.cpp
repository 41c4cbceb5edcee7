#include "ipc/encoding.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "ipc/json_text.hpp"

namespace wskeep::ipc {
namespace {

std::string text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes(std::string_view view) {
  return std::as_bytes(std::span(view));
}

void append(ring::Ring& ring, std::uint8_t opcode, std::string_view payload,
            std::uint64_t time_ns) {
  std::string frame{static_cast<char>(0x80 | opcode), static_cast<char>(payload.size())};
  frame += payload;
  ring.make_room(frame.size());
  std::memcpy(ring.unwritten(), frame.data(), frame.size());
  ring.commit(opcode, 2, frame.size(), time_ns);
}

class EncodingTest : public testing::Test {
 protected:
  EncodingTest() {
    append(ring_, 1, "{\"a\":\"\xC3\xA9\"}", 1769860800123456789U);
    append(ring_, 2, std::string_view("\x00\x01\xFF", 3), 1769860800123456789U);
    append(ring_, 1, "", 5);
  }

  std::string encode(Encoding encoding, ring::Sequence from, ring::Sequence to) {
    Encoder encoder(encoding);
    std::vector<std::byte> output;
    for (ring::Sequence sequence = from; sequence <= to; ++sequence)
      encoder.append_message(output, ring_, sequence);
    return text(output);
  }

  ring::Ring ring_{{.history = 4096, .max_message = 100}, 1};
};

std::string encode_named(const ring::Ring& ring, Encoding encoding, Telling telling,
                         ring::Sequence sequence) {
  Encoder encoder(encoding, std::move(telling));
  std::vector<std::byte> output;
  encoder.append_message(output, ring, sequence);
  return text(output);
}

TEST_F(EncodingTest, ServerSentEventsHaveTheCursor) {
  EXPECT_EQ(encode(Encoding::sse, 1, 1), "id: 0000000000000001:1\ndata: {\"a\":\"\xC3\xA9\"}\n\n");
  EXPECT_EQ(encode(Encoding::sse, 2, 2), "id: 0000000000000001:2\nevent: binary\ndata: AAH/\n\n");
  EXPECT_EQ(encode(Encoding::sse, 3, 3), "id: 0000000000000001:3\ndata: \n\n");
  append(ring_, 1, "a\n\nb\n", 5);
  EXPECT_EQ(encode(Encoding::sse, 4, 4),
            "id: 0000000000000001:4\ndata: a\ndata: \ndata: b\ndata: \n\n");
  append(ring_, 1, "a\r\nb", 5);
  EXPECT_EQ(encode(Encoding::sse, 5, 5),
            "id: 0000000000000001:5\nevent: escaped\ndata: \"a\\r\\nb\"\n\n");
}

TEST_F(EncodingTest, OfManyConnectionsEachIsNamed) {
  const Telling named{.connection = "trades"};
  EXPECT_EQ(encode_named(ring_, Encoding::wskeep_v1, named, 3), "\x81\x0Btrades 3 5\n");
  const std::string json = R"({"connection":"trades","seq":3,"time_ns":5,"type":"text","data":""})";
  EXPECT_EQ(encode_named(ring_, Encoding::ndjson, named, 3), json + "\n");
  EXPECT_EQ(encode_named(ring_, Encoding::sse, named, 3), "data: " + json + "\n\n");
  std::vector<std::byte> output;
  Encoder(Encoding::ndjson, named).append_event(output, R"({"event":"gap","from":1,"to":2})");
  EXPECT_EQ(text(output), R"({"event":"gap","from":1,"to":2,"connection":"trades"})"
                          "\n");
  output.clear();
  Encoder(Encoding::sse, named).append_event(output, R"({"event":"gap","from":1,"to":2})");
  EXPECT_EQ(
      text(output),
      "event: gap\ndata: {\"event\":\"gap\",\"from\":1,\"to\":2,\"connection\":\"trades\"}\n\n");
}

TEST_F(EncodingTest, FramesAreThoseOfTheRing) {
  EXPECT_EQ(encode(Encoding::frames, 2, 3), std::string("\x82\x03\x00\x01\xFF\x81\x00", 7));
}

TEST_F(EncodingTest, ABatchWithNothingInItIsEmpty) {
  for (const Encoding encoding : {Encoding::ndjson, Encoding::sse}) {
    std::vector<std::byte> output;
    const Encoder encoder(encoding);
    encoder.begin(output);
    encoder.finish(output, 0);
    EXPECT_TRUE(output.empty()) << "a chunk of no bytes would end the answer";
  }
}

TEST_F(EncodingTest, V1HasALineThenThePayload) {
  const std::string line = "1 1769860800123456789\n";
  const std::string payload = line + "{\"a\":\"\xC3\xA9\"}";
  EXPECT_EQ(encode(Encoding::wskeep_v1, 1, 1),
            std::string("\x81") + static_cast<char>(payload.size()) + payload);
  const std::string binary = "2 1769860800123456789\n" + std::string("\x00\x01\xFF", 3);
  EXPECT_EQ(encode(Encoding::wskeep_v1, 2, 2),
            std::string("\x82") + static_cast<char>(binary.size()) + binary);
  EXPECT_EQ(encode(Encoding::wskeep_v1, 3, 3),
            "\x81\x04"
            "3 5\n");
}

TEST_F(EncodingTest, NdjsonIsOneObjectALine) {
  EXPECT_EQ(encode(Encoding::ndjson, 1, 3),
            "{\"seq\":1,\"time_ns\":1769860800123456789,\"type\":\"text\",\"data\":\"{\\\"a\\\":"
            "\\\"\xC3\xA9\\\"}\"}\n"
            "{\"seq\":2,\"time_ns\":1769860800123456789,\"type\":\"binary\",\"data\":\"AAH/\"}\n"
            "{\"seq\":3,\"time_ns\":5,\"type\":\"text\",\"data\":\"\"}\n");
}

TEST_F(EncodingTest, NdjsonIsFramedAsAChunk) {
  const Encoder encoder(Encoding::ndjson);
  std::vector<std::byte> output;
  encoder.begin(output);
  encoder.append_event(output, "{\"event\":\"x\"}");
  encoder.finish(output, 0);
  EXPECT_EQ(text(output), "0000000e\r\n{\"event\":\"x\"}\n\r\n");
}

TEST(JsonText, EscapesWhatMustBe) {
  std::vector<std::byte> output;
  append_json_string(output,
                     bytes(std::string_view("a\"\\\n\r\t\x01\x1F\x7F\x00/\xE2\x82\xAC", 14)));
  EXPECT_EQ(text(output), "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001f\\u007f\\u0000/\xE2\x82\xAC\"");
}

TEST(JsonText, Base64PadsAsRfc4648Shows) {
  const auto base64 = [](std::string_view view) {
    std::vector<std::byte> output;
    append_base64(output, bytes(view));
    return text(output);
  };
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace wskeep::ipc
