#include "config/session_prepare.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "config/header.hpp"
#include "config/proxy_url.hpp"
#include "config/quantity.hpp"
#include "config/request_templates.hpp"
#include "config/source.hpp"
#include "config/suggest.hpp"
#include "config/url.hpp"

namespace wskeep::config {
namespace {

constexpr std::size_t most_steps = 16;
constexpr std::size_t most_arguments = 64;
constexpr Milliseconds shortest{1};
constexpr Milliseconds longest = std::chrono::minutes(10);

/// Reads one step.
class Step {
 public:
  Step(const Field& field, SessionFields& fields) : field_(field), fields_(fields) {}

  std::optional<PrepareStep> read() {
    const bool is_map = field_.node.kind == Element::Kind::map;
    const bool request = is_map && has_key(field_.node, "request");
    if (is_map && !request && !has_key(field_.node, "command")) {
      fields_.complain(field_, "has neither 'request' nor 'command'; allowed: one of the two");
      return std::nullopt;
    }
    if (request) {
      read_request();
    } else {
      read_command();
    }
    read_values();
    return std::move(step_);
  }

 private:
  void read_request() {
    PrepareRequest request;
    bool method = false;
    fields_.map(field_, SessionMap::request, [&](std::string_view name, const Field& value) {
      if (name == "request") {
        request.url = url(value);
      } else if (name == "method") {
        method = true;
        const auto& methods = session_choices(SessionMap::request, name);
        request.method = methods.at(fields_.choice(value, methods));
      } else if (name == "headers") {
        read_headers(value, request);
      } else if (name == "body") {
        request.body = fields_.message_template(value);
      } else if (name == "status") {
        request.status = read_codes(value, fields_, 200, 599);
      } else if (name == "tls") {
        request.system_tls = fields_.choice(value, session_choices(SessionMap::request, name)) == 1;
      } else if (name == "proxy") {
        request.proxy = proxy(value);
      } else {
        read_common(name, value);
      }
    });
    if (!method && !request.body.empty()) {
      request.method = "POST";
    }
    step_.action = std::move(request);
  }

  Template url(const Field& field) {
    Template url = fields_.text_template(field);
    try {
      if (const std::optional<std::string> now = url.text_now()) {
        static_cast<void>(parse_http_url(*now));
      } else {
        check_url_template(url, parse_http_url);
      }
    } catch (const TemplateError&) {
      // It is told of with the others that name what is not there.
    } catch (const UrlError& error) {
      fields_.complain(field, error.what());
    }
    return url;
  }

  void read_headers(const Field& field, PrepareRequest& request) {
    fields_.entries(field, "map of names to values", [&](const Element& name, const Field& value) {
      const std::string error = header_name_error(name.value);
      if (!error.empty()) {
        fields_.complain({name, value.path}, error);
      }
      request.headers.emplace_back(name.value, fields_.text_template(value));
    });
  }

  std::optional<Text> proxy(const Field& field) {
    const std::optional<std::string> value =
        fields_.text(field, "off, environment, or an http://, https:// or socks5:// URL");
    if (!value || *value == "off") {
      return Text();
    }
    try {
      Text text(*value);
      if (*value != "environment") {
        static_cast<void>(parse_proxy_url(text.resolve()));
      }
      return text;
    } catch (const std::runtime_error& error) {
      fields_.complain(field, error.what());
      return Text();
    }
  }

  void read_command() {
    PrepareCommand command;
    fields_.map(field_, SessionMap::command, [&](std::string_view name, const Field& value) {
      if (name == "command") {
        read_arguments(value, command);
      } else if (name == "environment") {
        read_environment_of(value, command);
      } else {
        read_common(name, value);
      }
    });
    step_.action = std::move(command);
  }

