#include "cli/machine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/capacity_text.hpp"
#include "config/load.hpp"

namespace wskeep::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

/// The file systems of a machine that is not there.
class MachineTest : public testing::Test {
 protected:
  MachineTest() {
    std::string name = (fs::temp_directory_path() / "machine_test.XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) root_ = name;
  }
  ~MachineTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  [[nodiscard]] Machine look() const { return look_at_machine(root_); }

  fs::path root_;
};

TEST_F(MachineTest, ThatShowsNothing) {
  const Machine machine = look();
  EXPECT_FALSE(machine.memory);
  EXPECT_FALSE(machine.cgroup_memory);
  EXPECT_FALSE(machine.system_descriptors);
  EXPECT_FALSE(machine.unit.installed);
}

TEST_F(MachineTest, Memory) {
  write("proc/meminfo", "MemTotal:        2048 kB\nMemFree:         1024 kB\n");
  write("proc/sys/fs/file-max", "1000\n");
  EXPECT_EQ(look().memory, 2 * mib);
  EXPECT_EQ(look().system_descriptors, 1000U);
}

TEST_F(MachineTest, TheTightestOfAGroupAndThoseAroundIt) {
  write("proc/self/cgroup", "0::/user.slice/session.scope\n");
  write("sys/fs/cgroup/user.slice/session.scope/memory.max", "max\n");
  EXPECT_FALSE(look().cgroup_memory);
  write("sys/fs/cgroup/user.slice/memory.max", "1048576\n");
  EXPECT_EQ(look().cgroup_memory, mib);
  write("sys/fs/cgroup/user.slice/session.scope/memory.max", "4096\n");
  EXPECT_EQ(look().cgroup_memory, 4096U);
}

TEST_F(MachineTest, AGroupThatIsOnlySeenFromOutside) {
  write("proc/self/cgroup", "0::/../../other\n");
  write("sys/fs/cgroup/memory.max", "1048576\n");
  EXPECT_EQ(look().cgroup_memory, mib);
}

TEST_F(MachineTest, GroupsOfVersionOne) {
  write("proc/self/cgroup", "4:cpu,memory:/app\n3:cpuset:/\n0::/\n");
  write("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "2097152\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(look().cgroup_memory, 2 * mib);
}

TEST_F(MachineTest, OfTheUnitWhatIsSetLast) {
  write("proc/meminfo", "MemTotal: 4096 kB\n");
  write("lib/systemd/system/wskeepd.service", "[Service]\nLimitNOFILE=65536\n# MemoryMax=1\n");
  EXPECT_TRUE(look().unit.installed);
  EXPECT_EQ(look().unit.descriptors, 65'536U);
  EXPECT_FALSE(look().unit.memory);
  write("etc/systemd/system/wskeepd.service.d/b.conf", "[Service]\nMemoryMax=512M\n");
  write("lib/systemd/system/wskeepd.service.d/a.conf",
        "[Service]\nLimitNOFILE = 10:20\nMemoryMax=1G\n");
  EXPECT_EQ(look().unit.descriptors, 20U);
  EXPECT_EQ(look().unit.memory, 512 * mib);
  write("etc/systemd/system/wskeepd.service.d/c.conf", "MemoryMax=50%\nLimitNOFILE=infinity\n");
  EXPECT_EQ(look().unit.memory, 2 * mib);
  EXPECT_FALSE(look().unit.descriptors);
  // A unit in /etc stands for the package's.
  write("etc/systemd/system/wskeepd.service", "[Service]\nMemoryMax=1K\n");
  fs::remove_all(root_ / "etc/systemd/system/wskeepd.service.d");
  EXPECT_EQ(look().unit.memory, 1024 * mib);
}

// -- what follows from it

config::Capacity some() {
  return config::capacity(
      config::load_text("ipc: {limits: {clients: 100, subscriptions: 100}}\n"
                        "connections: {a: {url: wss://h/}, b: {url: wss://h/}}",
                        "f"));
}

std::vector<Finding> findings_with(std::uint64_t memory, std::uint64_t descriptors) {
  Machine machine;
  machine.memory = memory;
  machine.descriptors_most = descriptors;
  return capacity_findings(some(), machine);
}

TEST(CapacityFindings, NothingWhereThereIsEnough) {
  EXPECT_TRUE(findings_with(some().total(), some().descriptors.total()).empty());
  EXPECT_TRUE(capacity_findings(some(), {}).empty());
}

TEST(CapacityFindings, OfMemory) {
  const auto with = [](std::uint64_t memory) {
    const auto found = findings_with(memory, 100'000);
    return found.empty() ? Finding{.message = "nothing"} : found.front();
  };
  const Finding apps = with(some().total() - 1);
  EXPECT_EQ(apps.kind, Finding::Kind::note);
  EXPECT_NE(apps.message.find("ipc.limits.subscriptions"), std::string::npos) << apps.message;
  const Finding stuck = with(some().upstreams() - 1);
  EXPECT_EQ(stuck.kind, Finding::Kind::warning);
  EXPECT_NE(stuck.message.find("lower send_buffer"), std::string::npos) << stuck.message;
  const Finding full = with(some().process + some().rings() - 1);
  EXPECT_EQ(full.kind, Finding::Kind::warning);
  EXPECT_NE(full.message.find("lower history"), std::string::npos) << full.message;
}

TEST(CapacityFindings, OfDescriptors) {
  const auto few = findings_with(some().total(), some().descriptors.needed - 1);
  ASSERT_EQ(few.size(), 1U);
  EXPECT_EQ(few.front().kind, Finding::Kind::warning);
  EXPECT_NE(few.front().message.find("ulimit -Hn"), std::string::npos) << few.front().message;
  const auto less = findings_with(some().total(), some().descriptors.needed);
  ASSERT_EQ(less.size(), 1U);
  EXPECT_EQ(less.front().kind, Finding::Kind::note);
}

TEST(CapacityFindings, TheTightestLimitIsNamed) {
  Machine machine;
  machine.memory = some().total();
  machine.unit.installed = true;
  machine.unit.memory = some().upstreams() - 1;
  const auto found = capacity_findings(some(), machine);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found.front().message.find("raise its MemoryMax="), std::string::npos);
}

}  // namespace
}  // namespace wskeep::cli
