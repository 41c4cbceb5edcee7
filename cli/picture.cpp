#include "cli/picture.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "cli/attempt_row.hpp"
#include "cli/bar.hpp"
#include "cli/escape.hpp"
#include "cli/wrap.hpp"

namespace wskeep::cli {

namespace {

constexpr std::size_t margin = 4;  // the mark stands in it
constexpr std::size_t gap = 2;

struct Widths {
  std::size_t label = 0;
  std::size_t bar = 0;
  std::size_t figures = 0;  ///< which of them
};

std::string cut(std::string_view text, std::size_t width, const Canvas& canvas) {
  std::string shown = shorten(text, width);
  constexpr std::string_view dots = "…";
  if (!canvas.unicode && display_width(text) > width && shown.ends_with(dots)) {
    shown.replace(shown.size() - dots.size(), dots.size(), "~");
  }
  return shown;
}

std::string mark_of(AttemptOutcome outcome, const Canvas& canvas) {
  switch (outcome) {
    case AttemptOutcome::none:
      return " ";
    case AttemptOutcome::good:
      return canvas.painted(canvas.either("✓", "+"), Color::green);
    case AttemptOutcome::bad:
      return canvas.painted(canvas.either("✗", "x"), Color::red);
    case AttemptOutcome::running:
      return canvas.painted(canvas.either("▸", ">"), Color::yellow);
    case AttemptOutcome::not_needed:
      return canvas.painted(canvas.either("·", "-"), Color::dim);
  }
  return " ";
}

/// Whether steps of it that are not done still can be.
bool runs(const Cycle& cycle) {
  return !cycle.failure && !cycle.session;
}

/// When a step that is not done was given up, or now.
milliseconds end_of_steps(const Cycle& cycle, milliseconds now) {
  if (runs(cycle)) return now;
  const milliseconds begun = cycle.ended.value_or(now);
  return cycle.session ? begun + cycle.session->lived : begun;
}

/// The time that the whole picture of a cycle spans.
milliseconds length_of(const Cycle& cycle, milliseconds now) {
  milliseconds length = cycle.ended.value_or(now);
  for (const UrlAttempt& leg : cycle.legs) {
    if (leg.resolve) length = std::max(length, leg.resolve->started + leg.resolve->duration);
    for (const AddressAttempt& address : leg.addresses) {
      length = std::max(length, address.ended.value_or(address.started));
    }
  }
  for (const auto* const steps : {&cycle.prepare, &cycle.script}) {
    for (const StepAttempt& step : *steps) {
      const milliseconds took =
          step.took.value_or(std::max(end_of_steps(cycle, now) - step.started, milliseconds(0)));
      length = std::max(length, step.started + took);
    }
  }
  return std::max(length, milliseconds(1));
}

milliseconds since_start(const Cycle& cycle, SystemTime now) {
  if (!cycle.started || now <= *cycle.started) return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(now - *cycle.started);
}

class Drawing {
 public:
  Drawing(std::span<const Cycle> cycles, SystemTime now, const Canvas& canvas)
      : cycles_(cycles), now_(now), canvas_(canvas) {}

  std::string draw();

 private:
  struct LegRows {
    std::vector<AttemptRow> rows;  ///< that of the look-up first, where there is one
  };
  struct CycleRows {
    std::vector<AttemptRow> prepare;
    std::vector<LegRows> legs;
    std::vector<AttemptRow> script;
  };
  [[nodiscard]] CycleRows rows_of(const Cycle& cycle) const;
  [[nodiscard]] Widths measure() const;
  void cycle(const Cycle& cycle, const CycleRows& rows);
  void heading(const Cycle& cycle);
  void leg(const UrlAttempt& leg, const LegRows& rows, milliseconds length);
  void steps(const std::vector<StepAttempt>& steps, const std::vector<AttemptRow>& rows,
             milliseconds length, bool running);
  void row(const AttemptRow& row, milliseconds length);
  void under(std::string_view text, Color color = Color::none);
  void failed(const ShownFailure& failure);
  void outcome(const Cycle& cycle);
  void legend();
  [[nodiscard]] bool drawn_already(const Cycle& cycle, const ShownFailure& failure) const;

