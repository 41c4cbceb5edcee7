#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

/// The ring as it lies in memory: docs/ring.md describes it byte by byte. Nothing in it is a
/// pointer, so that it can be mapped anywhere, by others too, and kept in a file.
namespace wskeep::ring {

inline constexpr std::uint64_t magic = 0x00474E4952534B57U;  ///< "WKSRING" in memory order
inline constexpr std::uint32_t layout_version = 2;

/// What a frame is of its message.
enum class Part : std::uint8_t { whole = 0, first = 1, more = 2, last = 3 };

/// One message, or a part of one. 24 bytes.
struct Entry {
  std::uint64_t position = 0;    ///< of its frame's first byte, counted since the epoch began
  std::uint64_t time_ns = 0;     ///< when its last byte was received, since 1970
  std::uint32_t size = 0;        ///< bytes of the frame, header included
  std::uint8_t opcode = 0;       ///< of the message; RFC 6455: 1 text, 2 binary
  std::uint8_t header_size = 0;  ///< 2, 4 or 10
  Part part = Part::whole;
  std::uint8_t broken_off = 0;  ///< 1: the message was never ended, and no more parts follow

  [[nodiscard]] std::uint32_t payload_size() const noexcept { return size - header_size; }
  /// A message begins with it.
  [[nodiscard]] bool begins() const noexcept { return part == Part::whole || part == Part::first; }
};
static_assert(sizeof(Entry) == 24);

/// The front of the memory. The counters are written by one thread, last of all, so that a reader
/// in another process that checks `first` again after copying knows whether what it copied was
/// whole.
struct Header {
  std::uint64_t magic_number = 0;
  std::uint32_t version = 0;
  std::uint32_t header_bytes = 0;  ///< offset of the index
  std::uint64_t epoch = 0;
  std::uint64_t index_slots = 0;     ///< a power of two; message n has slot n % index_slots
  std::uint64_t data_offset = 0;     ///< a multiple of the page size
  std::uint64_t data_bytes = 0;      ///< likewise; position p lies at data_offset + p % data_bytes
  std::atomic<std::uint64_t> first;  ///< sequence number of the oldest message that is kept
  std::atomic<std::uint64_t> next;   ///< sequence number that the next message will get
  std::atomic<std::uint64_t> end;    ///< position behind the newest message
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The ring's memory: header, index and data, the data mapped a second time right behind itself.
class Memory {
 public:
  /// `data_bytes` is rounded up to whole pages, `index_slots` to a power of two. Throws
  /// std::system_error.
  Memory(std::size_t data_bytes, std::size_t index_slots);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory(Memory&&) = delete;
  Memory& operator=(Memory&&) = delete;
  ~Memory();

  [[nodiscard]] Header& header() noexcept { return *header_; }
  [[nodiscard]] const Header& header() const noexcept { return *header_; }
  [[nodiscard]] Entry* index() noexcept { return index_; }
  [[nodiscard]] const Entry* index() const noexcept { return index_; }
  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }

 private:
  std::byte* base_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  Header* header_ = nullptr;
  Entry* index_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace wskeep::ring
