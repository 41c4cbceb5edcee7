#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "cli/picture.hpp"

namespace wskeep::cli {

/// The events of `wskeepd --dry-run`, as lines for people.
class DryRunPrinter {
 public:
  /// `cut`: lines are no wider than the canvas.
  DryRunPrinter(const Canvas& canvas, bool cut) : canvas_(canvas), cut_(cut) {}

  /// One event: a line, or several. Empty for what there is nothing to say of.
  [[nodiscard]] std::string print(const boost::json::object& event) const;

 private:
  enum class Mark : unsigned char { none, out, in, good, bad, waits };

  [[nodiscard]] std::string line(const boost::json::object& event, Mark mark,
                                 std::string_view text) const;
  [[nodiscard]] std::string message(const boost::json::object& event, Mark mark) const;
  [[nodiscard]] std::string opened(const boost::json::object& event) const;
  [[nodiscard]] std::string failed(const boost::json::object& event) const;
  [[nodiscard]] std::string ended(const boost::json::object& event) const;
  [[nodiscard]] std::string finished(const boost::json::object& event) const;
  [[nodiscard]] std::string advice(std::string_view error) const;
  [[nodiscard]] std::string mark_text(Mark mark) const;

  Canvas canvas_;
  bool cut_;
};

}  // namespace wskeep::cli
