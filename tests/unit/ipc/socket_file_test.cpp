#include "ipc/socket_file.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace wskeep::ipc {
namespace {

class SocketFileTest : public testing::Test {
 protected:
  SocketFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wskeep-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SocketFileTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "test.sock"; }

  [[nodiscard]] SocketFile open() const { return SocketFile({path().string(), 0600, "", {}}); }

  static std::string refusal(const std::filesystem::path& file, const std::string& group = "") {
    try {
      const SocketFile socket({file.string(), 0600, group, {}});
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }

  [[nodiscard]] bool can_connect() const {
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().string().copy(address.sun_path, sizeof address.sun_path - 1);
    const bool connected =
        ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(client);
    return connected;
  }

  std::filesystem::path folder_;
};

TEST_F(SocketFileTest, IsThereWithItsModeAndGoneAfterwards) {
  {
    const SocketFile socket({path().string(), 0640, "", {}});
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
    EXPECT_TRUE(can_connect());
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SocketFileTest, ALivingOwnerIsNotReplaced) {
  const SocketFile first({path().string(), 0600, "", {}});
  EXPECT_NE(refusal(path()).find("another wskeepd listens at"), std::string::npos);
  EXPECT_TRUE(can_connect());
}

TEST_F(SocketFileTest, AStaleFileIsTakenOver) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path().string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(std::filesystem::exists(path()));
  const SocketFile socket({path().string(), 0600, "", {}});
  EXPECT_TRUE(can_connect());
}

TEST_F(SocketFileTest, AnythingElseAtThePathStays) {
  std::ofstream(path()) << "precious";
  EXPECT_NE(refusal(path()).find("is not a socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_regular_file(path()));
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_NE(refusal(path()).find("is not a socket"), std::string::npos);
}

TEST_F(SocketFileTest, AReplacedFileIsNotRemoved) {
  {
    const SocketFile socket({path().string(), 0600, "", {}});
    std::filesystem::remove(path());
    std::ofstream(path()) << "somebody else's";
  }
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(SocketFileTest, NoticesWhatBecomesOfItsFileAndMakesItAnew) {
  using Condition = SocketFile::Condition;
  SocketFile socket = open();
  EXPECT_EQ(socket.condition(), Condition::ours);
  std::filesystem::remove(path());
  EXPECT_EQ(socket.condition(), Condition::removed);
  EXPECT_FALSE(can_connect());
  socket.renew();
  EXPECT_EQ(socket.condition(), Condition::ours);
  EXPECT_TRUE(can_connect());
  std::filesystem::remove(path());
  std::ofstream(path()) << "somebody else's";
  EXPECT_EQ(socket.condition(), Condition::replaced);
  EXPECT_THROW(socket.renew(), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_regular_file(path()));
}

TEST_F(SocketFileTest, IsMadeAnewWithItsFolderAndItsLock) {
  const std::filesystem::path inner = folder_ / "inner";
  std::filesystem::create_directory(inner);
  const std::string file = (inner / "test.sock").string();
  SocketFile socket({file, 0600, "", {}});
  std::filesystem::remove_all(inner);
  EXPECT_THROW(socket.renew(), std::runtime_error);
  std::filesystem::create_directory(inner);
  socket.renew();
  EXPECT_EQ(socket.condition(), SocketFile::Condition::ours);
  EXPECT_NE(refusal(file).find("another wskeepd listens at"), std::string::npos);
}

// Somebody removed the lock file, or the socket is no wskeepd's: there is nothing to tell but that
// it answers.
TEST_F(SocketFileTest, WhateverAnswersIsNotReplaced) {
  const SocketFile first = open();
  std::filesystem::remove(path().string() + ".lock");
  EXPECT_NE(refusal(path()).find("somebody listens at"), std::string::npos);
  EXPECT_TRUE(can_connect());
}

TEST_F(SocketFileTest, SaysWhatIsWrong) {
  EXPECT_NE(refusal(folder_ / "missing" / "test.sock").find("cannot open the lock file"),
            std::string::npos);
  EXPECT_NE(refusal(folder_ / std::string(120, 'x')).find("is too long"), std::string::npos);
  EXPECT_NE(refusal(path(), "no-such-group").find("there is no group 'no-such-group'"),
            std::string::npos);
}

}  // namespace
}  // namespace wskeep::ipc
