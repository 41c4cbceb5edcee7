#include "ring/layout.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <new>
#include <system_error>

namespace wskeep::ring {
namespace {

/// The index begins in the header's own page: a connection that is idle then touches one page less.
constexpr std::size_t header_bytes = 128;
static_assert(sizeof(Header) <= header_bytes && header_bytes % alignof(Entry) == 0);

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

std::byte* map_at(std::byte* address, std::size_t bytes, int descriptor, std::size_t offset) {
  void* mapped = ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor,
                        static_cast<off_t>(offset));
  if (mapped == MAP_FAILED) fail("mapping a ring's memory");
  return static_cast<std::byte*>(mapped);
}

}  // namespace

Memory::Memory(std::size_t data_bytes, std::size_t index_slots) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t slots = std::bit_ceil(index_slots);
  const std::size_t data_size = round_up(data_bytes, page);
  const std::size_t data_offset = round_up(header_bytes + slots * sizeof(Entry), page);

  const Descriptor file(::memfd_create("wskeep-ring", MFD_CLOEXEC));
  if (file.number() < 0) fail("creating a ring's memory");
  if (::ftruncate(file.number(), static_cast<off_t>(data_offset + data_size)) != 0) {
    fail("sizing a ring's memory");
  }

  // Room for all of it first, so that the second mapping can be placed right behind the first.
  mapped_bytes_ = data_offset + 2 * data_size;
  void* room =
      ::mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) fail("reserving addresses for a ring");
  base_ = static_cast<std::byte*>(room);
  try {
    map_at(base_, data_offset + data_size, file.number(), 0);
    map_at(base_ + data_offset + data_size, data_size, file.number(), data_offset);
  } catch (...) {
    ::munmap(base_, mapped_bytes_);
    throw;
  }

  header_ = ::new (base_) Header;
  header_->magic_number = magic;
  header_->version = layout_version;
  header_->header_bytes = header_bytes;
  header_->index_slots = slots;
  header_->data_offset = data_offset;
  header_->data_bytes = data_size;
  index_ = reinterpret_cast<Entry*>(base_ + header_bytes);
  data_ = base_ + data_offset;
}

Memory::~Memory() {
  ::munmap(base_, mapped_bytes_);
}

}  // namespace wskeep::ring
