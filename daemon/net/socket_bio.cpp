#include "daemon/net/socket_bio.hpp"

#include <openssl/bio.h>

#include <span>

#include "daemon/net/socket.hpp"

namespace wskeep::net {

using Status = IoResult::Status;

struct SocketBioCallbacks {
  static SocketBio& self(BIO* bio) { return *static_cast<SocketBio*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* buffer, std::size_t size, std::size_t* count) {
    SocketBio& socket = self(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    if (socket.drained_) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const IoResult result =
        receive_some(socket.descriptor_, std::as_writable_bytes(std::span(buffer, size)));
    if (result.status == Status::done) {
      *count = result.bytes;
      socket.drained_ = result.bytes < size;
      return 1;
    }
    if (result.status == Status::end) {
      socket.ended_ = true;
      return 0;
    }
    return stopped(bio, socket, result, &retry_read);
  }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) {
    SocketBio& socket = self(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    const IoResult result = send_some(socket.descriptor_, std::as_bytes(std::span(data, size)));
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

  static BIO_METHOD* make_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wskeep socket");
    if (method == nullptr) return nullptr;
    BIO_meth_set_read_ex(method, &read);
    BIO_meth_set_write_ex(method, &write);
    BIO_meth_set_ctrl(method, &control);
    return method;
  }
};

BIO* SocketBio::make_native() {
  struct Free {
    void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  };
  static const std::unique_ptr<BIO_METHOD, Free> method(SocketBioCallbacks::make_method());
  BIO* bio = method ? BIO_new(method.get()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace wskeep::net
