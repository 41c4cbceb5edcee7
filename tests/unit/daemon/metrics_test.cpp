#include "daemon/metrics.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;

std::string text_of(MetricsSample sample) {
  MetricsText text(std::make_shared<const MetricsSample>(std::move(sample)));
  std::string whole;
  while (!text.at_end()) whole += text.next();
  return whole;
}

ConnectionSample connection(const std::string& name) {
  ConnectionSample sample;
  sample.name = name;
  return sample;
}

TEST(MetricsText, EachFamilyStandsInOnePieceWithItsTypeBeforeIt) {
  MetricsSample sample;
  sample.connections = {{connection("a"), connection("b")}, {connection("c")}};
  MetricsText text(std::make_shared<const MetricsSample>(std::move(sample)));
  std::set<std::string> families;
  while (!text.at_end()) {
    std::istringstream piece(text.next());
    std::string family;
    for (std::string line; std::getline(piece, line);) {
      if (line.starts_with("# TYPE ")) {
        family = line.substr(7, line.find(' ', 7) - 7);
        EXPECT_TRUE(families.insert(family).second) << family << " stands twice";
      } else if (!line.starts_with("# ")) {
        EXPECT_TRUE(line.starts_with(family)) << line;
      }
    }
  }
  EXPECT_GT(families.size(), 60U);
  EXPECT_EQ(text.next(), "");
}

TEST(MetricsText, AFamilyOfManyHasItsTypeOnce) {
  MetricsSample sample;
  sample.connections.emplace_back();
  for (int number = 0; number < 3'000; ++number)
    sample.connections[0].push_back(connection("c" + std::to_string(number)));
  const std::string text = text_of(std::move(sample));
  std::istringstream lines(text);
  std::multiset<std::string> comments;
  std::size_t subscribers = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) comments.insert(line);
    if (line.starts_with("wskeep_subscribers{")) ++subscribers;
  }
  EXPECT_EQ(subscribers, 3'000U);
  for (const std::string& comment : comments) EXPECT_EQ(comments.count(comment), 1U) << comment;
}

TEST(MetricsText, TheSampleIsLetGoWithTheLastPiece) {
  auto sample = std::make_shared<const MetricsSample>();
  const std::weak_ptr<const MetricsSample> watched = sample;
  MetricsText text(std::move(sample));
  while (!text.at_end()) {
    EXPECT_FALSE(watched.expired());
    static_cast<void>(text.next());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(MetricsText, ConnectionsOfAllPartsAreTold) {
  MetricsSample sample;
  sample.connections = {{connection("a")}, {connection("b"), connection("c")}};
  sample.connections[1][0].counts.messages_in = 7;
  EXPECT_EQ(sample.count(), 3U);
  const std::string text = text_of(std::move(sample));
  EXPECT_NE(text.find("wskeep_messages_received_total{connection=\"a\"} 0\n"
                      "wskeep_messages_received_total{connection=\"b\"} 7\n"
                      "wskeep_messages_received_total{connection=\"c\"} 0\n"),
            std::string::npos);
}

TEST(MetricsText, ABucketHasThoseBeforeIt) {
  MetricsSample sample;
  sample.connections = {{connection("a"), connection("b")}};
  auto& histogram = sample.connections[0][0].counts.times_to_ready;
  for (const auto duration : {10ms, 11ms, 12ms, 70'000ms}) histogram.observe(duration);
  const std::string text = text_of(std::move(sample));
  const auto begin = text.find("# TYPE wskeep_time_to_ready_seconds histogram\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string family = text.substr(begin, text.find("# HELP", begin) - begin);
  EXPECT_EQ(family.find("connection=\"b\""), std::string::npos) << "it has observed nothing";
  const auto has = [&](const std::string& line) {
    return family.find("\nwskeep_time_to_ready_seconds" + line + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has("_count{connection=\"a\"} 4")) << family;
  EXPECT_TRUE(has("_sum{connection=\"a\"} 70.033")) << family;
  EXPECT_TRUE(has("_bucket{connection=\"a\",le=\"0.01\"} 1")) << family;
  EXPECT_TRUE(has("_bucket{connection=\"a\",le=\"0.025\"} 3")) << family;
  EXPECT_TRUE(has("_bucket{connection=\"a\",le=\"60\"} 3")) << family;
  EXPECT_TRUE(has("_bucket{connection=\"a\",le=\"+Inf\"} 4")) << family;
}

}  // namespace
}  // namespace wskeep::daemon
