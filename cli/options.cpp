#include "cli/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "cli/format.hpp"

namespace wskeep::cli {

namespace {

constexpr const char* footer = R"(
Examples:
  wskeep list                              watch all connections (q ends)
  wskeep show trades                       everything known of one
  wskeep top                               what they carry, and who lags behind
  wskeep why trades                        why it is not connected, and what comes next
  wskeep reconnect trades --wait           a new session now
  wskeep tail trades | jq .price           each message on a line
  wskeep tail trades --from oldest --limit 10 --timestamps
  wskeep tail trades --where /symbol:BTC   only some of them
  wskeep tail --all                        of all connections
  wskeep events                            what happens to them
  wskeep send trades '{"op":"ping"}'       one message
  wskeep send trades < orders.ndjson       one message a line
  wskeep check /etc/wskeep/wskeep.yaml     before a reload
  wskeep init --url wss://HOST/PATH        a first configuration
  wskeep dry-run trades --for 10s          one session in the foreground, step by step
  wskeep diff                              what a reload would do
  wskeep reload                            the file has changed

Exit codes:
  0 all went well
  1 the operation failed, such as a message that was rejected
  2 wrong arguments
  3 no daemon at the socket
  4 no such connection, or no right to it
  5 the configuration has problems
  6 upstream is not connected, or the daemon went away too early
  130 interrupted by Ctrl-C
)";

std::string check_duration(const std::string& text) {
  if (parse_duration(text)) return {};
  return "'" + text + "' is no duration; write it as 500ms, 10s or 2min";
}

std::string check_cursor(const std::string& text) {
  const auto colon = text.find(':');
  const bool valid =
      colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                  [](unsigned char character) { return std::isxdigit(character) != 0; }) &&
      text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  if (valid) return {};
  return "'" + text + "' is no cursor; it looks like 5f2c9a6e01b3d478:1200345 (EPOCH:SEQUENCE)";
}

void add_connection(CLI::App& command, std::string& name) {
  command.add_option("NAME", name, "The connection, as `wskeep list` names it")
      ->required()
      ->type_name("");
}

class Parser {
 public:
  Parser();
  std::variant<Options, Leave> parse(std::vector<std::string> arguments);

 private:
  void add_globals();
  void add_list();
  void add_why();
  void add_controls();
  void add_control(Control control, const std::string& name, const std::string& description);
  void add_tail();
  void add_events();
  void add_place(CLI::App& command);
  void add_top();
  void add_send();
  void add_init();
  void add_dry_run();
  void add_rest();
  CLI::App* add(const std::string& name, const std::string& description);
  [[nodiscard]] Leave leave(const CLI::ParseError& error);
  [[nodiscard]] Command command() const;

  CLI::App app_{"Looks at the WebSocket connections that wskeepd keeps, and talks through them."};
  Options options_;
  std::string timeout_ = "10s";
  ListCommand list_;
  ShowCommand show_;
  WhyCommand why_;
  ControlCommand control_;
  std::string wait_;
  TailCommand tail_;
  bool tail_all_ = false;
  TopCommand top_;
  std::string interval_ = "1s";
  bool once_ = false;
  SendCommand send_;
  std::string text_;
  CLI::Option* text_option_ = nullptr;
  CheckCommand check_;
  DiffCommand diff_;
  DryRunCommand dry_run_;
  std::string at_most_ = "30s";
  HealthCommand health_;
  SchemaCommand schema_;
  InitCommand init_;
};

Parser::Parser() {
  app_.name("wskeep");
  app_.footer(footer);
  app_.require_subcommand(1);
  app_.set_version_flag("--version", std::string("wskeep ") + WSKEEP_VERSION,
                        "Print the version and leave");
  app_.set_help_flag("-h,--help", "Print this help and leave");
  add_globals();
  add_list();
  CLI::App* show = add("show", "Everything known of one connection");
  add_connection(*show, show_.name);
  add_why();
  add_controls();
  add_tail();
  add_events();
  add_top();
  add_send();
  add_init();
  add_dry_run();
  add_rest();
}

