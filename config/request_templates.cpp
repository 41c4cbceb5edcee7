#include "config/request_templates.hpp"

#include <algorithm>
#include <vector>

#include "config/place_within.hpp"
#include "config/session.hpp"

namespace wskeep::config {
namespace {

constexpr std::string_view scheme_end = "://";
constexpr char mark = 'x';  ///< stands for a value

/// What has a value when a connection is begun. The order is that in which suggestions name them.
std::vector<std::string_view> known_before_a_session(const SessionScript& script) {
  std::vector<std::string_view> known;
  for (const Constant& constant : script.variables) {
    known.emplace_back(constant.name);
  }
  for (const Remembered& remembered : script.remember) {
    known.emplace_back(remembered.variable);
  }
  for (const PrepareStep& step : script.prepare) {
    for (const Assignment& assignment : step.set) {
      known.emplace_back(assignment.variable);
    }
  }
  std::ranges::sort(known);
  return known;
}

void add_names(const std::vector<Assignment>& set, std::vector<std::string_view>& names) {
  for (const Assignment& assignment : set) {
    names.emplace_back(assignment.variable);
  }
}

/// What a session sets, and forgets when it ends.
std::vector<std::string_view> known_in_a_session(const SessionScript& script) {
  std::vector<std::string_view> names;
  for (const auto* const steps : {&script.open, &script.resume}) {
    for (const ScriptStep& step : *steps) {
      if (const auto* const wait = std::get_if<WaitStep>(&step)) {
        add_names(wait->set, names);
      } else if (const auto* const set = std::get_if<SetStep>(&step)) {
        add_names(set->set, names);
      } else if (const auto* const send = std::get_if<SendStep>(&step)) {
        add_names(send->set, names);
      }
    }
  }
  for (const Reply& reply : script.replies) {
    add_names(reply.set, names);
  }
  return names;
}

}  // namespace

void RequestTemplates::note(const std::string& key, const Template& text, Place place,
                            const std::string& path) {
  templates_.insert_or_assign(key, Noted{text, place, path});
}

void RequestTemplates::check(const SessionScript* script, Problems& problems) const {
  const auto known =
      script == nullptr ? std::vector<std::string_view>() : known_before_a_session(*script);
  const auto later =
      script == nullptr ? std::vector<std::string_view>() : known_in_a_session(*script);
  for (const auto& [key, noted] : templates_) {
    try {
      noted.text.check_variables(known);
    } catch (const TemplateError& error) {
      const std::string_view at = std::string_view(noted.text.source()).substr(error.offset());
      const bool of_session =
          std::ranges::any_of(later, [&](std::string_view name) { return at.starts_with(name); });
      add_within(problems, noted.place, noted.path,
                 of_session ? TemplateError(error.offset(),
                                            std::string(error.what()) +
                                                "; what a session sets is forgotten before the "
                                                "next one: put it under 'session.remember'")
                            : error);
    }
  }
}

void check_url_template(const Template& url, Url (*parse)(std::string_view)) {
  std::string shape;
  std::size_t first_mark = std::string::npos;
  std::size_t last_mark_of_authority = std::string::npos;
  for (const Template::Part& part : url.parts()) {
    if (const auto* const literal = std::get_if<std::string>(&part)) {
      shape += *literal;
      continue;
    }
    const std::size_t scheme = shape.find(scheme_end);
    const bool in_authority =
        scheme != std::string::npos &&
        shape.find_first_of("/?", scheme + scheme_end.size()) == std::string::npos;
    if (in_authority) {
      last_mark_of_authority = shape.size();
    }
    first_mark = std::min(first_mark, shape.size());
    shape += mark;
  }
  const std::size_t scheme = shape.find(scheme_end);
  if (scheme == std::string::npos || first_mark < scheme) {
    if (first_mark != 0) {
      static_cast<void>(parse(shape));
    }
    return;
  }
  if (last_mark_of_authority != std::string::npos) {
    // Host, port and user are for the attempt to look at.
    const std::size_t path =
        std::min(shape.find_first_of("/?", scheme + scheme_end.size()), shape.size());
    shape = shape.substr(0, scheme + scheme_end.size()) + mark + shape.substr(path);
  }
  static_cast<void>(parse(shape));
}

bool names_scheme(const Template& url) {
  const auto* const first =
      url.parts().empty() ? nullptr : std::get_if<std::string>(&url.parts().front());
  return first != nullptr && first->find(scheme_end) != std::string::npos;
}

}  // namespace wskeep::config
