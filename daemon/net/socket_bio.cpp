#include "daemon/net/socket_bio.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <span>

#include "daemon/net/socket.hpp"

namespace wskeep::net {

using Status = IoResult::Status;

namespace {

/// Keeps the first error of OpenSSL's queue over calls into another SSL object, which empties it.
class KeptError {
 public:
  KeptError() noexcept : code_(ERR_peek_error()) {}
  ~KeptError() {
    ERR_clear_error();
    if (code_ != 0) ERR_raise(ERR_GET_LIB(code_), ERR_GET_REASON(code_));
  }
  KeptError(const KeptError&) = delete;
  KeptError& operator=(const KeptError&) = delete;

 private:
  unsigned long code_;
};

}  // namespace

struct SocketBioCallbacks {
  static SocketBio& self(BIO* bio) { return *static_cast<SocketBio*>(BIO_get_data(bio)); }

  struct Socket {
    static IoResult read(SocketBio& self, std::span<std::byte> buffer) {
      const IoResult result = receive_some(self.descriptor_, buffer);
      self.drained_ = result.status == Status::done && result.bytes < buffer.size();
      return result;
    }
    static IoResult write(const SocketBio& self, std::span<const std::byte> data) {
      return send_some(self.descriptor_, data);
    }
  };

  struct Below {
    static IoResult read(const SocketBio& self, std::span<std::byte> buffer) {
      const KeptError kept;
      return self.below_->read(buffer);
    }
    static IoResult write(const SocketBio& self, std::span<const std::byte> data) {
      const KeptError kept;
      return self.below_->write(data);
    }
  };

  template <typename Way>
  static int read(BIO* bio, char* buffer, std::size_t size, std::size_t* count) {
    SocketBio& socket = self(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    if (socket.drained_) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const IoResult result = Way::read(socket, std::as_writable_bytes(std::span(buffer, size)));
    if (result.status == Status::done) {
      *count = result.bytes;
      return 1;
    }
    if (result.status == Status::end) {
      socket.ended_ = true;
      return 0;
    }
    return stopped(bio, socket, result, &retry_read);
  }

  template <typename Way>
  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) {
    SocketBio& socket = self(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    const IoResult result = Way::write(socket, std::as_bytes(std::span(data, size)));
    if (result.status != Status::done) return stopped(bio, socket, result, &retry_write);
    *count = result.bytes;
    return 1;
  }

  static int stopped(BIO* bio, SocketBio& socket, const IoResult& result, void (*set_retry)(BIO*)) {
    if (result.status == Status::would_block)
      set_retry(bio);
    else
      socket.error_ = result.error;
    return -1;
  }

  static void retry_read(BIO* bio) { BIO_set_retry_read(bio); }
  static void retry_write(BIO* bio) { BIO_set_retry_write(bio); }

  static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return self(bio).ended_ ? 1 : 0;
    return 0;
  }

  struct Free {
    void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  };
  using Method = std::unique_ptr<BIO_METHOD, Free>;

  template <typename Way>
  static Method make_method() {
    Method method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wskeep socket"));
    if (method == nullptr) return nullptr;
    BIO_meth_set_read_ex(method.get(), &read<Way>);
    BIO_meth_set_write_ex(method.get(), &write<Way>);
    BIO_meth_set_ctrl(method.get(), &control);
    return method;
  }
};

BIO* SocketBio::make_native() {
  using Callbacks = SocketBioCallbacks;
  static const Callbacks::Method direct = Callbacks::make_method<Callbacks::Socket>();
  static const Callbacks::Method layered = Callbacks::make_method<Callbacks::Below>();
  const Callbacks::Method& method = below_ == nullptr ? direct : layered;
  BIO* bio = method ? BIO_new(method.get()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace wskeep::net