CLI::App* Parser::add(const std::string& name, const std::string& description) {
  CLI::App* command = app_.add_subcommand(name, description);
  command->footer("`wskeep --help` has the options of all commands, examples and exit codes.");
  // So that `wskeep list --json` does what `wskeep --json list` does.
  command->fallthrough();
  return command;
}

void Parser::add_globals() {
  options_.socket = "/run/wskeep/wskeep.sock";
  app_.add_option("--socket", options_.socket, "The daemon's socket")
      ->envname("WSKEEP_SOCKET")
      ->type_name("PATH")
      ->capture_default_str();
  app_.add_option("--timeout", timeout_, "How long to wait for an answer of the daemon")
      ->type_name("DURATION")
      ->check(CLI::Validator(check_duration, ""))
      ->capture_default_str();
  app_.add_flag("--json", options_.json, "Print JSON");
  app_.add_option_function<std::string>(
          "--color",
          [this](const std::string& choice) {
            options_.color = choice == "always"  ? ColorChoice::always
                             : choice == "never" ? ColorChoice::never
                                                 : ColorChoice::automatic;
          },
          "auto (default), always or never; auto respects NO_COLOR")
      ->type_name("WHEN")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const bool known = text == "auto" || text == "always" || text == "never";
            return known ? std::string() : "'" + text + "' is none of auto, always, never";
          },
          ""));
}

void Parser::add_list() {
  CLI::App* command = add("list", "All connections; on a terminal a table that stays up to date");
  command->add_flag("--once", list_.once, "One table, then leave");
  command->add_flag("--names", list_.names, "Only the names, one a line; silent on errors");
}

void Parser::add_why() {
  CLI::App* command =
      add("why", "Why one is not connected: the last attempts, and what comes next");
  add_connection(*command, why_.name);
  command->add_option("--cycles", why_.cycles, "How many of the last attempts (3, or all in JSON)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
}

void Parser::add_control(Control control, const std::string& name, const std::string& description) {
  CLI::App* command = add(name, description);
  CLI::Option* names =
      command->add_option("NAME", control_.names, "The connections, as `wskeep list` names them")
          ->type_name("");
  command->add_flag("--all", control_.all, "All connections")->excludes(names);
  if (control != Control::pause) {
    // A flag with a value, so that a name behind it is a name.
    command
        ->add_flag("--wait{1min}", wait_,
                   "Leave when they are ready, or after DURATION (--wait=DURATION, else 1min)")
        ->check(CLI::Validator(check_duration, ""));
  }
  command->callback([this, control, name] {
    control_.control = control;
    if (control_.names.empty() && !control_.all) {
      throw CLI::RequiredError("which connection? A NAME or --all");
    }
  });
}

void Parser::add_controls() {
  add_control(Control::reconnect, "reconnect",
              "End the session, if there is one, and connect anew at once");
  add_control(Control::pause, "pause", "End the session and stay away until resumed");
  add_control(Control::resume, "resume", "Connect what was paused");
}

/// `EPOCH:SEQUENCE`, or of many connections `NAME=EPOCH:SEQUENCE,...`.
std::string check_cursors(const std::string& text) {
  if (text.find('=') == std::string::npos) return check_cursor(text);
  std::istringstream entries(text);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const auto equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos ||
        !check_cursor(entry.substr(equals + 1)).empty())
      return "'" + entry + "' is no cursor of a connection; it looks like NAME=EPOCH:SEQUENCE";
  }
  return {};
}

void Parser::add_place(CLI::App& command) {
  CLI::Option* from =
      command.add_option("--from", tail_.from, "Begin with the oldest message kept, or the newest")
          ->type_name("oldest|newest")
          ->check(CLI::Validator(
              [](const std::string& text) {
                const bool known = text == "oldest" || text == "newest";
                return known ? std::string() : "'" + text + "' is neither oldest nor newest";
              },
              ""));
  command.add_option("--after", tail_.after, "Begin behind the message that a cursor names")
      ->type_name("EPOCH:SEQUENCE")
      ->check(CLI::Validator(check_cursors, ""))
      ->excludes(from);
  command.add_option("--limit", tail_.limit, "Leave after so many messages")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62U));
  command.add_flag("--reconnect", tail_.reconnect,
                   "Wait for a daemon that goes away, and go on where it ended");
  command.add_option("--contains", tail_.contains, "Only messages that have this text in them")
      ->type_name("TEXT");
  command
      .add_option("--where", tail_.where,
                  "Only JSON messages with VALUE, or one of [A,B], at /POINTER; can be repeated")
      ->type_name("/POINTER:VALUE")
      ->allow_extra_args(false);
}

