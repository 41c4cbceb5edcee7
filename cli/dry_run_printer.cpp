#include "cli/dry_run_printer.hpp"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>

#include "cli/advice.hpp"
#include "cli/attempt_row.hpp"
#include "cli/attempts.hpp"
#include "cli/escape.hpp"
#include "cli/format.hpp"
#include "cli/json_access.hpp"
#include "cli/wrap.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

/// The time, a mark, and spaces around it.
constexpr std::size_t margin = 12;

std::string elapsed_text(const object& event) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%8.3f",
                number_of(event, "elapsed_us").value_or(0) / 1e6);
  return text.data();
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 2 <= hex.size(); at += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + at, hex.data() + at + 2, value, 16);
    bytes += static_cast<char>(static_cast<unsigned char>(value));
  }
  return bytes;
}

std::string payload_text(const object& event) {
  if (text_of(event, "type") != "binary") return visible(text_of(event, "text"));
  if (event.contains("text")) return visible(text_of(event, "text"));
  std::string text;
  append_visible_bytes(text, from_hex(text_of(event, "hex")));
  return text;
}

/// An end that was ours and went as it should.
bool is_ours(std::string_view error) {
  return error.empty() || error == "none" || error == "stopped" || error == "lifetime";
}

Attempts attempt_of(const object& event) {
  const object* const attempt = object_of(event, "attempt");
  return attempt == nullptr ? Attempts()
                            : parse_attempts(object{{"cycles", boost::json::array{*attempt}}});
}

}  // namespace

std::string DryRunPrinter::mark_text(Mark mark) const {
  switch (mark) {
    case Mark::none:
      break;
    case Mark::out:
      return canvas_.painted(canvas_.either("→", ">"), Color::cyan);
    case Mark::in:
      return canvas_.painted(canvas_.either("←", "<"), Color::blue);
    case Mark::good:
      return canvas_.painted(canvas_.either("✓", "+"), Color::green);
    case Mark::bad:
      return canvas_.painted(canvas_.either("✗", "x"), Color::red);
    case Mark::waits:
      return canvas_.painted(canvas_.either("▸", "*"), Color::yellow);
  }
  return " ";
}

std::string DryRunPrinter::line(const object& event, Mark mark, std::string_view text) const {
  const std::size_t room = canvas_.width > margin ? canvas_.width - margin : 1;
  std::string shown(text);
  if (cut_) {
    shown = canvas_.unicode ? shorten(text, room) : std::string(text.substr(0, room));
  }
  return canvas_.painted(elapsed_text(event), Color::dim) + " " + mark_text(mark) + "  " + shown +
         "\n";
}

std::string DryRunPrinter::message(const object& event, Mark mark) const {
  const std::string part = text_of(event, "part");
  const std::string type = text_of(event, "type");
  return line(event, mark,
              (part.empty() ? "" : visible(part) + ": ") + (type == "binary" ? "binary " : "") +
                  format_bytes(number_of(event, "size").value_or(0)) + "  " + payload_text(event));
}

std::string DryRunPrinter::opened(const object& event) const {
  std::string text = "connected to " + visible(text_of(event, "remote_address"));
  if (const auto status = count_of(event, "http_status"); status.value_or(0) != 0) {
    text += ", HTTP " + std::to_string(*status);
  }
  if (const std::string protocol = text_of(event, "subprotocol"); !protocol.empty()) {
    text += ", subprotocol " + visible(protocol);
  }
  const Attempts attempts = attempt_of(event);
  if (!attempts.cycles.empty() && attempts.cycles.front().ended) {
    text += ", after " + span_text(*attempts.cycles.front().ended);
  }
  std::string prepared;
  if (!attempts.cycles.empty()) {
    for (const StepAttempt& step : attempts.cycles.front().prepare) {
      prepared += line(event, Mark::good,
                       visible(step.step) + ": " + visible(step.kind) + " took " +
                           span_text(step.took.value_or(milliseconds(0))));
    }
  }
  return prepared + line(event, Mark::good, text);
}

