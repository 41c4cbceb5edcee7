// Each wrong form of each key of a session script: where it is, and what is said of it.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "load_cases.hpp"

namespace wskeep::config {
namespace {

struct Wrong {
  std::string lines;  ///< below `session:`; the first is line 5 and begins in column 7
  std::string error;  ///< without the file's name and the path of `session`
};

std::string without(std::string text, const std::string& what) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos;) {
    text.erase(at, what.size());
  }
  return text;
}

void expect_errors(const std::vector<Wrong>& cases) {
  for (const Wrong& one : cases) {
    std::string yaml = "connections:\n  a:\n    url: wss://h/\n    session:\n      " + one.lines;
    for (std::size_t at = yaml.size() - one.lines.size();
         (at = yaml.find('\n', at)) != std::string::npos; at += 7) {
      yaml.insert(at + 1, 6, ' ');
    }
    const std::string error = error_of(yaml + "\n");
    EXPECT_EQ(without(without(error, "connections.a.session."), "f:"), one.error) << one.lines;
  }
}

TEST(SessionErrors, Variables) {
  expect_errors({
      {"variables: [a]", "5:18: variables: is a list; allowed: map of names to texts or lists"},
      {"variables: {1a: x}",
       "5:19: variables.1a: is no name of a variable: a name is letters, digits and _, and no "
       "digit first"},
      {"variables: {a-b: x}",
       "5:19: variables.a-b: is no name of a variable: a name is letters, digits and _, and no "
       "digit first"},
      {"variables: {time_ms: x}",
       "5:19: variables.time_ms: is the name of a function; give the variable another name"},
      {"variables: {a: {b: c}}", "5:22: variables.a: is a map; allowed: text, or a list of texts"},
      {"variables: {a: []}", "5:22: variables.a: is empty; allowed: text, or a list of texts"},
      {"variables: {a: [x, [y]]}",
       "5:26: variables.a[1]: is a list; allowed: text, or a list of texts"},
      {"variables: {a: '${env:HOME}'}",
       "5:22: variables.a: holds a place-holder, and a constant stands for itself; write it where "
       "the value is used, or in a 'set' step"},
      {"variables: {a: }", "5:19: variables.a: has no value; allowed: text, or a list of texts"},
      {"variables: {a: 1, a: 2}", "5:25: variables.a: is given twice, first on line 5"},
  });
}

TEST(SessionErrors, Steps) {
  expect_errors({
      {"open: x", "5:13: open: is text; allowed: list of steps: send, wait, set or pause"},
      {"open: {send: x}", "5:13: open: is a map; allowed: list of steps: send, wait, set or pause"},
      {"open: [x]", "5:14: open[0]: is text; allowed: map of send, wait, set and pause"},
      {"open: [{}]", "5:14: open[0]: is empty; allowed: send, wait, set or pause"},
      {"open: [[]]", "5:14: open[0]: is a list; allowed: map of send, wait, set and pause"},
      {"open: [{send: a, wait: {contains: b}}]",
       "5:24: open[0].wait: is a step of its own: put it into another item of the list, with '- "
       "wait:'"},
      {"open: [{send: a, timeout: 5s}]",
       "5:24: open[0].timeout: unknown key; allowed: send, repeat, pace, binary and set"},
      {"open: [{pause: 1s, send: a}]",
       "5:26: open[0].send: is a step of its own: put it into another item of the list, with '- "
       "send:'"},
  });
}

