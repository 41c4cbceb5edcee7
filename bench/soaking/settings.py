"""The soak's configuration, and what its reloads change in it."""

import json

FAULTY = [f"faulty{number}" for number in range(4)]
STEADY = ["steady", "burst"]
"""They keep their sessions."""
LASTING = ["scripted", "resumed", "echo", "large", "faulty0"]
"""Their sessions come and go, the connections stay: what is left behind by a session adds up."""
CHANGING = ["prepared", "refused", *FAULTY[1:]]
"""Reloads change and remove them; when all rests they are not there, so that what is held is the same each time."""
CHURNING = [*LASTING, *CHANGING]


def _session_script():
    return {
        "open": [{"send": '{"op":"subscribe","id":"one"}'},
                 {"wait": {"json": {"/event": "subscribed"}}, "timeout": "3s", "refuse": {"json": {"/event": "error"}}}],
        "heartbeat": {"every": "1s", "send": '{"op":"ping"}', "expect": {"json": {"/op": "pong"}}, "within": "2s"},
        "replies": [{"on": {"json": {"/ask": True}}, "send": '{"answer":"yes"}'}],
        "goodbye": [{"on": {"json": {"/op": "goodbye"}}, "renew": "now"}],
        "close": {"send": '{"op":"unsubscribe"}'},
    }


def _resuming_script():
    return {**_session_script(),
            "resume": [{"send": '{"op":"resume","id":"${session}","seq":"${seq}"}'}, {"wait": {"json": {"/event": "subscribed"}}}],
            "remember": {"session": {"value": "/session", "on": {"json": {"/event": "subscribed"}}, "keep": "restart"}, "seq": "/s"},
            "forget": {"close": [4007]}}


def make(folder, authority, ports):
    def url(name, secure):
        return f"{'wss' if secure else 'ws'}://localhost:{ports[name]}/feed"

    scripted = {"url": url("scripted", True), "compression": True}
    connections = {
        "steady": {"url": url("steady", True), "history": "4MiB"},
        "burst": {"url": url("burst", False), "history": "256KiB", "max_message": "16KiB", "patience": "5ms", "gap": "skip"},
        "scripted": {**scripted, "lifetime": "7s", "session": _session_script()},
        "resumed": {**scripted, "history": "128KiB", "max_message": "16KiB", "session": _resuming_script()},
        "echo": {"url": url("echo", False), "outbox": {"ttl": "3s", "messages": 100}, "history": "256KiB", "max_message": "64KiB"},
        "large": {"url": url("large", False), "receive": "stream", "history": "512KiB", "max_message": "128KiB"},
        "prepared": {"url": url("faulty_plain", False) + "?token=${token}", "lifetime": "2s",
                     "session": {"prepare": [{"command": ["/bin/echo", "token"], "set": {"token": "${answer}"}}]}},
        "refused": {"url": "wss://localhost:1/"},
    }
    for number, name in enumerate(FAULTY):
        connections[name] = {"url": url("faulty" if number % 2 else "faulty_plain", number % 2), "redirects": 2,
                             "compression": number > 1, "history": "128KiB", "max_message": "64KiB"}
    return {
        "ipc": {"socket": str(folder / "soak.sock"), "limits": {"request": "2s", "comments": "2s", "filters": 16}},
        "threads": 2,
        "state_directory": str(folder / "state"),
        "connects": {"hosts": {"localhost": "10000/1m"}},
        "log": {"level": "info"},
        "defaults": {
            "tls": {"ca": str(authority)},
            "reconnect": {"initial": "20ms", "max": "1s", "stable_after": "2s", "budget": "off"},
            "timeouts": {"connect": "5s", "address": "2s", "resolve": "2s", "send": "3s", "receive": "10s", "message": "2s",
                         "close": "500ms"},
            "keepalive": {"ping": "1s"},
        },
        "connections": connections,
    }


def write(file, settings):
    file.write_text(json.dumps(settings, indent=1) + "\n")


def change(chance, original):
    """A configuration that differs from `original` in anything but what stays."""
    settings = json.loads(json.dumps(original))
    connections = settings["connections"]
    for name in chance.sample(CHANGING, 2):
        kind = chance.randrange(6)
        if kind == 0:
            del connections[name]
        elif kind == 1:
            connections[name]["headers"] = {"X-Key": str(chance.random())}
        elif kind == 2:
            connections[name]["history"] = f"{chance.choice((256, 512, 768))}KiB"
        elif kind == 3:
            connections[name]["patience"] = f"{chance.randrange(1, 300)}ms"
        elif kind == 4:
            connections[name]["access"] = {"subscribe": [chance.choice(("anyone", "uid:65533"))]}
        else:
            connections[name]["timeouts"] = {"receive": f"{chance.randrange(3, 20)}s"}
    for number in range(chance.randrange(4)):
        connections[f"extra{number}"] = {**connections.get("faulty1", original["connections"]["faulty1"])}
    settings["log"]["level"] = chance.choice(("info", "debug", "warning"))
    settings["ipc"]["limits"]["filters"] = chance.randrange(4, 32)
    return settings


def at_rest(original):
    kept = {name: original["connections"][name] for name in STEADY + LASTING}
    return {**original, "connections": kept}


BROKEN = "connections:\n  steady: {url: wss://localhost/, histroy: 1MiB}\n"
