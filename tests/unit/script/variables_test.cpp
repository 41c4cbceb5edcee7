#include "daemon/script/variables.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wskeep::script {
namespace {

config::SessionScript script() {
  config::SessionScript script;
  script.variables = {{"fixed", {"f"}, false}};
  config::PrepareStep step{.action = config::PrepareCommand{}};
  step.set.push_back({"token", config::Template("${answer}")});
  script.prepare.push_back(std::move(step));
  script.remember.push_back(
      {.variable = "seq", .on = {}, .value = config::Template(), .over_restart = true});
  script.remember.push_back({.variable = "id", .on = {}, .value = config::Template()});
  return script;
}

TEST(Variables, LiveAsLongAsWhatTheyAreOf) {
  const config::SessionScript of = script();
  Variables variables(of);
  for (const char* const name : {"token", "seq", "id", "mine"})
    EXPECT_TRUE(variables.set(name, "1"));
  variables.begin_session();
  EXPECT_FALSE(variables.find("mine").has_value());
  EXPECT_TRUE(variables.find("token").has_value());
  variables.begin_attempt();
  EXPECT_FALSE(variables.find("token").has_value());
  EXPECT_TRUE(variables.find("seq").has_value());
  variables.forget_remembered();
  EXPECT_FALSE(variables.find("seq").has_value());
  EXPECT_FALSE(variables.find("id").has_value());
  EXPECT_EQ(variables.find("fixed"), "f");
}

TEST(Variables, SayWhatIsKeptOverARestartAndWhenThatChanges) {
  const config::SessionScript of = script();
  Variables variables(of);
  const auto changes = variables.kept_changes();
  EXPECT_TRUE(variables.set("id", "1"));
  EXPECT_EQ(variables.kept_changes(), changes);
  EXPECT_TRUE(variables.set("seq", "1"));
  EXPECT_TRUE(variables.set("seq", "1"));
  EXPECT_EQ(variables.kept_changes(), changes + 1);
  EXPECT_EQ(variables.kept(), (Variables::Values{{"seq", "1"}}));
  variables.unset("seq");
  EXPECT_EQ(variables.kept_changes(), changes + 2);
  EXPECT_TRUE(variables.set("seq", "\xFF"));
  EXPECT_TRUE(variables.kept().empty());
  variables.restore({{"seq", "9"}, {"id", "not kept"}});
  EXPECT_EQ(variables.find("seq"), "9");
  EXPECT_EQ(variables.find("id"), "1");
}

}  // namespace
}  // namespace wskeep::script
