#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "temporary_folder.hpp"

// Every file of config/examples loads as it stands, given the secrets that it names.
namespace wskeep::config {
namespace {

const std::string root = std::string(WSKEEP_TEST_DATA) + "/../../../";

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> examples() {
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::directory_iterator(root + "config/examples")) {
    all.push_back(entry.path());
  }
  std::ranges::sort(all);
  return all;
}

/// All that the expression's first group finds.
std::vector<std::string> found(const std::string& text, const std::string& expression) {
  const std::regex pattern(expression);
  std::vector<std::string> all;
  for (auto each = std::sregex_iterator(text.begin(), text.end(), pattern);
       each != std::sregex_iterator(); ++each) {
    all.push_back((*each)[1]);
  }
  return all;
}

/// `text` with the variables that it names set, and with a folder that has its files.
std::string with_secrets(std::string text, const TemporaryFolder& folder) {
  for (const std::string& name : found(text, R"(\$\{env:(\w+)\})")) {
    ::setenv(name.c_str(), "value", 1);
  }
  for (const std::string& name : found(text, R"(env\(['"](\w+)['"]\))")) {
    ::setenv(name.c_str(), "value", 1);
  }
  const std::string place = "/etc/wskeep/";
  for (const std::string& name : found(text, place + R"(([\w.-]+))")) {
    static_cast<void>(folder.file(name, "text\n"));
  }
  return std::regex_replace(text, std::regex(place), folder.path(""));
}

TEST(Examples, EachLoads) {
  const TemporaryFolder folder;
  for (const std::filesystem::path& path : examples()) {
    const std::string text = with_secrets(content(path), folder);
    EXPECT_NO_THROW(static_cast<void>(load_text(text, path.filename().string()))) << path;
  }
}

TEST(Examples, EachIsListed) {
  const std::string listed =
      content(root + "docs/examples.md") + content(root + "docs/configuration.md");
  for (const std::filesystem::path& path : examples()) {
    const std::string name = path.filename().string();
    if (name != "installed.yaml") {  // what a package installs as the configuration
      EXPECT_NE(listed.find("(../config/examples/" + name + ")"), std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace wskeep::config
