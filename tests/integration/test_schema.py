"""`wskeep schema`: what it takes and refuses is what the loader takes and refuses, as far as a schema can know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.daemon import build_folder, run_program
from support.documents import ROOT

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")


class _Loader(yaml.SafeLoader):  # type: ignore[misc, valid-type]
    """YAML 1.2, as editors have it: `on` and `off` are texts."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:int")]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?[0-9]+$"), list("-0123456789"))


def _parse(text: str) -> Any:
    return yaml.load(text, _Loader)


def _validator(*arguments: str) -> Any:
    found = json.loads(run_program("wskeep", ["schema", *arguments]).stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.fixture(scope="module")
def schema() -> Any:
    return _validator()


def _with(sessions: list[str]) -> str:
    """A configuration with a connection for each."""
    entries = [f"  c{index}:\n    url: ws://h/\n    session:" + "".join(f"\n      {line}" for line in session.splitlines())
               for index, session in enumerate(sessions)]
    return "connections:\n" + "\n".join(entries) + "\n"


def _problems(folder: Path, text: str) -> list[dict[str, Any]]:
    file = folder / "wskeep.yaml"
    file.write_text(text)
    return json.loads(run_program("wskeep", ["--json", "check", file]).stdout)["problems"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("file", sorted((ROOT / "config/examples").glob("*.yaml")), ids=lambda file: file.name)
def test_it_takes_every_example(schema: Any, file: Path) -> None:
    problems = [f"{list(problem.absolute_path)}: {problem.message}" for problem in schema.iter_errors(_parse(file.read_text()))]
    assert not problems


_TAKEN = [
    "variables: {symbols: [a, b], one: x, number: 5}",
    "variables: {l: [a]}\nopen: [{send: 'x${s}', repeat: {s: l}, pace: 10ms, binary: true, set: {v: '${uuid()}'}}]",
    "open:\n- {wait: {json: {/event: [a, 1, null], /ok: true}, opcode: text}, timeout: 5s, set: {id: /id}, "
    "refuse: {contains: no, verdict: stop}}\n- {pause: 1s}\n- {set: {b: '${time_ms()}'}}\n- {wait: [{exists: /a}, {absent: [/a, /b]}]}",
    "open: off\nheartbeat: off\nreplies: off\nprepare: off\nclose: off",
    "heartbeat: {every: 20s, send: ping, expect: {text: pong}, within: 5s, jitter_first: true, idle_only: false}",
    "remember: {interval: {on: {exists: /i}, value: '${concat(\"1\", \"0ms\")}'}}\nheartbeat: {every: '${interval}', send: 1}",
    "replies: [{on: {text: 'a(.)'}, send: '${x}', set: {x: 1}}, {on: {contains: b}, set: {y: /y}}]",
    "remember: {sid: /sid, other: {on: {opcode: text}, value: '${uuid()}', keep: restart}}\n"
    "resume: [{send: '${sid}'}]\nresume_url: 'wss://h/${sid}'\ninsecure_url: false\nforget: {close: [1008, 4xxx, 4000-4010], status: 401}",
    "goodbye: [{on: {json: {/op: 7}}, renew: now}, {on: {contains: bye}, renew: 5s, resume: false}]",
    "refuse: [{json: {/e: 1}, verdict: retry}]",
    "close: {send: bye, binary: false, code: 3001}",
    "prepare: [{request: 'https://h/token', method: POST, headers: {X-Key: a}, body: '{}', status: [200, 2xx], tls: system, proxy: off, "
    "timeout: 5s, expect: {exists: /t}, set: {t: /t}}]",
    "prepare: [{command: [/bin/echo, 1], environment: {A: b}, timeout: 5s, set: {t: '${answer}'}}]",
]


def test_it_takes_what_the_loader_takes(schema: Any, folder: Path) -> None:
    text = _with(_TAKEN)
    assert _problems(folder, text) == []
    assert not [problem.message for problem in schema.iter_errors(_parse(text))]


def test_each_key_of_a_session_is_among_them(schema: Any) -> None:
    text = "\n".join(_TAKEN)
    keys = {(name, key) for name, value in schema.schema["$defs"].items() if name.startswith("session") for key in value["properties"]}
    assert len(keys) > 60
    assert not {(name, key) for name, key in keys if not re.search(rf"\b{key}:", text)}


_REFUSED = [
    "opne: []", "5", "[a]",
    "variables: [a]", "variables: {1a: x}", "variables: {a: {b: c}}", "variables: {a: []}", "variables: off",
    "open: x", "open: {send: x}", "open: [x]", "open: [{}]", "open: [{send: ''}]", "open: [{send: [a]}]",
    "open: [{send: a, wait: {contains: b}}]", "open: [{send: a, timeout: 5s}]", "open: [{pause: soon}]",
    "open: [{send: a, binary: maybe}]", "open: [{send: a, repeat: {}}]", "open: [{send: a, repeat: x}]",
    "open: [{wait: {}}]", "open: [{wait: []}]", "open: [{wait: {josn: {/a: 1}}}]", "open: [{wait: {json: {}}}]",
    "open: [{wait: {json: {a: 1}}}]", "open: [{wait: {json: {/a: []}}}]", "open: [{wait: {opcode: ping}}]",
    "open: [{wait: {text: ''}}]", "open: [{wait: {exists: a}}]", "open: [{wait: {exists: []}}]",
    "open: [{wait: {contains: a}, timeout: 5}]", "open: [{wait: {contains: a}, refuse: {contains: b, verdict: maybe}}]",
    "heartbeat: {send: x}", "heartbeat: {every: 5s}", "heartbeat: {every: 5, send: x}", "heartbeat: {every: 5s, send: x, jitter: true}",
    "replies: {on: {contains: a}, send: b}", "replies: [{send: b}]",
    "remember: {a: {on: {contains: x}}}", "remember: {a: {value: /a, keep: forever}}",
    "forget: {close: x}", "forget: {codes: 1008}",
    "goodbye: [{renew: now}]", "goodbye: [{on: {contains: a}, renew: later}]",
    "refuse: {verdict: loud}", "close: {code: 999}", "close: {code: 1006}", "close: {reason: x}",
    "prepare: [{}]", "prepare: [{request: 'https://h/', command: [/bin/true]}]", "prepare: [{request: 'https://h/', method: HEAD}]",
    "prepare: [{request: 'https://h/', tls: none}]", "prepare: [{command: []}]", "prepare: [{command: /bin/true}]",
    "insecure_url: maybe",
]


def test_it_refuses_what_the_loader_refuses(schema: Any, folder: Path) -> None:
    text = _with(_REFUSED)
    refused = {problem["key"].split(".")[1] for problem in _problems(folder, text)}
    assert [session for index, session in enumerate(_REFUSED) if f"c{index}" not in refused] == [], "of the loader"
    let_through = [session for session in _REFUSED if not list(schema.iter_errors(_parse(_with([session]))))]
    assert let_through == [], "of the schema"


@pytest.mark.parametrize(("sockets", "good"), [
    ("[{path: /tmp/a, mode: '0600', group: root, access: {subscribe: [root], publish: [], control: ['uid:5']}}]", True),
    ("[{path: /tmp/a, owner: root}]", False), ("[{mode: '0600'}]", False), ("[{path: /tmp/a, access: {read: [root]}}]", False),
])
def test_sockets(schema: Any, sockets: str, good: bool, folder: Path) -> None:
    text = f"ipc: {{sockets: {sockets}}}\nconnections: {{a: {{url: ws://h/}}}}\n"
    assert (_problems(folder, text) == []) == good
    assert (not list(schema.iter_errors(_parse(text)))) == good


def test_files_of_conf_d_have_one_of_their_own() -> None:
    further = _validator("--conf-d")
    assert not list(further.iter_errors(_parse("connections: {a: {url: ws://h/, history: 1MiB}}")))
    assert not list(further.iter_errors(_parse("connections: {}")))
    for broken in ("defaults: {history: 1MiB}", "log: {level: info}", "connections: {a: {histroy: 1MiB, url: ws://h/}}"):
        assert list(further.iter_errors(_parse(broken))), broken


def test_init_names_the_one_that_is_installed(folder: Path) -> None:
    """It lies where the package puts it: beside the program, in ../share."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "wskeep"
    shutil.copy(build_folder() / "wskeep", program)
    installed = folder / "share" / "wskeep" / "wskeep.schema.json"

    def first_line() -> str:
        done = subprocess.run([program, "init", "-", "--url", "wss://h/"], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.partition("\n")[0]

    assert "$schema" not in first_line()
    installed.parent.mkdir(parents=True)
    installed.write_text("{}")
    assert first_line() == f"# yaml-language-server: $schema={installed}"


def test_every_key_says_what_it_is_for(schema: Any) -> None:
    def keys(node: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for name, value in node.get("properties", {}).items():
            inner = next((one for one in value.get("anyOf", []) if "properties" in one), value)
            group = "properties" in inner
            found += keys(inner, f"{path}.{name}") if group else [(f"{path}.{name}", value)]
        return found

    connection = schema.schema["properties"]["connections"]["additionalProperties"]
    places = {"": schema.schema, "connections": connection} | {
        name: value for name, value in schema.schema["$defs"].items() if name.startswith("session")}
    told = [(key, value) for path, node in places.items() for key, value in keys(node, path)]
    assert len(told) > 150
    silent = [key for key, value in told if not value.get("description")]
    # Those of a list's maps are named by the list.
    assert not [key for key in silent if ".sockets" not in key]
