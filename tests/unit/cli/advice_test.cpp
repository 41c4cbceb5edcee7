#include "cli/advice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace wskeep::cli {
namespace {

/// A file of the source tree, which this library may not include.
std::string read_source(const std::string& path) {
  std::ifstream file(WSKEEP_TEST_DATA "/../../../" + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names_in_the_enumeration() {
  const std::string source = read_source("daemon/error.hpp");
  const std::size_t begin = source.find("enum class Error");
  const std::string body = source.substr(begin, source.find("};", begin) - begin);
  const std::regex name("\n  ([a-z_0-9]+),");
  std::vector<std::string> names;
  for (std::sregex_iterator each(body.begin(), body.end(), name), end; each != end; ++each) {
    names.push_back((*each)[1]);
  }
  return names;
}

struct Entry {
  std::string meaning;
  std::string advice;
};

std::map<std::string, Entry> entries_in_the_document() {
  std::string document = read_source("docs/errors.md");
  std::erase(document, '`');
  const std::regex entry(
      "\n### ([a-z_0-9]+)\n\n([^\n]+)\n\n- \\*\\*Next\\*\\*: [^\n]+\n- \\*\\*You\\*\\*: "
      "([^\n]+)\n");
  std::map<std::string, Entry> entries;
  for (std::sregex_iterator each(document.begin(), document.end(), entry), end; each != end;
       ++each) {
    entries[(*each)[1]] = {(*each)[2], (*each)[3]};
  }
  return entries;
}

TEST(Advice, IsThereForEveryErrorOfTheDaemonAndNoOther) {
  std::vector<std::string> names = names_in_the_enumeration();
  ASSERT_GT(names.size(), 40U);
  std::vector<std::string> advised;
  for (const Advice& each : all_advice()) advised.emplace_back(each.error);
  std::ranges::sort(names);
  std::ranges::sort(advised);
  EXPECT_EQ(advised, names);
}

TEST(Advice, StandsInTheDocumentWordForWord) {
  const auto entries = entries_in_the_document();
  EXPECT_EQ(entries.size(), all_advice().size());
  for (const Advice& each : all_advice()) {
    const auto entry = entries.find(std::string(each.error));
    ASSERT_NE(entry, entries.end()) << each.error;
    EXPECT_EQ(entry->second.meaning, each.meaning) << each.error;
    EXPECT_EQ(entry->second.advice, each.advice) << each.error;
  }
}

TEST(Advice, IsFoundByName) {
  ASSERT_NE(find_advice("http_unauthorized"), nullptr);
  EXPECT_EQ(find_advice("http_unauthorized")->error, "http_unauthorized");
  EXPECT_EQ(find_advice("of_a_newer_daemon"), nullptr);
}

}  // namespace
}  // namespace wskeep::cli