TEST(SessionErrors, Send) {
  expect_errors({
      {"open: [{send: }]", "5:15: open[0].send: has no value; allowed: text"},
      {"open: [{send: ''}]", "5:21: open[0].send: is empty; allowed: text"},
      {"open: [{send: {a: 1}}]", "5:21: open[0].send: is a map; allowed: text"},
      {"open: [{send: [a]}]", "5:21: open[0].send: is a list; allowed: text"},
      {"open: [{send: '{\"a\":}'}]",
       "5:27: open[0].send: this is no JSON: a value is expected here"},
      {"open: [{send: '{\"a\":1'}]",
       "5:28: open[0].send: the JSON is not complete: ',' or '}' is missing"},
      {"open: [{send: '[1,]'}]", "5:25: open[0].send: this is no JSON: a value is expected here"},
      {"open: [{send: '{\"a\":1${x}}'}]",
       "5:28: open[0].send: a place-holder cannot stand here in JSON: ',' or '}' is expected; put "
       "it between quotes, or where a value stands"},
      {"open: [{send: '${'}]",
       "5:22: open[0].send: a place-holder '${' is not closed; '$$' stands for a dollar sign"},
      {"open: [{send: '${x}'}]", "5:24: open[0].send: unknown variable 'x'; there are none here"},
      {"open: [{send: '${time_ms(1)}'}]",
       "5:24: open[0].send: time_ms takes no argument, not 1; it is written time_ms()"},
      {"open: [{send: '${sha256(\"a\", \"hexx\")}'}]",
       "5:36: open[0].send: sha256 needs 'hex', 'base64', 'base64url' or 'raw' as its last "
       "argument; it is written sha256(text, 'hex')"},
      {"open: [{send: '${env:WSKEEP_NOT_SET_1}'}]",
       "5:24: open[0].send: environment variable 'WSKEEP_NOT_SET_1' is not set"},
      {"open: [{send: '${file:/nonexistent/x}'}]",
       "5:24: open[0].send: file '/nonexistent/x': No such file or directory"},
      {"open: [{send: a, binary: maybe}]",
       "5:32: open[0].binary: 'maybe' is unknown; allowed: false or true"},
      {"open: [{send: a, binary: [true]}]",
       "5:32: open[0].binary: is a list; allowed: false or true"},
  });
}

TEST(SessionErrors, Repeat) {
  expect_errors({
      {"open: [{send: a, repeat: x}]",
       "5:32: open[0].repeat: is text; allowed: {NAME: LIST}, LIST being one under 'variables'"},
      {"open: [{send: a, repeat: {}}]",
       "5:32: open[0].repeat: needs one entry; allowed: {NAME: LIST}, LIST being one under "
       "'variables'"},
      {"variables: {l: [a], m: [b]}\nopen: [{send: a, repeat: {x: l, y: m}}]",
       "6:32: open[0].repeat: needs one entry; allowed: {NAME: LIST}, LIST being one under "
       "'variables'"},
      {"variables: {l: a}\nopen: [{send: a, repeat: {x: l}}]",
       "6:36: open[0].repeat.x: 'l' is no list under 'variables'; there are none"},
      {"variables: {list: [a]}\nopen: [{send: a, repeat: {x: lst}}]",
       "6:36: open[0].repeat.x: 'lst' is no list under 'variables' (did you mean 'list'?); there "
       "are list"},
      {"variables: {l: [a]}\nopen: [{send: a, repeat: {l: l}}]",
       "6:33: open[0].repeat.l: is one of the constants under 'variables'; give this one another "
       "name"},
      {"variables: {l: [a]}\nopen: [{send: a, repeat: {x: [l]}}]",
       "6:36: open[0].repeat.x: is a list; allowed: name of a list"},
  });
}

TEST(SessionErrors, Pace) {
  expect_errors({
      {"open: [{send: a, pace: 1s}]",
       "5:30: open[0].pace: has no use without 'repeat'; a 'pause' is a step of its own"},
      {"variables: {l: [a]}\nopen: [{send: a, repeat: {x: l}, pace: 5}]",
       "6:46: open[0].pace: '5' has no unit (5s or 5ms?); allowed: duration, 1ms to 1h"},
      {"variables: {l: [a]}\nopen: [{send: a, repeat: {x: l}, pace: 2h}]",
       "6:46: open[0].pace: '2h' is out of range; allowed: duration, 1ms to 1h"},
  });
}

TEST(SessionErrors, SetBesideSend) {
  expect_errors({
      {"open: [{send: a, set: x}]",
       "5:29: open[0].set: is text; allowed: map of variables to values"},
      {"open: [{send: a, set: {b: [1]}}]", "5:33: open[0].set.b: is a list; allowed: text"},
  });
}