  std::span<const Cycle> cycles_;
  SystemTime now_;
  const Canvas& canvas_;
  std::vector<CycleRows> rows_;  ///< by cycle
  Widths widths_;
  std::array<bool, all_phases.size()> used_{};
  std::string output_;
};

std::string Drawing::draw() {
  for (const Cycle& each : cycles_) rows_.push_back(rows_of(each));
  widths_ = measure();
  for (std::size_t index = 0; index < cycles_.size(); ++index) cycle(cycles_[index], rows_[index]);
  legend();
  return std::move(output_);
}

Drawing::CycleRows Drawing::rows_of(const Cycle& cycle) const {
  const milliseconds now = since_start(cycle, now_);
  CycleRows rows;
  for (const UrlAttempt& one : cycle.legs) {
    LegRows made;
    if (one.resolve && !is_literal(*one.resolve)) made.rows.push_back(make_row(*one.resolve));
    for (const AddressAttempt& address : one.addresses) {
      made.rows.push_back(make_row(address, one, now));
    }
    rows.legs.push_back(std::move(made));
  }
  const milliseconds end = end_of_steps(cycle, now);
  for (const StepAttempt& step : cycle.prepare) {
    rows.prepare.push_back(make_row(step, Phase::prepare, end, runs(cycle)));
  }
  for (const StepAttempt& step : cycle.script) {
    rows.script.push_back(make_row(step, Phase::script, end, runs(cycle)));
  }
  return rows;
}

Widths Drawing::measure() const {
  constexpr std::size_t least_bar = 14;
  constexpr std::size_t widest_bar = 64;
  std::size_t label = 0;
  std::array<std::size_t, 3> figures{};
  const auto fit = [&](const std::vector<AttemptRow>& rows) {
    for (const AttemptRow& one : rows) {
      label = std::max(label, display_width(one.label));
      for (std::size_t form = 0; form < figures.size(); ++form) {
        figures[form] = std::max(figures[form], display_width(one.figures[form]));
      }
    }
  };
  for (const CycleRows& cycle : rows_) {
    fit(cycle.prepare);
    for (const LegRows& each : cycle.legs) fit(each.rows);
    fit(cycle.script);
  }
  const auto room_beside = [&](std::size_t columns) {
    const std::size_t taken = margin + 2 * gap + columns;
    return canvas_.width > taken ? canvas_.width - taken : 0;
  };
  Widths widths;
  const std::size_t most = std::max<std::size_t>(canvas_.width / 3, 15);
  widths.label = std::min({label, most, room_beside(0)});
  while (widths.figures + 1 < figures.size() &&
         room_beside(widths.label + figures[widths.figures]) < least_bar) {
    ++widths.figures;
  }
  widths.bar = std::min(room_beside(widths.label + figures[widths.figures]), widest_bar);
  return widths;
}

void Drawing::heading(const Cycle& cycle) {
  const std::string_view rule = canvas_.either("─", "-");
  std::string text = "attempt " + std::to_string(cycle.number);
  const auto add = [&](const std::string& more) {
    text += std::string(canvas_.either(" · ", ", ")) + more;
  };
  if (cycle.started) {
    add(clock_text(*cycle.started, now_));
    add(format_duration(now_ - *cycle.started) + " ago");
  }
  add(cycle.ended ? "took " + span_text(*cycle.ended) : std::string("under way"));
  text = cut(text, canvas_.width > 6 ? canvas_.width - 6 : 1, canvas_);
  std::string line;
  for (int each = 0; each < 2; ++each) line += rule;
  std::string rest;
  for (std::size_t at = display_width(text) + 4; at < canvas_.width; ++at) rest += rule;
  output_ += "\n" + canvas_.painted(line, Color::dim) + " " + canvas_.painted(text, Color::bold) +
             " " + canvas_.painted(rest, Color::dim) + "\n";
}

void Drawing::cycle(const Cycle& cycle, const CycleRows& rows) {
  heading(cycle);
  const milliseconds length = length_of(cycle, since_start(cycle, now_));
  steps(cycle.prepare, rows.prepare, length, runs(cycle));
  for (std::size_t index = 0; index < rows.legs.size(); ++index) {
    leg(cycle.legs[index], rows.legs[index], length);
  }
  steps(cycle.script, rows.script, length, runs(cycle));
  outcome(cycle);
}

void Drawing::steps(const std::vector<StepAttempt>& steps, const std::vector<AttemptRow>& rows,
                    milliseconds length, bool running) {
  for (std::size_t index = 0; index < steps.size(); ++index) {
    row(rows[index], length);
    if (!steps[index].waits_for.empty()) {
      under((running ? "waits for " : "waited in vain for ") + visible(steps[index].waits_for),
            running ? Color::yellow : Color::red);
    }
    if (steps[index].failure) failed(*steps[index].failure);
  }
}

void Drawing::leg(const UrlAttempt& leg, const LegRows& rows, milliseconds length) {
  std::string url = visible(leg.url);
  if (leg.redirected) url = "redirected to " + url;
  if (!leg.proxy.empty()) url += " through " + visible(leg.proxy);
  if (!url.empty()) under(url, Color::bold);
  std::size_t next = 0;
  if (leg.resolve && !is_literal(*leg.resolve)) {
    row(rows.rows[next++], length);
    const std::string answers = answers_text(*leg.resolve);
    if (!answers.empty()) under(std::string(canvas_.either("→ ", "-> ")) + answers, Color::dim);
    if (leg.resolve->failure) failed(*leg.resolve->failure);
  }
  for (const AddressAttempt& address : leg.addresses) {
    row(rows.rows[next++], length);
    if (address.failure && outcome_of(address) == AttemptOutcome::bad) failed(*address.failure);
  }
}

void Drawing::row(const AttemptRow& row, milliseconds length) {
  const std::string label = cut(row.label, widths_.label, canvas_);
  output_ += "  " + mark_of(row.outcome, canvas_) + " " + label;
  output_.append(widths_.label - display_width(label) + gap, ' ');
  // Columns of one look are painted at once.
  const auto cells = lay_out(row.segments, length, widths_.bar);
  for (std::size_t at = 0; at < cells.size();) {
    std::size_t end = at;
    while (end < cells.size() && cells[end] == cells[at]) ++end;
    std::string piece;
    for (std::size_t each = at; each < end; ++each) {
      piece += cells[at] ? canvas_.either(look_of(*cells[at]).fine, look_of(*cells[at]).plain)
                         : std::string_view(" ");
    }
    if (cells[at]) used_.at(static_cast<std::size_t>(*cells[at])) = true;
    output_ += cells[at] ? canvas_.painted(piece, look_of(*cells[at]).color) : piece;
    at = end;
  }
  const std::size_t taken = margin + widths_.label + widths_.bar + 2 * gap;
  const std::string figures = cut(row.figures.at(widths_.figures),
                                  canvas_.width > taken ? canvas_.width - taken : 0, canvas_);
  output_.append(gap, ' ');
  output_ += canvas_.painted(figures,
                             row.outcome == AttemptOutcome::not_needed ? Color::dim : Color::none);
  output_ += "\n";
}

void Drawing::under(std::string_view text, Color color) {
  for (const std::string& line : wrap(text, canvas_.width > margin ? canvas_.width - margin : 1)) {
    output_ += std::string(margin, ' ') + canvas_.painted(line, color) + "\n";
  }
}

void Drawing::failed(const ShownFailure& failure) {
  // The name is painted by itself, so the width is that of the plain text.
  const std::string name = visible(failure.error);
  const std::string head(canvas_.either("└ ", "` "));
  const std::string text = failure.message.empty() ? name : name + ": " + visible(failure.message);
  const std::size_t indent = margin + display_width(head);
  bool first = true;
  for (std::string line : wrap(text, canvas_.width > indent ? canvas_.width - indent : 1)) {
    if (first && line.starts_with(name)) {
      line = canvas_.painted(name, Color::red) + line.substr(name.size());
    }
    output_ += first ? std::string(margin, ' ') + canvas_.painted(head, Color::dim)
                     : std::string(indent, ' ');
    output_ += line + "\n";
    first = false;
  }
}

bool Drawing::drawn_already(const Cycle& cycle, const ShownFailure& failure) const {
  // The cycle's sentence is that of one of its steps, with the address in front.
  const auto same = [&](const std::optional<ShownFailure>& other) {
    return other && other->error == failure.error && failure.message.ends_with(other->message);
  };
  const auto told = [&](const StepAttempt& step) { return same(step.failure); };
  if (std::ranges::any_of(cycle.prepare, told)) return true;
  return std::ranges::any_of(cycle.legs, [&](const UrlAttempt& leg) {
    return (leg.resolve && same(leg.resolve->failure)) ||
           std::ranges::any_of(leg.addresses,
                               [&](const AddressAttempt& each) { return same(each.failure); });
  });
}

void Drawing::outcome(const Cycle& cycle) {
  if (cycle.failure && !drawn_already(cycle, *cycle.failure)) failed(*cycle.failure);
  std::string text;
  if (cycle.session) {
    text = "the session lived " + span_text(cycle.session->lived);
    if (cycle.session->close_code != 0) {
      text += ", close code " + std::to_string(cycle.session->close_code);
    }
    under(std::string(canvas_.either("→ ", "-> ")) + text, Color::green);
    if (cycle.session->failure) failed(*cycle.session->failure);
  } else if (cycle.ended && !cycle.failure) {
    const bool opening =
        std::ranges::any_of(cycle.script, [](const StepAttempt& step) { return !step.took; });
    under(std::string(canvas_.either("→ ", "-> ")) + (opening ? "is being opened" : "connected"),
          opening ? Color::yellow : Color::green);
  }
  if (!cycle.next) return;
  const std::string arrow(canvas_.either("→ ", "-> "));
  const std::string reason = reason_of(*cycle.next);
  const std::string what = cycle.next->verdict == "stop" ? std::string("nothing more is tried")
                                                         : "waits " + span_text(cycle.next->wait);
  under(arrow + what + (reason.empty() ? "" : ", " + reason), Color::dim);
}

void Drawing::legend() {
  std::size_t column = 0;
  for (const Phase phase : all_phases) {
    if (!used_.at(static_cast<std::size_t>(phase))) continue;
    const PhaseLook& look = look_of(phase);
    const std::size_t width = look.name.size() + 5;
    const bool begins = column == 0 || column + width > canvas_.width;
    if (begins) {
      output_ += "\n" + std::string(margin, ' ');
      column = margin;
    } else {
      output_ += "   ";
    }
    output_ += canvas_.painted(canvas_.either(look.fine, look.plain), look.color) + " " +
               canvas_.painted(look.name, Color::dim);
    column += width;
  }
  if (column > 0) output_ += "\n";
}

}  // namespace

Canvas canvas_of(const Console& console) noexcept {
  Canvas canvas;
  if (const std::size_t columns = console.size().columns; columns > 0) canvas.width = columns;
  canvas.unicode = console.output_unicode();
  canvas.colors = console.output_colors();
  return canvas;
}

std::string draw_cycles(std::span<const Cycle> cycles, SystemTime now, const Canvas& canvas) {
  return Drawing(cycles, now, canvas).draw();
}

std::string clock_text(SystemTime time, SystemTime now) {
  const std::string whole = format_time(time);
  constexpr std::size_t date = 10;
  constexpr std::size_t clock = 8;
  const std::string text = whole.substr(date + 1, clock) + " UTC";
  const bool today = whole.substr(0, date) == format_time(now).substr(0, date);
  return today ? text : whole.substr(0, date) + " " + text;
}

std::string reason_of(const NextStep& next) {
  if (next.rule.empty()) return {};
  if (next.rule == "default") {
    if (next.verdict == "slow") return "the slowest pace, as a retry alone will hardly mend it";
    if (next.verdict == "stop") return {};
    return "the usual back-off";
  }
  if (next.rule == "Retry-After") return "as the server's Retry-After asks";
  if (next.rule == "paused") return "because a person paused it";
  if (next.rule == "resumed") return "because a person resumed it";
  if (next.rule == "reconnect_requested") return "because a person asked for a new session";
  if (next.rule == "reconfigured") return "because the configuration changed";
  if (next.rule == "lifetime") return "because the session was as old as lifetime allows";
  if (next.rule.ends_with("budget") || next.rule.starts_with("connects")) {
    return "because " + visible(next.rule) + " allows no connect before";
  }
  return "because " + visible(next.rule) +
         (next.verdict.empty() ? "" : " says " + visible(next.verdict));
}

}  // namespace wskeep::cli
