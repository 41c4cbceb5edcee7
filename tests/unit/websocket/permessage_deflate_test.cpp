#include "websocket/permessage_deflate.hpp"

#include <gtest/gtest.h>

namespace wskeep::websocket {
namespace {

DeflateParameters with(bool server_forgets, bool client_forgets, int server_bits, int client_bits) {
  return {server_forgets, client_forgets, server_bits, client_bits};
}

DeflateAnswer answer(const DeflateParameters& offer, std::string_view value) {
  return check_deflate_answer(offer, {&value, 1});
}

TEST(PermessageDeflate, Offer) {
  EXPECT_EQ(write_deflate_offer({}), "permessage-deflate; client_max_window_bits");
  EXPECT_EQ(write_deflate_offer(with(true, true, 10, 9)),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=10; "
            "client_max_window_bits=9");
}

TEST(PermessageDeflate, AnswersWithinTheOffer) {
  struct Case {
    DeflateParameters offer;
    std::string_view value;
    DeflateParameters agreed;
  };
  const Case cases[] = {
      {{}, "permessage-deflate", {}},
      {{}, "Permessage-Deflate", {}},
      {{}, " permessage-deflate ; client_max_window_bits=10", with(false, false, 15, 10)},
      {{}, "permessage-deflate;client_max_window_bits=\"15\"", {}},
      {{}, "permessage-deflate; server_max_window_bits=8", with(false, false, 8, 15)},
      {{}, "permessage-deflate; server_no_context_takeover", with(true, false, 15, 15)},
      {{}, "permessage-deflate; client_no_context_takeover", with(false, true, 15, 15)},
      {with(true, false, 12, 11),
       "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
       with(true, false, 10, 11)},
      {with(false, true, 15, 15), "permessage-deflate", with(false, true, 15, 15)},
  };
  for (const Case& test : cases) {
    const DeflateAnswer result = answer(test.offer, test.value);
    EXPECT_EQ(result.error, "") << test.value;
    EXPECT_EQ(result.agreed, test.agreed) << test.value;
  }
}

TEST(PermessageDeflate, NoAnswerIsADecline) {
  EXPECT_EQ(check_deflate_answer({}, {}).error, "");
  EXPECT_FALSE(check_deflate_answer({}, {}).agreed);
  EXPECT_FALSE(answer({}, "").agreed);
  EXPECT_EQ(answer({}, "").error, "");
}

TEST(PermessageDeflate, AnswersThatMustFail) {
  const std::string_view values[] = {
      "x-webkit-deflate-frame",
      "permessage-deflate, permessage-deflate",
      "permessage-deflate; unknown",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "permessage-deflate; server_no_context_takeover=1",
      "permessage-deflate; server_max_window_bits",
      "permessage-deflate; server_max_window_bits=7",
      "permessage-deflate; server_max_window_bits=16",
      "permessage-deflate; server_max_window_bits=08",
      "permessage-deflate; server_max_window_bits=",
      "permessage-deflate; server_max_window_bits=+9",
      "permessage-deflate; server_max_window_bits=\"9",
      "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
      "permessage-deflate; client_max_window_bits",
      "permessage-deflate; client_max_window_bits=0",
      "permessage-deflate;",
      "permessage-deflate server_no_context_takeover",
      "; permessage-deflate",
  };
  for (const std::string_view value : values) {
    EXPECT_FALSE(answer({}, value).agreed) << value;
    EXPECT_NE(answer({}, value).error, "") << value;
  }
  EXPECT_NE(answer(with(true, false, 15, 15), "permessage-deflate").error, "");
  EXPECT_NE(answer(with(false, false, 10, 15), "permessage-deflate").error, "");
  EXPECT_NE(
      answer(with(false, false, 10, 15), "permessage-deflate; server_max_window_bits=11").error,
      "");
  EXPECT_NE(
      answer(with(false, false, 15, 10), "permessage-deflate; client_max_window_bits=11").error,
      "");
  const std::string_view two[] = {"permessage-deflate", "permessage-deflate"};
  EXPECT_NE(check_deflate_answer({}, two).error, "");
}

TEST(PermessageDeflate, Choice) {
  struct Case {
    std::string_view offers;
    DeflateParameters preferred;
    std::string_view header;  ///< empty for a decline
    DeflateParameters agreed;
  };
  const Case cases[] = {
      {"permessage-deflate", {}, "permessage-deflate", {}},
      {"permessage-deflate; client_max_window_bits", {}, "permessage-deflate", {}},
      {"permessage-deflate; client_max_window_bits", with(false, false, 15, 10),
       "permessage-deflate; client_max_window_bits=10", with(false, false, 15, 10)},
      {"permessage-deflate", with(false, false, 15, 10), "permessage-deflate", {}},
      {"permessage-deflate; client_max_window_bits=9", with(false, false, 15, 10),
       "permessage-deflate; client_max_window_bits=9", with(false, false, 15, 9)},
      {"permessage-deflate; server_max_window_bits=10", with(true, false, 12, 15),
       "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
       with(true, false, 10, 15)},
      {"permessage-deflate", with(false, true, 12, 15),
       "permessage-deflate; client_no_context_takeover; server_max_window_bits=12",
       with(false, true, 12, 15)},
      {"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
       {},
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
       with(true, true, 15, 15)},
      {"permessage-deflate; server_max_window_bits=99, other; a=\"b\", permessage-deflate",
       {},
       "permessage-deflate",
       {}},
      {"permessage-deflate; what", {}, "", {}},
      {"permessage-deflate; server_max_window_bits", {}, "", {}},
      {"permessage-deflate; client_max_window_bits=7", {}, "", {}},
      {"other", {}, "", {}},
      {"\"permessage-deflate\"", {}, "", {}},
  };
  for (const Case& test : cases) {
    const auto choice = choose_deflate({&test.offers, 1}, test.preferred);
    ASSERT_EQ(choice.has_value(), !test.header.empty()) << test.offers;
    if (!choice) continue;
    EXPECT_EQ(choice->header, test.header) << test.offers;
    EXPECT_EQ(choice->agreed, test.agreed) << test.offers;
  }
}

TEST(PermessageDeflate, BothEndsOfOursAgree) {
  for (int server_bits = 8; server_bits <= 15; ++server_bits) {
    for (int flags = 0; flags < 4; ++flags) {
      const DeflateParameters offer =
          with((flags & 1) != 0, (flags & 2) != 0, server_bits, 23 - server_bits);
      const std::string text = write_deflate_offer(offer);
      const std::string_view value = text;
      const auto choice = choose_deflate({&value, 1}, with(false, false, 12, 11));
      ASSERT_TRUE(choice);
      const DeflateAnswer checked = answer(offer, choice->header);
      EXPECT_EQ(checked.error, "") << text;
      EXPECT_EQ(checked.agreed, choice->agreed) << text;
    }
  }
}

}  // namespace
}  // namespace wskeep::websocket
