#include "daemon/service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

namespace wskeep::daemon {
namespace {

/// A state's value ends with its line.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// Nobody waits for an answer: a manager that does not listen is its own concern.
void tell(const std::string& state) {
  ::sd_notify(0, state.c_str());
}

}  // namespace

ServiceManager::ServiceManager() {
  listens_ = std::getenv("NOTIFY_SOCKET") != nullptr;
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0)
    watchdog_ = std::chrono::microseconds(microseconds);
  // The variables are taken out: a program that the daemon starts is not meant.
  handed_over_ = std::max(0, ::sd_listen_fds(1));
}

void ServiceManager::ready(const std::string& status) const {
  tell("READY=1\nSTATUS=" + one_line(status));
}

void ServiceManager::status(const std::string& status) const {
  tell("STATUS=" + one_line(status));
}

void ServiceManager::reloading(const std::string& status) const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t microseconds = now.tv_sec * std::int64_t{1'000'000} + now.tv_nsec / 1000;
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds) +
       "\nSTATUS=" + one_line(status));
}

void ServiceManager::stopping(const std::string& status) const {
  tell("STOPPING=1\nSTATUS=" + one_line(status));
}

void ServiceManager::alive() const {
  tell("WATCHDOG=1");
}

std::vector<int> ServiceManager::take_listeners() {
  std::vector<int> listeners;
  for (int index = 0; index < handed_over_; ++index) {
    const int descriptor = SD_LISTEN_FDS_START + index;
    if (::sd_is_socket_unix(descriptor, SOCK_STREAM, 1, nullptr, 0) <= 0) {
      throw std::runtime_error(
          "socket activation: what systemd handed over is not a listening Unix socket: "
          "wskeepd.socket has to have ListenStream= with paths, and nothing else");
    }
    const int flags = ::fcntl(descriptor, F_GETFL);
    ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    listeners.push_back(descriptor);
  }
  handed_over_ = 0;
  return listeners;
}

}  // namespace wskeep::daemon