std::string DryRunPrinter::advice(std::string_view error) const {
  const Advice* const found = find_advice(error);
  if (found == nullptr) return {};
  std::string text;
  const std::size_t room = canvas_.width > margin ? canvas_.width - margin : 1;
  for (const std::string& each : wrap(found->advice, room)) {
    text += std::string(margin, ' ') + canvas_.painted(each, Color::yellow) + "\n";
  }
  return text;
}

std::string DryRunPrinter::failed(const object& event) const {
  const std::string error = text_of(event, "error");
  std::string text =
      line(event, Mark::bad,
           "not connected: " + visible(error) + ": " + visible(text_of(event, "message")));
  const Attempts attempts = attempt_of(event);
  return text + advice(error) +
         draw_cycles(attempts.cycles, std::chrono::system_clock::now(), canvas_);
}

std::string DryRunPrinter::ended(const object& event) const {
  const std::string error = text_of(event, "error");
  const auto code = count_of(event, "close_code").value_or(0);
  const std::string lived = " after " +
                            span_text(milliseconds(count_of(event, "lived_ms").value_or(0))) +
                            (code == 0 ? "" : ", close code " + std::to_string(code));
  if (is_ours(error)) return line(event, Mark::none, "closed" + lived);
  std::string text =
      line(event, Mark::bad,
           "ended" + lived + ": " + visible(error) + ": " + visible(text_of(event, "message")));
  const Attempts attempts = attempt_of(event);
  if (!attempts.cycles.empty() && !attempts.cycles.front().script.empty()) {
    const StepAttempt& last = attempts.cycles.front().script.back();
    if (!last.waits_for.empty()) {
      text += std::string(margin, ' ') + visible(last.step) + " waited in vain for " +
              visible(last.waits_for) + "\n";
    }
  }
  return text + advice(error);
}

std::string DryRunPrinter::finished(const object& event) const {
  const auto traffic = [&](const std::string& direction) {
    const std::uint64_t count = count_of(event, "messages_" + direction).value_or(0);
    return format_count(count) + (count == 1 ? " message (" : " messages (") +
           format_bytes(number_of(event, "bytes_" + direction).value_or(0)) + ")";
  };
  const boost::json::value* const ready = event.if_contains("ready");
  const bool was_ready = ready != nullptr && ready->is_bool() && ready->get_bool();
  return line(event, was_ready ? Mark::good : Mark::bad,
              std::string(was_ready ? "was ready" : "never became ready") + "; " + traffic("in") +
                  " came, " + traffic("out") + " went");
}

std::string DryRunPrinter::print(const object& event) const {
  const std::string kind = text_of(event, "event");
  const std::string part = visible(text_of(event, "part"));
  if (kind == "connecting") {
    return line(event, Mark::waits, "connecting to " + visible(text_of(event, "url")));
  }
  if (kind == "opened") return opened(event);
  if (kind == "failed") return failed(event);
  if (kind == "step")
    return line(event, Mark::waits, part + ": " + visible(text_of(event, "text")));
  if (kind == "done") return line(event, Mark::good, part + ": done");
  if (kind == "met") {
    return line(event, Mark::good,
                part + ": condition " + describe(event.at("condition")) + " is met");
  }
  if (kind == "set") {
    const std::string value =
        event.contains("value") ? " to " + visible(text_of(event, "value")) : std::string();
    return line(event, Mark::none, part + ": sets " + visible(text_of(event, "name")) + value);
  }
  if (kind == "answered") return line(event, Mark::good, part + ": answered");
  if (kind == "ready") return line(event, Mark::good, canvas_.painted("ready", Color::green));
  if (kind == "sent") return message(event, Mark::out);
  if (kind == "received") return message(event, Mark::in);
  if (kind == "ended") return ended(event);
  if (kind == "finished") return finished(event);
  return {};  // of a newer daemon
}

}  // namespace wskeep::cli