  void read_arguments(const Field& field, PrepareCommand& command) {
    const std::string allowed = "list of a program's path and its arguments; no shell reads it";
    fields_.list(field, allowed, [&](const Field& one) {
      if (command.arguments.size() == most_arguments) {
        return fields_.complain(one, "is one too many: at most " + std::to_string(most_arguments));
      }
      command.arguments.push_back(fields_.text_template(one));
      if (command.arguments.size() == 1) {
        check_program(one, command.arguments.front());
      }
    });
    if (field.node.kind == Element::Kind::sequence && command.arguments.empty()) {
      fields_.complain(field, "is empty; allowed: " + allowed);
    }
  }

  void check_program(const Field& field, const Template& program) {
    if (!program.source().starts_with('/')) {
      return fields_.complain(
          field, in_quotes(program.source()) + " is no absolute path; allowed: /PATH/OF/PROGRAM");
    }
    if (program.constant() && ::access(program.source().c_str(), F_OK) != 0 && errno == ENOENT) {
      fields_.complain(field, in_quotes(program.source()) + " does not exist");
    }
  }

  void read_environment_of(const Field& field, PrepareCommand& command) {
    fields_.entries(field, "map of names to values", [&](const Element& name, const Field& value) {
      if (!is_variable_name(name.value)) {
        fields_.complain({name, value.path},
                         "is no name of an environment variable: it is letters, digits and _");
      }
      command.environment.emplace_back(name.value, fields_.text_template(value));
    });
  }

  void read_common(std::string_view name, const Field& field) {
    if (name == "timeout") {
      step_.timeout = fields_.duration(field, shortest, longest);
    } else if (name == "expect") {
      step_.expect = fields_.rule(field);
    } else {
      set_.emplace(field);
    }
  }

  /// When the rule is known whose groups they can name.
  void read_values() {
    if (!set_) {
      return;
    }
    const MessageRule none;
    fields_.also_known("answer");
    step_.set = fields_.assignments(*set_, {step_.expect ? &*step_.expect : &none});
    fields_.not_known("answer");
  }

  const Field& field_;
  SessionFields& fields_;
  PrepareStep step_;
  std::optional<Field> set_;
};

}  // namespace

std::vector<PrepareStep> read_prepare(const Field& field, SessionFields& fields) {
  std::vector<PrepareStep> steps;
  fields.begin_attempt();
  fields.list(field, "list of steps: request or command", [&](const Field& one) {
    if (steps.size() == most_steps) {
      return fields.complain(one, "is one too many: at most " + std::to_string(most_steps));
    }
    if (one.node.kind != Element::Kind::map) {
      return fields.map(one, {"request", "command"}, [](std::string_view, const Field&) {});
    }
    if (std::optional<PrepareStep> step = Step(one, fields).read()) {
      steps.push_back(std::move(*step));
    }
  });
  fields.end_attempt();
  return steps;
}

Template read_resume_url(const Field& field, SessionFields& fields) {
  fields.begin_attempt();
  Template url = fields.text_template(field);
  fields.end_attempt();
  try {
    check_url_template(url, parse_url);
  } catch (const UrlError& error) {
    fields.complain(field, error.what());
  }
  if (url.constant()) {
    fields.complain(field,
                    "names nothing of 'remember', so that it would be the same each time; that is "
                    "what 'url' is for");
  }
  return url;
}

std::vector<CodeRange> read_codes(const Field& field, SessionFields& fields, std::uint16_t least,
                                  std::uint16_t most) {
  std::vector<CodeRange> codes;
  const std::string allowed = "code, range or class, " + std::to_string(least) + " to " +
                              std::to_string(most) + ", or a list of them";
  fields.one_or_list(field, [&](const Field& one) {
    const std::optional<std::string> text = fields.text(one, allowed);
    if (!text) {
      return;
    }
    try {
      codes.push_back(parse_code_range(*text, least, most));
    } catch (const QuantityError& error) {
      fields.complain(one, in_quotes(*text) + " " + error.what() + "; allowed: " + allowed);
    }
  });
  return codes;
}

}  // namespace wskeep::config
