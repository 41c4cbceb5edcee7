#include "cli/overview.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <string>

#include "cli/json_access.hpp"
#include "cli/show.hpp"

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view body = R"({"connections":[
  {"name":"a","state":"ready","since":"2026-01-31T12:00:00Z","url":"wss://a","messages_in":1000,
   "bytes_in":2048,"round_trip_ms":12.4,"last_error":{"error":"x","message":"old"}},
  {"name":"b","state":"backing_off","url":"wss://b","last_error":{"error":"http_status",
   "message":"it said \u001b[31m503"},"new_field":{}},
  {"name":"c","state":"ready","url":"wss://c","last_error":null}]})";

std::string joined(const Table& table) {
  std::string text;
  for (const Line& line : table.lines(0, false)) text += line.text + "\n";
  return text;
}

TEST(Overview, CountsStates) {
  EXPECT_EQ(count_states(parse_overview(body, {})), "3 connections: 2 ready, 1 backing_off");
  EXPECT_EQ(count_states(parse_overview(R"({"connections":[]})", {})),
            "no connections are configured");
}

TEST(Overview, ShowsTheErrorOnlyOfWhatIsNotReady) {
  const Overview overview = parse_overview(body, {});
  const std::string text =
      joined(make_table(overview, nullptr, *parse_time("2026-01-31T14:05:00Z")));
  EXPECT_NE(text.find("2 h 5 min"), std::string::npos) << text;
  EXPECT_NE(text.find("wss://a"), std::string::npos);
  EXPECT_EQ(text.find("old"), std::string::npos);
  EXPECT_NE(text.find("it said \\x1b[31m503"), std::string::npos) << text;
  EXPECT_EQ(text.find("MSG/S"), std::string::npos);
}

TEST(Overview, RatesComeFromTwoOfThem) {
  const std::chrono::steady_clock::time_point begin{};
  const Overview before = parse_overview(body, begin);
  Overview after = parse_overview(body, begin + 2s);
  after.connections[0].messages_in += 480;
  after.connections[0].bytes_in += 4096;
  const std::string text = joined(make_table(after, &before, {}));
  EXPECT_NE(text.find("MSG/S"), std::string::npos);
  EXPECT_NE(text.find("   240  2.0 KiB/s"), std::string::npos) << text;
}

TEST(Overview, CountersThatWentBackGiveNoRate) {
  const std::chrono::steady_clock::time_point begin{};
  const Overview before = parse_overview(body, begin);
  Overview after = parse_overview(body, begin + 1s);
  for (Summary& each : after.connections) each.messages_in = 0;
  after.connections.erase(after.connections.begin() + 1, after.connections.end());
  const std::string text = joined(make_table(after, &before, {}));
  EXPECT_EQ(text.find("/s "), std::string::npos) << text;
}

TEST(Overview, NonsenseIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"connections":{}})", "<html>"}) {
    EXPECT_THROW(static_cast<void>(parse_overview(text, {})), std::runtime_error) << text;
  }
}

TEST(Show, ToleratesWhatIsMissingAndShowsWhatIsNew) {
  const std::string text =
      render_connection(R"({"name":"a","state":"failed","tls":{"certificates":[{"subject":"CN=a",)"
                        R"("not_after":"2026-02-01T00:00:00Z"}]},"ring":{"first":5,"last":4},)"
                        R"("last_error":{"message":"no\nway"},"brand_new":[1,"x"]})",
                        {}, *parse_time("2026-01-30T00:00:00Z"), false);
  EXPECT_NE(text.find("state        failed\n"), std::string::npos) << text;
  EXPECT_NE(text.find("(2 d left)"), std::string::npos) << text;
  EXPECT_NE(text.find("none yet"), std::string::npos) << text;
  EXPECT_NE(text.find("no\\nway"), std::string::npos) << text;
  EXPECT_NE(text.find("brand new    1, x\n"), std::string::npos) << text;
}

TEST(Show, AnExpiredCertificateIsRed) {
  const std::string text =
      render_connection(R"({"tls":{"certificates":[{"not_after":"2026-02-01T00:00:00Z"}]}})", {},
                        *parse_time("2026-02-03T00:00:00Z"), true);
  EXPECT_NE(text.find("\x1b[31m2026-02-01T00:00:00Z (expired 2 d ago)\x1b[0m"), std::string::npos)
      << text;
}

constexpr std::string_view whole = R"({"name":"a","state":"ready","url":"wss://one/",
  "urls":["wss://one/","wss://two/"],"connected_url":"wss://two/","proxy":"http://proxy:3128",
  "renewal":"2026-01-31T23:00:00Z","warnings":["tls.verify is false"],
  "policy":{"on_status":[{"codes":"403","verdict":"stop","default":false},
                         {"codes":"401","verdict":"slow","default":true}],
            "on_close":[{"codes":"4000-4999","verdict":"slow","default":false}],
            "on_lasting":"slow","otherwise":"retry",
            "initial_ms":500,"max_ms":30000,"stable_after_ms":10000},
  "budgets":[{"rule":"reconnect.budget","host":null,"used":12,"limit":300,"per_ms":300000},
             {"rule":"connects.per_host","host":"one","used":5,"limit":5,"per_ms":1000}],
  "tls":{"version":"TLSv1.3","verified":false,"client_certificate_missing":true,
         "ignored_faults":[{"error":"certificate_expired","message":"old \u001b[2J"}]}})";

TEST(ShowConnection, HasThePolicyTheBudgetsAndWhatIsNotVerified) {
  const std::string text = render_connection(whole, {}, *parse_time("2026-01-31T12:00:00Z"), false);
  for (const char* expected :
       {"wss://two/", "connected url", "http://proxy:3128", "2026-01-31T23:00:00Z", "Warnings\n  !",
        "tls.verify is false", "403: stop, 401: slow (default)", "4000-4999: slow",
        "500 ms to 30 s, begins anew after a session of 10 s", "12 of 300 within 5 min",
        "5 of 5 within 1.0 s, to one", "NOT VERIFIED", "certificate_expired: old \\x1b[2J",
        "asked for a client certificate"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nin\n" << text;
  }
  EXPECT_EQ(text.find("More\n"), std::string::npos) << text;
}

constexpr std::string_view opening = R"({"cycles":[{"number":1,"ended_ms":20,
  "prepare":[{"step":"prepare[0]","kind":"request","started_ms":0,"took_ms":15}],
  "script":[{"step":"open[0]","kind":"send","started_ms":0,"took_ms":0},
            {"step":"open[1]","kind":"wait","started_ms":0,"took_ms":null,
             "waits_for":"a message with /e = \u001b[2J"}]SESSION}]})";

TEST(ShowConnection, HasTheStepsOfTheLastOpening) {
  const auto shown = [](std::string_view session) {
    std::string attempts(opening);
    attempts.replace(attempts.find("SESSION"), 7, session);
    return render_connection(R"({"name":"a"})", parse_attempts(parse_object(attempts)),
                             *parse_time("2026-01-31T12:00:00Z"), false);
  };
  EXPECT_EQ(shown(""),
            "Before connecting\n"
            "  prepare[0] request  15 ms\n"
            "\n"
            "Opening\n"
            "  open[0] send  <1 ms\n"
            "  open[1] wait  is being done: waits for a message with /e = \\x1b[2J\n");
  EXPECT_NE(
      shown(R"(,"session":{"lived_ms":5})").find("was not done: waited in vain for a message with"),
      std::string::npos);
}

}  // namespace
}  // namespace wskeep::cli
