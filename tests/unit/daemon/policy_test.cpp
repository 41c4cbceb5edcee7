#include "daemon/upstream/policy.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "daemon/upstream/backoff.hpp"

namespace wskeep::upstream {
namespace {

using config::CodeRule;
using config::Verdict;
using daemon::Error;
using namespace std::chrono_literals;

OpenFailure answered(unsigned status, std::optional<std::chrono::seconds> retry_after = {}) {
  OpenFailure failure;
  failure.failure.error = status == 401 || status == 403 ? Error::http_unauthorized
                          : status == 429                ? Error::http_too_many_requests
                          : status == 503                ? Error::http_unavailable
                                                         : Error::http_status;
  failure.http_status = status;
  failure.retry_after = retry_after;
  return failure;
}

OpenFailure failed(Error error) {
  OpenFailure failure;
  failure.failure.error = error;
  return failure;
}

SessionEnd closed(std::uint16_t code) {
  SessionEnd end;
  end.failure.error = Error::closed_by_peer;
  end.close_code = code;
  return end;
}

TEST(Policy, WithoutRulesTheDefaultsHold) {
  const config::Reconnect settings;
  for (const unsigned status : {401U, 403U, 407U}) {
    EXPECT_EQ(decide(settings, answered(status)).verdict, Verdict::slow) << status;
    EXPECT_EQ(decide(settings, answered(status)).rule, "default") << status;
  }
  for (const unsigned status : {200U, 301U, 400U, 404U, 426U, 429U, 500U, 502U, 503U})
    EXPECT_EQ(decide(settings, answered(status)).verdict, Verdict::retry) << status;
  EXPECT_EQ(decide(settings, closed(1008)).verdict, Verdict::slow);
  for (const int code : {0, 1000, 1001, 1006, 1011, 1012, 1013, 4000, 4999})
    EXPECT_EQ(decide(settings, closed(static_cast<std::uint16_t>(code))).verdict, Verdict::retry)
        << code;
  EXPECT_EQ(decide(settings, closed(4000)).rule, "default");
}

TEST(Policy, TheNarrowestRuleCountsAndOfEquallyNarrowOnesTheLast) {
  config::Reconnect settings;
  settings.on_close = {{4000, 4999, Verdict::slow},
                       {4400, 4409, Verdict::retry},
                       {4401, 4401, Verdict::retry},
                       {4401, 4401, Verdict::stop},
                       {4000, 4999, Verdict::stop}};
  EXPECT_EQ(decide(settings, closed(4401)).verdict, Verdict::stop);
  EXPECT_EQ(decide(settings, closed(4401)).rule, "reconnect.on_close 4401");
  EXPECT_EQ(decide(settings, closed(4402)).verdict, Verdict::retry);
  EXPECT_EQ(decide(settings, closed(4402)).rule, "reconnect.on_close 4400-4409");
  EXPECT_EQ(decide(settings, closed(4000)).verdict, Verdict::stop);
  EXPECT_EQ(decide(settings, closed(4999)).rule, "reconnect.on_close 4000-4999");
  EXPECT_EQ(decide(settings, closed(3999)).rule, "default");
}

TEST(Policy, TheConfigurationGoesBeforeTheDefaults) {
  config::Reconnect settings;
  settings.on_status = {{400, 499, Verdict::stop}, {401, 401, Verdict::retry}};
  settings.on_close = {{1000, 1999, Verdict::stop}};
  EXPECT_EQ(decide(settings, answered(401)).verdict, Verdict::retry);
  EXPECT_EQ(decide(settings, answered(401)).rule, "reconnect.on_status 401");
  // Also where the default is narrower.
  EXPECT_EQ(decide(settings, answered(403)).verdict, Verdict::stop);
  EXPECT_EQ(decide(settings, closed(1008)).verdict, Verdict::stop);
}

TEST(Policy, WhatOnlyAPersonCanMendIsJudgedByOneSetting) {
  config::Reconnect settings;
  for (const Error error :
       {Error::configuration, Error::proxy_unauthorized, Error::tls_version,
        Error::certificate_expired, Error::certificate_not_yet_valid,
        Error::certificate_name_mismatch, Error::certificate_self_signed,
        Error::certificate_issuer_unknown, Error::certificate_untrusted, Error::certificate_revoked,
        Error::certificate_revocation_unknown, Error::certificate_pin_mismatch,
        Error::certificate_invalid, Error::client_certificate_required}) {
    EXPECT_TRUE(is_lasting(error)) << error_name(error);
    EXPECT_EQ(decide(settings, failed(error)).verdict, Verdict::slow) << error_name(error);
    EXPECT_EQ(decide(settings, failed(error)).rule, "reconnect.on_lasting") << error_name(error);
  }
  settings.on_lasting = Verdict::stop;
  EXPECT_EQ(decide(settings, failed(Error::certificate_expired)).verdict, Verdict::stop);
  EXPECT_EQ(decide(settings, failed(Error::connection_refused)).verdict, Verdict::retry);
  EXPECT_EQ(decide(settings, failed(Error::resolve_failed)).rule, "default");
}

TEST(Policy, AProxysStatusIsNoneOfUpstreams) {
  config::Reconnect settings;
  settings.on_status = {{400, 599, Verdict::stop}};
  OpenFailure failure = failed(Error::proxy_unauthorized);
  failure.http_status = 407;
  EXPECT_EQ(decide(settings, failure).rule, "reconnect.on_lasting");
  failure = failed(Error::proxy_refused);
  failure.http_status = 503;
  EXPECT_EQ(decide(settings, failure).verdict, Verdict::retry);
}

TEST(Policy, RetryAfterIsNamedWhereItIsObeyed) {
  config::Reconnect settings;
  EXPECT_EQ(decide(settings, answered(429, 5s)).rule, "Retry-After");
  settings.on_status = {{429, 429, Verdict::slow}, {503, 503, Verdict::stop}};
  EXPECT_EQ(decide(settings, answered(429, 5s)).rule, "reconnect.on_status 429, Retry-After");
  EXPECT_EQ(decide(settings, answered(503, 5s)).rule, "reconnect.on_status 503");
  EXPECT_EQ(decide(settings, answered(503, 5s)).verdict, Verdict::stop);
}

TEST(Policy, ItsTablesAreInOrderAndDisjoint) {
  for (const auto rules : {default_status_rules(), default_close_rules()}) {
    unsigned last = 0;
    for (const CodeRule& rule : rules) {
      EXPECT_GT(rule.first, last);
      EXPECT_GE(rule.last, rule.first);
      last = rule.last;
    }
  }
}

/// "- **Next**: ..." of each error in docs/errors.md.
std::map<std::string, std::string> documented_next() {
  std::ifstream document(WSKEEP_TEST_DATA "/../../../docs/errors.md");
  std::map<std::string, std::string> next;
  std::string name;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("### ")) name = line.substr(4);
    if (line.starts_with("- **Next**: ")) next[name] = line.substr(12);
  }
  return next;
}

TEST(Policy, IsAsDocumented) {
  const auto next = documented_next();
  for (std::size_t i = 1; i < daemon::error_count; ++i) {
    const auto error = static_cast<Error>(i);
    const auto found = next.find(std::string(daemon::error_name(error)));
    ASSERT_NE(found, next.end()) << daemon::error_name(error);
    const bool slowest = found->second.find("slowest pace (`reconnect.max`") != std::string::npos;
    EXPECT_EQ(slowest, is_lasting(error)) << found->first << ": " << found->second;
  }
}

}  // namespace
}  // namespace wskeep::upstream
