#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/client_slot.hpp"
#include "ipc/client_view.hpp"
#include "ipc/directory_watcher.hpp"
#include "ipc/line_stream.hpp"
#include "ipc/subscription.hpp"
#include "ipc/tap.hpp"
#include "websocket/message_reader.hpp"

namespace wskeep::ipc {

/// A local app that reads all connections that it may read, as `wskeep.v1`, NDJSON or server-sent
/// events. Lives on the server's executor; each connection has a tap on its own shard. The messages
/// of one connection stay in order. What connections a reload adds or removes come and go.
class MergedStream final : public std::enable_shared_from_this<MergedStream>,
                           public TapClient,
                           public DirectoryWatcher {
 public:
  using Descriptor = boost::asio::posix::stream_descriptor;

  struct Settings {
    Subscription subscription;
    std::string head;  ///< the answer's, or the 101
    std::size_t most_filters = 64;
    std::size_t buffer = std::size_t{256} << 10U;  ///< bytes on their way that nobody has read
    std::chrono::milliseconds comments{15'000};
  };

  /// How many of these there are, over all forms. Any thread.
  [[nodiscard]] static std::size_t count() noexcept;

  /// Answers and goes on by itself. `early_bytes` came behind the request.
  static void start(Descriptor descriptor, ClientSlot slot, std::shared_ptr<ClientView> view,
                    Settings settings, std::span<const std::byte> early_bytes);

  MergedStream(Descriptor descriptor, ClientSlot slot, std::shared_ptr<ClientView> view,
               Settings settings);
  MergedStream(const MergedStream&) = delete;
  MergedStream& operator=(const MergedStream&) = delete;
  ~MergedStream() override;

  void take(Piece piece) override;
  void opened(std::uint64_t number, std::shared_ptr<Tap> tap) override;
  void wants_to_go_on(std::uint64_t tap) override;
  void ended(std::uint64_t tap, End end) override;
  void directory_changed() override;
  void daemon_stops() override;

 private:
  struct Source {
    std::string name;
    std::shared_ptr<Upstream> upstream;  ///< nullptr once it has ended
    const Upstream* was = nullptr;
    std::shared_ptr<Tap> tap;  ///< nullptr until it is there
    bool unwanted = false;     ///< it is to end as soon as it is there
  };
  using Sources = std::map<std::uint64_t, Source>;

  friend class websocket::MessageReader;
  bool on_message(websocket::Opcode opcode, std::span<std::byte> payload);
  bool on_part(websocket::MessageReader::Part part, std::span<std::byte> payload);
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload);

  void begin(std::span<const std::byte> early_bytes);
  void add(const std::shared_ptr<Upstream>& upstream, const Subscription& subscription);
  void release(Source& source);
  void end_tap(Source& source);
  void look_again();
  void tell_removed(const std::string& name);
  void send_own(std::string_view json);
  void append_chunk(std::string_view text);
  [[nodiscard]] bool given_all() const;
  void end_when_complete();
  void close_when_stopped();
  void append_cursors();
  void flush();
  void wait_to_write();
  void written(std::size_t bytes);
  void wake_taps();
  void want_to_read();
  void read();
  void comment_from_time_to_time();
  void end_body();
  void close(std::uint16_t code, std::string_view reason);
  void finish();
  void leave();

  Descriptor descriptor_;
  ClientSlot slot_;
  std::shared_ptr<ClientView> view_;
  Settings settings_;
  Encoding encoding_;
  std::shared_ptr<InFlight> in_flight_;
  std::deque<Piece> queue_;     ///< tap 0: its own
  std::size_t front_sent_ = 0;  ///< bytes of the first
  std::uint64_t next_tap_ = 1;
  Sources sources_;
  std::size_t open_sources_ = 0;        ///< of them, those whose connection has not ended
  bool looks_again_ = false;            ///< at the directory, soon
  std::vector<std::uint64_t> waiting_;  ///< taps
  Cursors seen_;                        ///< for server-sent events: what was put into the queue
  std::size_t since_cursors_ = 0;       ///< bytes since they were told
  websocket::MessageReader frames_;
  boost::asio::steady_timer comment_timer_;
  boost::asio::steady_timer close_timer_;
  bool waiting_to_write_ = false;
  bool commented_ = false;
  bool stopping_ = false;  ///< the daemon: its connections end one by one
  bool close_sent_ = false;
  bool finishing_ = false;
  bool shut_ = false;
  bool gone_ = false;
};

}  // namespace wskeep::ipc
