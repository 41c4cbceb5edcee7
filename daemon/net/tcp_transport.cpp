#include "daemon/net/tcp_transport.hpp"

#include <sys/socket.h>

#include "daemon/net/readiness.hpp"
#include "daemon/net/socket.hpp"

namespace wskeep::net {

namespace {

class TcpTransport final : public Transport {
 public:
  TcpTransport(const boost::asio::any_io_executor& executor, int descriptor)
      : readiness_(executor, descriptor) {
    describe_addresses(descriptor, information_);
  }

  void observe(TransportObserver* observer) noexcept override { readiness_.observe(observer); }

  IoResult read(std::span<std::byte> buffer) noexcept override {
    if (buffer.empty()) return {};
    return receive_some(readiness_.descriptor(), buffer);
  }

  IoResult write(std::span<const std::byte> data) noexcept override {
    if (data.empty()) return {};
    return send_some(readiness_.descriptor(), data);
  }

  void want_read() override { readiness_.want_read(Readiness::Direction::read); }
  void want_write() override { readiness_.want_write(Readiness::Direction::write); }
  void shutdown() noexcept override { ::shutdown(readiness_.descriptor(), SHUT_WR); }

  [[nodiscard]] const TransportInformation& information() const noexcept override {
    return information_;
  }
  [[nodiscard]] int descriptor() const noexcept override { return readiness_.descriptor(); }

 private:
  Readiness readiness_;
  TransportInformation information_;
};

}  // namespace

std::unique_ptr<Transport> make_tcp_transport(const boost::asio::any_io_executor& executor,
                                              int descriptor) {
  return std::make_unique<TcpTransport>(executor, descriptor);
}

}  // namespace wskeep::net