void Parser::add_tail() {
  CLI::App* command =
      add("tail", "Print the messages of a connection, or of all, as they come, one a line");
  CLI::Option* name =
      command
          ->add_option("NAME", tail_.name,
                       "The connection, as `wskeep list` names it; * is all of them")
          ->type_name("");
  command->add_flag("--all", tail_all_, "All connections: each line begins with the name")
      ->excludes(name);
  add_place(*command);
  command->add_flag("--events", tail_.events, "Print events too, as JSON lines");
  command->add_flag("--timestamps", tail_.timestamps, "Begin each line with the time of receipt");
  command->add_option("--opcode", tail_.opcode, "Only text, or only binary messages")
      ->type_name("text|binary")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const bool known = text == "text" || text == "binary";
            return known ? std::string() : "'" + text + "' is neither text nor binary";
          },
          ""));
  command->callback([this] {
    if (tail_.name.empty() && !tail_all_)
      throw CLI::RequiredError("which connection? A NAME or --all");
  });
}

void Parser::add_events() {
  CLI::App* command =
      add("events", "Print what happens to all connections and to the daemon, as it happens");
  add_place(*command);
}

void Parser::add_top() {
  CLI::App* command = add("top", "A live view of all connections: rates, history, readers, errors");
  command->add_option("--interval", interval_, "How often it is brought up to date")
      ->type_name("DURATION")
      ->check(CLI::Validator(check_duration, ""))
      ->capture_default_str();
  CLI::Option* once =
      command->add_flag("--once", once_, "One table after one interval, then leave");
  command->add_option("--batch", top_.batch, "So many tables, one each interval, then leave")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62U))
      ->excludes(once);
  command
      ->add_option_function<std::string>(
          "--sort", [this](const std::string& name) { top_.order = *parse_order(name); },
          "Sort by name (default), state, messages, bytes, sent, rtt, ring, readers or lag")
      ->type_name("COLUMN")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return parse_order(name) ? std::string()
                                     : "'" + name +
                                           "' is none of name, state, messages, bytes, sent, rtt, "
                                           "ring, readers, lag";
          },
          ""));
  command
      ->add_option("--filter", top_.filter,
                   "Only connections whose name, state, URL or error has this text")
      ->type_name("TEXT");
}

void Parser::add_send() {
  CLI::App* command = add("send", "Send messages upstream");
  add_connection(*command, send_.name);
  text_option_ = command
                     ->add_option("TEXT", text_,
                                  "The message (behind -- if it begins with -); without it, each "
                                  "line of standard input is one")
                     ->type_name("");
  command->add_flag("--binary", send_.binary, "As binary messages instead of text");
  command->add_flag("--whole", send_.whole, "All of standard input is one message")
      ->excludes(text_option_);
}

void Parser::add_init() {
  CLI::App* command = add("init", "Write a first configuration; asks for what is not given");
  command->add_option("FILE", init_.file, "Where to; - is standard output")
      ->type_name("")
      ->capture_default_str();
  command->add_option("--url", init_.url, "What to hold: ws:// or wss://")->type_name("URL");
  command->add_option("--name", init_.name, "The connection's name (else from the URL)")
      ->type_name("NAME");
  command->add_option("--subscribe", init_.subscribe, "A message to send when it is open")
      ->type_name("TEXT");
  command->add_option("--token-file", init_.token_file, "A file that holds a bearer token")
      ->type_name("PATH");
  command->add_option("--metrics", init_.metrics, "Where Prometheus scrapes; empty: nowhere")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  command->add_flag("--force", init_.force, "Replace a file that is there");
}