TEST(SessionErrors, Wait) {
  expect_errors({
      {"open: [{wait: }]",
       "5:15: open[0].wait: has no value; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"open: [{wait: []}]", "5:21: open[0].wait: is empty; allowed: one or more conditions"},
      {"open: [{wait: x}]",
       "5:21: open[0].wait: is text; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"open: [{wait: {}}]",
       "5:21: open[0].wait: is empty; allowed: json, exists, absent, text, contains and opcode"},
      {"open: [{wait: [{contains: a}, x]}]",
       "5:37: open[0].wait[1]: is text; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"open: [{wait: {contains: a}, timeout: 0s}]",
       "5:45: open[0].timeout: '0s' is out of range; allowed: duration, 1ms to 1h"},
      {"open: [{wait: {contains: a}, timeout: soon}]",
       "5:45: open[0].timeout: 'soon' is not a duration such as 250ms, 10s, 5m, 23h or 1d; "
       "allowed: duration, 1ms to 1h"},
      {"open: [{wait: {contains: a}, timeout: 2h}]",
       "5:45: open[0].timeout: '2h' is out of range; allowed: duration, 1ms to 1h"},
      {"open: [{wait: {contains: a}, send: b}]",
       "5:36: open[0].send: is a step of its own: put it into another item of the list, with '- "
       "send:'"},
  });
}

TEST(SessionErrors, SetBesideWait) {
  expect_errors({
      {"open: [{wait: {contains: a}, set: x}]",
       "5:41: open[0].set: is text; allowed: map of variables to values"},
      {"open: [{wait: {contains: a}, set: {b: 1}}]",
       "5:45: open[0].set.b: names a group, and there is no regular expression 'text' that has "
       "any; a number that is meant as such needs quotes"},
      {"open: [{wait: {text: 'a(b)'}, set: {b: 2}}]",
       "5:46: open[0].set.b: names group 2, and the regular expression 'text' has 1"},
      {"open: [{wait: {contains: a}, set: {b: '/x~2'}}]",
       "5:45: open[0].set.b: '/x~2' has a '~' that is not ~0 (for ~) or ~1 (for /)"},
      {"open: [{wait: {contains: a}, set: {b: {c: d}}}]",
       "5:45: open[0].set.b: is a map; allowed: JSON pointer, number of a group, or text"},
      {"open: [{wait: {contains: a}, set: {url: /x}}]",
       "5:42: open[0].set.url: is the name of a function; give the variable another name"},
      {"open: [{wait: {contains: a}, set: {b: '${c}'}}]",
       "5:48: open[0].set.b: unknown variable 'c'; known here: b"},
  });
}

TEST(SessionErrors, RefuseBesideWait) {
  expect_errors({
      {"open: [{wait: {contains: a}, refuse: x}]",
       "5:44: open[0].refuse: is text; allowed: map of json, exists, absent, text, contains, "
       "opcode and verdict"},
      {"open: [{wait: {contains: a}, refuse: {}}]",
       "5:44: open[0].refuse: does not say which message refuses; allowed: json, exists, absent, "
       "text, contains and opcode"},
      {"open: [{wait: {contains: a}, refuse: {verdict: slow}}]",
       "5:44: open[0].refuse: does not say which message refuses; allowed: json, exists, absent, "
       "text, contains and opcode"},
      {"open: [{wait: {contains: a}, refuse: {contains: b, verdict: never}}]",
       "5:67: open[0].refuse.verdict: 'never' is unknown; allowed: retry, slow or stop"},
      {"open: [{wait: {contains: a}, refuse: {contain: b}}]",
       "5:45: open[0].refuse.contain: unknown key (did you mean 'contains'?); allowed: json, "
       "exists, absent, text, contains, opcode and verdict"},
  });
}

TEST(SessionErrors, Set) {
  expect_errors({
      {"open: [{set: x}]", "5:20: open[0].set: is text; allowed: map of variables to values"},
      {"open: [{set: {a: }}]", "5:21: open[0].set.a: has no value; allowed: text"},
      {"open: [{set: {a: [b]}}]", "5:24: open[0].set.a: is a list; allowed: text"},
      {"open: [{set: {'': b}}]",
       "5:21: open[0].set.: is no name of a variable: a name is letters, digits and _, and no "
       "digit first"},
      {"open: [{set: {a: b}, timeout: 1s}]", "5:28: open[0].timeout: unknown key; allowed: set"},
      {"open: [{set: {a: '${add(1)}'}}]",
       "5:27: open[0].set.a: add takes 2 arguments, not 1; it is written add(a, b)"},
  });
}

TEST(SessionErrors, Pause) {
  expect_errors({
      {"open: [{pause: }]", "5:15: open[0].pause: has no value; allowed: duration, 1ms to 1h"},
      {"open: [{pause: 5}]",
       "5:22: open[0].pause: '5' has no unit (5s or 5ms?); allowed: duration, 1ms to 1h"},
      {"open: [{pause: 2h}]",
       "5:22: open[0].pause: '2h' is out of range; allowed: duration, 1ms to 1h"},
      {"open: [{pause: [1s]}]", "5:22: open[0].pause: is a list; allowed: duration, 1ms to 1h"},
      {"open: [{pause: 1s, timeout: 2s}]", "5:26: open[0].timeout: unknown key; allowed: pause"},
  });
}

TEST(SessionErrors, Rules) {
  expect_errors({
      {"open: [{wait: {json: /a}}]",
       "5:28: open[0].wait.json: is text; allowed: map of JSON pointers to values"},
      {"open: [{wait: {json: {a: 1}}}]",
       "5:29: open[0].wait.json.a: 'a' does not begin with '/' (a JSON pointer, as in /data/0/id)"},
      {"open: [{wait: {json: {/a: {b: 1}}}}]",
       "5:33: open[0].wait.json./a: is a map; allowed: text, number, true, false or null, or a "
       "list of them"},
      {"open: [{wait: {json: {/a: [[1]]}}}]",
       "5:34: open[0].wait.json./a[0]: is a list; allowed: text, number, true, false or null, or a "
       "list of them"},
      {"open: [{wait: {json: {/a: []}}}]",
       "5:33: open[0].wait.json./a: is empty; allowed: text, number, true, false or null, or a "
       "list of them"},
      {"open: [{wait: {json: {}}}]",
       "5:28: open[0].wait.json: is empty; allowed: map of JSON pointers to values"},
      {"open: [{wait: {exists: a}}]",
       "5:30: open[0].wait.exists: 'a' does not begin with '/' (a JSON pointer, as in /data/0/id)"},
      {"open: [{wait: {exists: {a: 1}}}]",
       "5:30: open[0].wait.exists: is a map; allowed: JSON pointer, as in /data/0/id"},
      {"open: [{wait: {exists: []}}]",
       "5:30: open[0].wait.exists: is empty; allowed: JSON pointer, or a list of them"},
      {"open: [{wait: {absent: [/a, b]}}]",
       "5:35: open[0].wait.absent[1]: 'b' does not begin with '/' (a JSON pointer, as in "
       "/data/0/id)"},
      {"open: [{wait: {text: '('}}]",
       "5:28: open[0].wait.text: '(' is no regular expression: missing ): ("},
      {"open: [{wait: {text: [a]}}]",
       "5:28: open[0].wait.text: is a list; allowed: regular expression"},
      {"open: [{wait: {text: ''}}]",
       "5:28: open[0].wait.text: is empty; allowed: regular expression"},
      {"open: [{wait: {contains: [a]}}]", "5:32: open[0].wait.contains: is a list; allowed: text"},
      {"open: [{wait: {contains: ''}}]", "5:32: open[0].wait.contains: is empty; allowed: text"},
      {"open: [{wait: {opcode: ping}}]",
       "5:30: open[0].wait.opcode: 'ping' is unknown; allowed: any, text or binary"},
      {"open: [{wait: {opcode: 1}}]",
       "5:30: open[0].wait.opcode: '1' is unknown; allowed: any, text or binary"},
      {"open: [{wait: {jsn: {/a: 1}}}]",
       "5:22: open[0].wait.jsn: unknown key (did you mean 'json'?); allowed: json, exists, absent, "
       "text, contains and opcode"},
      {"open: [{wait: {json: []}}]",
       "5:28: open[0].wait.json: is a list; allowed: map of JSON pointers to values"},
      {"open: [{wait: {absent: []}}]",
       "5:30: open[0].wait.absent: is empty; allowed: JSON pointer, or a list of them"},
  });
}

TEST(SessionErrors, Resume) {
  expect_errors({
      {"resume: x", "5:15: resume: is text; allowed: list of steps: send, wait, set or pause"},
      {"resume: [{send: a}]",
       "5:15: resume: names nothing of 'remember', so that it would be tried each time; what it "
       "needs of an earlier session goes there"},
      {"resume: []",
       "5:15: resume: names nothing of 'remember', so that it would be tried each time; what it "
       "needs of an earlier session goes there"},
      {"remember: {s: /s}\nresume: [{send: '${s}${t}'}]",
       "6:15: resume: needs 't', which is neither set in it nor under 'remember': no value is left "
       "of an earlier session\n6:30: resume[0].send: unknown variable 't'; known here: s"},
      {"remember: {s: /s}\nresume: [{send: '${s}'}]\nresume_url: 'wss://h/${t}'",
       "7:19: resume_url: needs 't', which is neither set in it nor under 'remember': no value is "
       "left of an earlier session\n7:30: resume_url: unknown variable 't'; known here: s"},
      {"resume_url: 'wss://h/'",
       "5:19: resume_url: names nothing of 'remember', so that it would be the same each time; "
       "that is what 'url' is for"},
  });
}

TEST(SessionErrors, Heartbeat) {
  expect_errors({
      {"heartbeat: 20s",
       "5:18: heartbeat: is text; allowed: map of every, send, binary, set, expect, within, "
       "jitter_first and idle_only"},
      {"heartbeat: {}", "5:18: heartbeat: has no 'every'\n5:18: heartbeat: has no 'send'"},
      {"heartbeat: {every: 1s}", "5:18: heartbeat: has no 'send'"},
      {"heartbeat: {send: a}", "5:18: heartbeat: has no 'every'"},
      {"heartbeat: {every: 20, send: a}",
       "5:26: heartbeat.every: '20' has no unit (20s or 20ms?); allowed: duration, 10ms to 1d"},
      {"heartbeat: {every: 1ms, send: a}",
       "5:26: heartbeat.every: '1ms' is out of range; allowed: duration, 10ms to 1d"},
      {"heartbeat: {every: 2d, send: a}",
       "5:26: heartbeat.every: '2d' is out of range; allowed: duration, 10ms to 1d"},
      {"heartbeat: {every: [1s], send: a}", "5:26: heartbeat.every: is a list; allowed: text"},
      {"heartbeat: {every: '${i}ms', send: a}",
       "5:29: heartbeat.every: unknown variable 'i'; there are none here"},
      {"heartbeat: {every: 1s, send: ''}", "5:36: heartbeat.send: is empty; allowed: text"},
      {"heartbeat: {every: 1s, send: a, expect: b}",
       "5:47: heartbeat.expect: is text; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"heartbeat: {every: 1s, send: a, expect: {}}",
       "5:47: heartbeat.expect: is empty; allowed: json, exists, absent, text, contains and "
       "opcode"},
      {"heartbeat: {every: 1s, send: a, within: 1s}",
       "5:47: heartbeat.within: has no use without 'expect': what is awaited so long"},
      {"heartbeat: {every: 1s, send: a, expect: {contains: b}, within: x}",
       "5:70: heartbeat.within: 'x' is not a duration such as 250ms, 10s, 5m, 23h or 1d; allowed: "
       "duration, 1ms to 1h"},
      {"heartbeat: {every: 1s, send: a, set: [b]}",
       "5:44: heartbeat.set: is a list; allowed: map of variables to values"},
      {"heartbeat: {every: 1s, send: a, set: {b: '${c}'}}",
       "5:51: heartbeat.set.b: unknown variable 'c'; known here: b"},
      {"heartbeat: {every: 1s, send: a, jitter_first: 1}",
       "5:53: heartbeat.jitter_first: '1' is unknown; allowed: false or true"},
      {"heartbeat: {every: 1s, send: a, idle_only: maybe}",
       "5:50: heartbeat.idle_only: 'maybe' is unknown; allowed: false or true"},
      {"heartbeat: {evry: 1s, send: a}",
       "5:18: heartbeat: has no 'every'\n5:19: heartbeat.evry: unknown key (did you mean "
       "'every'?); allowed: every, send, binary, set, expect, within, jitter_first and idle_only"},
      {"heartbeat: {every: '', send: a}",
       "5:26: heartbeat.every: '' is not a duration such as 250ms, 10s, 5m, 23h or 1d; allowed: "
       "duration, 10ms to 1d"},
      {"heartbeat: {every: '${', send: a}",
       "5:27: heartbeat.every: a place-holder '${' is not closed; '$$' stands for a dollar sign"},
  });
}

TEST(SessionErrors, Replies) {
  expect_errors({
      {"replies: {on: {contains: a}, send: b}",
       "5:16: replies: is a map; allowed: list of replies"},
      {"replies: [a]", "5:17: replies[0]: is text; allowed: map of on, send, binary and set"},
      {"replies: [{send: b}]", "5:17: replies[0]: has no 'on'"},
      {"replies: [{on: {contains: a}}]", "5:17: replies[0]: has no 'send'"},
      {"replies: [{on: a, send: b}]",
       "5:22: replies[0].on: is text; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"replies: [{on: {}, send: b}]",
       "5:22: replies[0].on: is empty; allowed: json, exists, absent, text, contains and opcode"},
      {"replies: [{on: {contains: a}, send: ''}]",
       "5:43: replies[0].send: is empty; allowed: text"},
      {"replies: [{on: {contains: a}, set: {b: 1}}]",
       "5:46: replies[0].set.b: names a group, and there is no regular expression 'text' that has "
       "any; a number that is meant as such needs quotes"},
      {"replies: [{on: {contains: a}, send: b, binary: x}]",
       "5:54: replies[0].binary: 'x' is unknown; allowed: false or true"},
      {"replies: [{when: {contains: a}, send: b}]",
       "5:17: replies[0]: has no 'on'\n5:18: replies[0].when: unknown key; allowed: on, send, "
       "binary and set"},
  });
}

TEST(SessionErrors, Remember) {
  expect_errors({
      {"remember: [a]", "5:17: remember: is a list; allowed: map of variables to values"},
      {"remember: {a: }", "5:18: remember.a: has no value; allowed: map of on, value and keep"},
      {"remember: {a: [/b]}", "5:21: remember.a: is a list; allowed: map of on, value and keep"},
      {"remember: {a: x}", "5:21: remember.a: needs 'on': the messages that it is taken from"},
      {"remember: {a: {on: {contains: b}}}", "5:21: remember.a: has no 'value'"},
      {"remember: {a: {value: x}}",
       "5:29: remember.a.value: needs 'on': the messages that it is taken from"},
      {"remember: {a: {on: {contains: b}, value: 1}}",
       "5:48: remember.a.value: names a group, and there is no regular expression 'text' that has "
       "any; a number that is meant as such needs quotes"},
      {"remember: {a: {on: {contains: b}, value: '/~'}}",
       "5:48: remember.a.value: '/~' has a '~' that is not ~0 (for ~) or ~1 (for /)"},
      {"remember: {a: {on: {contains: b}, valu: /c}}",
       "5:21: remember.a: has no 'value'\n5:41: remember.a.valu: unknown key (did you mean "
       "'value'?); allowed: on, value and keep"},
      {"remember: {upper: /a}",
       "5:18: remember.upper: is the name of a function; give the variable another name"},
      {"remember: {a: {value: /b, keep: forever}}",
       "5:39: remember.a.keep: 'forever' is unknown; allowed: session or restart"},
      {"remember: {a: {value: /b, keep: [restart]}}",
       "5:39: remember.a.keep: is a list; allowed: session or restart"},
  });
}

TEST(SessionErrors, Goodbye) {
  expect_errors({
      {"goodbye: {on: {contains: a}}",
       "5:16: goodbye: is a map; allowed: list of messages that announce the end"},
      {"goodbye: [a]", "5:17: goodbye[0]: is text; allowed: map of on, renew and resume"},
      {"goodbye: [{renew: now}]", "5:17: goodbye[0]: has no 'on'"},
      {"goodbye: [{on: {contains: a}, renew: soon}]",
       "5:44: goodbye[0].renew: 'soon' is not a duration such as 250ms, 10s, 5m, 23h or 1d; "
       "allowed: now, or duration, 1ms to 1d"},
      {"goodbye: [{on: {contains: a}, renew: 2d}]",
       "5:44: goodbye[0].renew: '2d' is out of range; allowed: now, or duration, 1ms to 1d"},
      {"goodbye: [{on: {contains: a}, renew: [now]}]",
       "5:44: goodbye[0].renew: is a list; allowed: now, or duration, 1ms to 1d"},
      {"goodbye: [{on: {contains: a}, resume: x}]",
       "5:45: goodbye[0].resume: 'x' is unknown; allowed: false or true"},
  });
}

TEST(SessionErrors, Refuse) {
  expect_errors({
      {"refuse: x",
       "5:15: refuse: is text; allowed: map of json, exists, absent, text, contains, opcode and "
       "verdict"},
      {"refuse: [{verdict: stop}]",
       "5:16: refuse[0]: does not say which message refuses; allowed: json, exists, absent, text, "
       "contains and opcode"},
      {"refuse: {contains: a, verdict: x}",
       "5:38: refuse.verdict: 'x' is unknown; allowed: retry, slow or stop"},
  });
}

TEST(SessionErrors, Close) {
  expect_errors({
      {"close: bye", "5:14: close: is text; allowed: map of send, binary and code"},
      {"close: {code: 1006}",
       "5:21: close.code: '1006' is none that a client may send; allowed: 1000, 1001 or 3000 to "
       "4999"},
      {"close: {code: many}",
       "5:21: close.code: 'many' is not a whole number; allowed: 1000, 1001 or 3000 to 4999"},
      {"close: {code: [1000]}", "5:21: close.code: is a list; allowed: 1000, 1001 or 3000 to 4999"},
      {"close: {send: ''}", "5:21: close.send: is empty; allowed: text"},
      {"close: {send: '{\"a\"'}", "5:26: close.send: the JSON is not complete: ':' is missing"},
      {"close: {reason: x}", "5:15: close.reason: unknown key; allowed: send, binary and code"},
  });
}

TEST(SessionErrors, KeysGivenTwice) {
  expect_errors({
      {"open: [{send: a}]\nopen: [{send: b}]", "6:7: open: is given twice, first on line 5"},
  });
}

TEST(SessionErrors, Prepare) {
  expect_errors({
      {"prepare: x", "5:16: prepare: is text; allowed: list of steps: request or command"},
      {"prepare: [x]", "5:17: prepare[0]: is text; allowed: map of request and command"},
      {"prepare: [{}]",
       "5:17: prepare[0]: has neither 'request' nor 'command'; allowed: one of the two"},
      {"prepare: [{timeout: 5s}]",
       "5:17: prepare[0]: has neither 'request' nor 'command'; allowed: one of the two"},
      {"prepare: [{request: ftp://h/}]",
       "5:27: prepare[0].request: a URL begins with http:// or https://"},
      {"prepare: [{request: 'https://h/${nope}'}]",
       "5:40: prepare[0].request: unknown variable 'nope'; there are none here"},
      {"prepare: [{request: https://h/, method: 'A B'}]",
       "5:47: prepare[0].method: 'A B' is unknown; allowed: GET, POST, PUT, PATCH or DELETE"},
      {"prepare: [{request: https://h/, headers: [a]}]",
       "5:48: prepare[0].headers: is a list; allowed: map of names to values"},
      {"prepare: [{request: https://h/, status: 9xx}]",
       "5:47: prepare[0].status: '9xx' is not within 200 and 599; allowed: code, range or class, "
       "200 to 599, or a list of them"},
      {"prepare: [{request: https://h/, tls: none}]",
       "5:44: prepare[0].tls: 'none' is unknown; allowed: connection or system"},
      {"prepare: [{request: https://h/, proxy: ftp://p}]",
       "5:46: prepare[0].proxy: the URL of a proxy begins with http://, https://, socks5:// or "
       "socks5h://"},
      {"prepare: [{request: https://h/, timeout: 1h}]",
       "5:48: prepare[0].timeout: '1h' is out of range; allowed: duration, 1ms to 10m"},
      {"prepare: [{request: https://h/, expect: x}]",
       "5:47: prepare[0].expect: is text; allowed: map of json, exists, absent, text, contains and "
       "opcode"},
      {"prepare: [{request: https://h/, expect: {}}]",
       "5:47: prepare[0].expect: is empty; allowed: json, exists, absent, text, contains and "
       "opcode"},
      {"prepare: [{request: https://h/, set: x}]",
       "5:44: prepare[0].set: is text; allowed: map of variables to values"},
      {"prepare: [{request: https://h/, set: {a: 1}}]",
       "5:48: prepare[0].set.a: names a group, and there is no regular expression 'text' that has "
       "any; a number that is meant as such needs quotes"},
      {"prepare: [{request: https://h/, environment: {a: b}}]",
       "5:39: prepare[0].environment: unknown key; allowed: request, method, headers, body, "
       "status, tls, proxy, timeout, expect and set"},
      {"prepare: [{request: https://h/, command: [/a]}]",
       "5:39: prepare[0].command: unknown key; allowed: request, method, headers, body, status, "
       "tls, proxy, timeout, expect and set"},
      {"prepare: [{command: /bin/true}]",
       "5:27: prepare[0].command: is text; allowed: list of a program's path and its arguments; no "
       "shell reads it"},
      {"prepare: [{command: []}]",
       "5:27: prepare[0].command: is empty; allowed: list of a program's path and its arguments; "
       "no shell reads it"},
      {"prepare: [{command: [true]}]",
       "5:28: prepare[0].command[0]: 'true' is no absolute path; allowed: /PATH/OF/PROGRAM"},
      {"prepare: [{command: [/bin/true], environment: [a]}]",
       "5:53: prepare[0].environment: is a list; allowed: map of names to values"},
      {"prepare: [{command: [/bin/true], environment: {'a=b': c}}]",
       "5:54: prepare[0].environment.a=b: is no name of an environment variable: it is letters, "
       "digits and _"},
      {"prepare: [{command: [/bin/true], body: x}]",
       "5:40: prepare[0].body: unknown key; allowed: command, environment, timeout, expect and "
       "set"},
  });
}

TEST(SessionErrors, Forget) {
  expect_errors({
      {"forget: x", "5:15: forget: is text; allowed: map of close and status"},
      {"forget: {close: x}",
       "5:23: forget.close: 'x' is not a code, a range of codes or a class of them; allowed: code, "
       "range or class, 1000 to 4999, or a list of them"},
      {"forget: {close: 99}",
       "5:23: forget.close: '99' is not a code, a range of codes or a class of them; allowed: "
       "code, range or class, 1000 to 4999, or a list of them"},
      {"forget: {status: 200}",
       "5:24: forget.status: '200' is not within 300 and 599; allowed: code, range or class, 300 "
       "to 599, or a list of them"},
      {"forget: {clos: 4000}",
       "5:16: forget.clos: unknown key (did you mean 'close'?); allowed: close and status"},
  });
}

TEST(SessionErrors, InsecureUrl) {
  expect_errors({
      {"insecure_url: maybe", "5:21: insecure_url: 'maybe' is unknown; allowed: false or true"},
  });
}

TEST(SessionErrors, Session) {
  constexpr std::string_view kind = "f:3:14: connections.a.session: is ";
  EXPECT_EQ(error_of_setting("session: 5").substr(0, kind.size() + 14),
            std::string(kind) + "text; allowed:");
  EXPECT_EQ(error_of_setting("session: [a]").substr(0, kind.size() + 16),
            std::string(kind) + "a list; allowed:");
  EXPECT_EQ(error_of("defaults: {session: {open: x}}\nconnections: {a: {url: wss://h/}}\n"),
            "f:1:28: defaults.session.open: is text; allowed: list of steps: send, wait, set or "
            "pause");
}

}  // namespace
}  // namespace wskeep::config
