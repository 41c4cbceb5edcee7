#include "daemon/log_limit.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace wskeep::daemon {

LogLimit::LogLimit(const config::Rate& rate, std::size_t most) : rate_(rate), most_(most) {}

std::vector<LogLimit::LeftOut> LogLimit::sweep(TimePoint now) {
  std::vector<LeftOut> told;
  while (!windows_.empty() && (now == TimePoint::max() || windows_.size() >= most_ ||
                               now - windows_.front().begun >= rate_.per)) {
    end_oldest(told);
  }
  return told;
}

void LogLimit::end_oldest(std::vector<LeftOut>& told) {
  Window& oldest = windows_.front();
  by_key_.erase(oldest.key);
  if (oldest.left_out.lines > 0) {
    --leaving_out_;
    told.push_back(std::move(oldest.left_out));
  }
  windows_.pop_front();
}

bool LogLimit::pass(std::string_view connection, std::string_view event, config::LogLevel level,
                    TimePoint now) {
  if (rate_.off()) return true;
  // No name of a connection has a space in it.
  std::string key = std::string(connection).append(" ").append(event);
  const auto [found, is_new] = by_key_.try_emplace(std::move(key));
  if (is_new) {
    windows_.push_back(
        {found->first, now, 0, {std::string(connection), event, level, 0, rate_.per}});
    found->second = std::prev(windows_.end());
  }
  Window& window = *found->second;
  if (window.passed < rate_.count) {
    ++window.passed;
    return true;
  }
  LeftOut& left_out = window.left_out;
  left_out.level = left_out.lines == 0 ? level : std::max(left_out.level, level);
  if (left_out.lines++ == 0) ++leaving_out_;
  return false;
}

std::optional<LogLimit::TimePoint> LogLimit::due() const {
  if (leaving_out_ == 0) return std::nullopt;
  return windows_.front().begun + rate_.per;
}

void LogLimit::configure(const config::Rate& rate) {
  rate_ = rate;
}

}  // namespace wskeep::daemon