void Parser::add_dry_run() {
  CLI::App* command = add("dry-run",
                          "Connect once, in the foreground and without the daemon, and print each "
                          "step and message; nothing is kept");
  command->add_option("NAME", dry_run_.name, "The connection, as the configuration names it")
      ->required()
      ->type_name("");
  command->add_option("--config", dry_run_.config, "The configuration")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--for", at_most_, "Leave after so long")
      ->type_name("DURATION")
      ->check(CLI::Validator(check_duration, ""))
      ->capture_default_str();
  command->add_option("--messages", dry_run_.messages, "Leave after so many messages")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62U));
  command->add_flag("--show-values", dry_run_.show_values,
                    "Show what variables and place-holders stand for, secrets too");
}

void Parser::add_rest() {
  CLI::App* check = add("check", "Check a configuration without touching the daemon");
  check->add_option("FILE", check_.file, "The configuration")->required()->type_name("");
  check
      ->add_option("--user", check_.user,
                   "Check with the rights of the user that will run wskeepd (root only)")
      ->type_name("NAME");
  check->add_flag("--strict", check_.strict, "Warnings count too: exit code 5 (not notes)");
  add("status", "The daemon itself");
  CLI::App* health = add("health", "Whether the daemon answers; silent where it does");
  health->add_flag("--ready", health_.ready, "Whether all connections are ready, too");
  CLI::App* schema = add("schema", "The configuration as a JSON Schema, for editors");
  schema->add_flag("--conf-d", schema_.further, "Of a file in conf.d instead of the main one");
  add("reload", "Have the daemon read its configuration anew; a broken one changes nothing");
  CLI::App* diff = add("diff", "What a reload would do");
  diff->add_option("FILE", diff_.file, "A configuration, instead of the daemon's own file")
      ->type_name("");
}

Command Parser::command() const {
  const std::string name = app_.get_subcommands().front()->get_name();
  if (name == "list") return list_;
  if (name == "show") return show_;
  if (name == "why") return why_;
  if (name == "reconnect" || name == "pause" || name == "resume") {
    ControlCommand control = control_;
    if (!wait_.empty()) control.wait = parse_duration(wait_);
    return control;
  }
  if (name == "tail" || name == "events") {
    TailCommand tail = tail_;
    if (tail_all_ || tail.name == "*") tail.source = TailSource::all;
    if (name == "events") tail.source = TailSource::events;
    return tail;
  }
  if (name == "top") {
    TopCommand top = top_;
    top.interval = *parse_duration(interval_);
    if (once_) top.batch = 1;
    return top;
  }
  if (name == "check") return check_;
  if (name == "status") return StatusCommand{};
  if (name == "reload") return ReloadCommand{};
  if (name == "diff") return diff_;
  if (name == "dry-run") {
    DryRunCommand dry_run = dry_run_;
    dry_run.at_most = *parse_duration(at_most_);
    return dry_run;
  }
  if (name == "health") return health_;
  if (name == "schema") return schema_;
  if (name == "init") return init_;
  SendCommand send = send_;
  if (text_option_->count() > 0) send.text = text_;
  return send;
}

Leave Parser::leave(const CLI::ParseError& error) {
  std::ostringstream output;
  std::ostringstream complaint;
  if (app_.exit(error, output, complaint) == 0) return {ExitCode::ok, output.str(), {}};
  const auto commands = app_.get_subcommands();
  if (commands.empty() && error.get_name() == "RequiredError") {
    return {
        ExitCode::usage,
        {},
        "what to do? list, show, why, top, reconnect, pause, resume, tail, events, send, check, "
        "dry-run, status, "
        "health, reload, diff, init or schema (see wskeep --help)"};
  }
  const std::string help =
      commands.empty() ? "wskeep --help" : "wskeep " + commands.front()->get_name() + " --help";
  return {ExitCode::usage, {}, std::string(error.what()) + " (see " + help + ")"};
}

std::variant<Options, Leave> Parser::parse(std::vector<std::string> arguments) {
  // CLI11 takes them from the back.
  std::ranges::reverse(arguments);
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return leave(error);
  }
  options_.timeout = *parse_duration(timeout_);
  options_.command = command();
  return options_;
}

}  // namespace

std::variant<Options, Leave> parse_arguments(std::vector<std::string> arguments) {
  return Parser().parse(std::move(arguments));
}

}  // namespace wskeep::cli
