#include <gtest/gtest.h>

#include "config/load.hpp"
#include "temporary_folder.hpp"

/// `conf.d/*.yaml` beside the main file.
namespace wskeep::config {
namespace {

using Lines = std::vector<std::string>;

class ConfigurationFolder : public testing::Test {
 protected:
  ConfigurationFolder() { std::filesystem::create_directory(folder_.path("conf.d")); }

  void further(const std::string& name, const std::string& yaml) const {
    static_cast<void>(folder_.file("conf.d/" + name, yaml));
  }
  [[nodiscard]] Config load(const std::string& main) const {
    return load_file(folder_.file("wskeep.yaml", main));
  }
  [[nodiscard]] Lines names(const std::string& main) const {
    Lines names;
    for (const Connection& connection : load(main).connections) names.push_back(connection.name);
    return names;
  }
  /// Without the folder's path.
  [[nodiscard]] Lines problems(const std::string& main) const {
    Lines texts;
    try {
      static_cast<void>(load(main));
    } catch (const LoadError& error) {
      for (const Problem& problem : error.problems()) {
        std::string text = problem.text();
        for (std::size_t at = 0; (at = text.find(folder_.path(""))) != std::string::npos;)
          text.erase(at, folder_.path("").size());
        texts.push_back(text);
      }
    }
    return texts;
  }

  TemporaryFolder folder_;
};

TEST_F(ConfigurationFolder, AddsConnectionsInTheOrderOfItsFiles) {
  further("20-b.yaml", "connections: {c: {url: wss://c/}}");
  further("10-a.yaml", "connections: {e: {url: wss://e/}, d: {url: wss://d/}}");
  further(".hidden.yaml", "rubbish");
  further("notes.txt", "rubbish");
  further("old.yaml.bak", "rubbish");
  EXPECT_EQ(names("connections: {z: {url: wss://z/}}"), (Lines{"z", "e", "d", "c"}));
}

TEST_F(ConfigurationFolder, DefaultsAreThoseOfTheMainFile) {
  further("a.yaml", "connections: {a: {url: wss://a/}, b: {url: wss://b/, gap: close}}");
  const Config config = load("defaults: {gap: skip}\n");
  ASSERT_EQ(config.connections.size(), 2U);
  EXPECT_EQ(config.connections.front().settings.gap, Gap::skip);
  EXPECT_EQ(config.connections.back().settings.gap, Gap::close);
}

TEST_F(ConfigurationFolder, ThereNeedNotBeOne) {
  std::filesystem::remove(folder_.path("conf.d"));
  EXPECT_EQ(names("connections: {z: {url: wss://z/}}"), Lines{"z"});
}

TEST_F(ConfigurationFolder, OneConnectionIsNeededInAll) {
  EXPECT_EQ(problems("log: {level: info}\n"),
            Lines{"wskeep.yaml:1:1: connections: is missing: at least one connection is needed"});
  further("a.yaml", "connections: {}");
  EXPECT_EQ(problems("connections: {}\n"),
            Lines{"wskeep.yaml:1:14: connections: is empty: at least one connection is needed"});
  further("b.yaml", "connections: {b: {url: wss://b/}}");
  EXPECT_EQ(names("connections: {}\n"), Lines{"b"});
}

TEST_F(ConfigurationFolder, ProblemsNameTheirFile) {
  further("a.yaml", "connections:\n  a: {url: wss://a/, histroy: 1MiB}\n");
  further("b.yaml", "threads: 2\nconnections: {b: {url: wss://b/}, z: {url: wss://z/}}\n");
  further("c.yaml", "- x\n");
  further("d.yaml", "connections: {d: {url: wss://d/}\n");
  const Lines found = problems("thread: 1\nconnections: {z: {url: wss://z/}}\n");
  ASSERT_EQ(found.size(), 6U) << testing::PrintToString(found);
  EXPECT_TRUE(found[0].starts_with("wskeep.yaml:1:1: thread: unknown key"));
  EXPECT_TRUE(found[1].starts_with("conf.d/a.yaml:2:22: connections.a.histroy: unknown key"));
  EXPECT_EQ(found[2], "conf.d/b.yaml:1:1: threads: cannot stand in conf.d; allowed: connections");
  EXPECT_EQ(found[3],
            "conf.d/b.yaml:2:35: connections.z: is given twice, first in wskeep.yaml on line 2");
  EXPECT_TRUE(found[4].starts_with("conf.d/c.yaml:1:1: ")) << found[4];
  EXPECT_TRUE(found[5].starts_with("conf.d/d.yaml:")) << found[5];
}

/// What contradicts is inherited, and so stands elsewhere than the connection.
TEST_F(ConfigurationFolder, ProblemsOfDefaultsAreInTheMainFile) {
  further("a.yaml", "connections: {a: {url: wss://a/}}");
  const Lines found = problems("log: {level: info}\n\ndefaults:\n  timeouts: {address: 2m}\n");
  ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
  EXPECT_TRUE(found[0].starts_with("wskeep.yaml:4:23: defaults.timeouts.address")) << found[0];
}

TEST_F(ConfigurationFolder, AFileThatCannotBeReadIsAProblem) {
  std::filesystem::create_directory(folder_.path("conf.d/a.yaml"));
  const Lines found = problems("connections: {z: {url: wss://z/}}");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].starts_with("conf.d/a.yaml: ")) << found[0];
}

}  // namespace
}  // namespace wskeep::config
