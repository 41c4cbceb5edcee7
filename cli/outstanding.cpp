#include "cli/outstanding.hpp"

#include <charconv>

namespace wskeep::cli {

void Outstanding::take(const Event& event) {
  const bool failed = event.name == "failed";
  if (!failed && event.name != "sent") return;
  std::uint64_t number = 0;
  const char* end = event.id.data() + event.id.size();
  const auto result = std::from_chars(event.id.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end || number == 0 || number > queued_) return;
  if (waiting() == 0) return;
  if (!failed) {
    ++sent_;
    return;
  }
  ++failed_;
  if (!failure_) failure_ = Failure{number, event.error, event.message};
}

}  // namespace wskeep::cli
