"""The examples for Home Assistant, GraphQL, Mastodon and OCPP, against servers that enforce what those do: each whole, and
each with a step left out."""

from __future__ import annotations

import json
import ssl

import pytest

from support.daemon import Daemon
from support.enforcing_server import Upstream
from support.examples import AT_ONCE, StartExample, read_until
from support.mutilated import Mutilated, cases, unproven_rules
from support.platforms import Csms, GraphQl, HomeAssistant, Mastodon

FILES = {"home-assistant.token": "right\n", "ocpp.password": "pass:word\n"}
ENVIRONMENT = {"GRAPHQL_TOKEN": "secret", "MASTODON_TOKEN": "secret", "OCPP_ID": "CP-1"}
HOUSE = AT_ONCE | {"every: 30s": "every: 50ms"}
GRAPHQL = {"every: 20s": "every: 50ms", "    reconnect:\n": "    reconnect:\n      initial: 10ms\n      max: 50ms\n"}
STATION = AT_ONCE | {"max(interval, 10)": "max(interval, 1)"}


def _wait_stopped(daemon: Daemon, name: str, attempt: int) -> None:
    """It gave up for good, after the attempt of that number."""
    daemon.wait_state(name, "failed")
    found = daemon.get(f"/v1/connections/{name}/attempts").json
    assert found["next_attempt"] is None
    last = found["cycles"][-1]
    assert (last["number"], last["next"]["verdict"]) == (attempt, "stop")


# -- Home Assistant

def test_home_assistant(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    house = HomeAssistant(server_context)
    daemon = start_example("home-assistant", house, HOUSE, files=FILES)
    app = daemon.subscribe("house")
    for kind in (b'"state_changed"', b'"automation_triggered"'):
        read_until(app, lambda message, kind=kind: kind in message)  # type: ignore[misc]
    daemon.wait_state("house", "ready")
    house.wait_for_count("ping", 2)
    assert house.counts["subscribe_events"] == 2 and len(house.clients) == 1
    house.check()


def test_home_assistant_refuses_the_token_for_good(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    house = HomeAssistant(server_context)
    daemon = start_example("home-assistant", house, HOUSE, files={"home-assistant.token": "wrong-token\n"})
    _wait_stopped(daemon, "house", 1)
    assert daemon.connection("house")["last_error"]["error"] == "script_refused"
    assert "wrong-token" not in daemon.log
    assert len(house.requests) == 1
    # A person has put it right.
    house.token = "wrong-token"
    assert daemon.control("house", "reconnect").status == 202
    daemon.wait_state("house", "ready")
    house.check()


# -- GraphQL

def test_graphql(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = GraphQl(server_context)
    daemon = start_example("graphql", server, GRAPHQL, environment=ENVIRONMENT)
    app = daemon.subscribe("news")
    read_until(app, lambda message: json.loads(message)["type"] == "next")
    daemon.wait_state("news", "ready")
    server.wait_for_count("pong", 3)
    server.wait_for_count("ping", 3)
    assert server.counts["subscribe"] == 1 and len(server.clients) == 1
    server.check()


def test_graphql_close_codes_that_are_final(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    codes = [4400, 4401, 4403, 4406, 4409, 4429]
    server = GraphQl(server_context, ends=codes, final=set(codes))
    daemon = start_example("graphql", server, GRAPHQL, environment=ENVIRONMENT)
    for attempt, code in enumerate(codes, start=1):
        _wait_stopped(daemon, "news", attempt)
        assert daemon.connection("news")["last_error"]["close_code"] == code
        server.gone = False
        assert daemon.control("news", "reconnect").status == 202
        server.wait_for_session(attempt + 1)
    daemon.wait_state("news", "ready")
    server.check()


def test_graphql_close_codes_that_are_retried(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    codes = [1001, 1005, 1006, 1012, 1013, 4408]
    server = GraphQl(server_context, ends=codes)
    daemon = start_example("graphql", server, GRAPHQL, environment=ENVIRONMENT)
    server.wait_for_session(len(codes) + 1)
    daemon.wait_state("news", "ready")
    cycles = daemon.get("/v1/connections/news/attempts").json["cycles"]
    assert [cycle["session"]["close_code"] for cycle in cycles if cycle["session"]] == codes
    server.check()


# -- Mastodon

def test_mastodon(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Mastodon(server_context)
    daemon = start_example("mastodon", server, AT_ONCE, environment=ENVIRONMENT)
    app = daemon.subscribe("mastodon")
    for names in (["user"], ["public:local"], ["hashtag", "caturday"]):
        read_until(app, lambda message, names=names: json.loads(message)["stream"] == names)  # type: ignore[misc]
    server.wait_for_count("pongs", 3)
    assert len(server.clients) == 1
    server.check()


def test_mastodon_says_no_to_a_stream(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Mastodon(server_context)
    daemon = start_example("mastodon", server, AT_ONCE | {"public:local": "public:lokal"}, environment=ENVIRONMENT)
    found = daemon.wait_error("mastodon", "script_refused")
    assert "session.refuse[0]" in found["message"]
    assert daemon.get("/v1/connections/mastodon/attempts").json["cycles"][0]["next"]["verdict"] == "slow"
    server.check()


# -- OCPP 1.6

def test_ocpp(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    csms = Csms(server_context, pending=1)
    daemon = start_example("ocpp", csms, STATION, files=FILES, environment=ENVIRONMENT)
    daemon.wait_state("station", "ready")
    assert len(csms.clients) == 2, "it was told to wait at first"
    app = daemon.subscribe("station")
    app.send_text('[2,"app-1","StatusNotification",{}]')
    read_until(app, lambda message: json.loads(message) == [3, "app-1", {}])
    csms.wait_for_count("Heartbeat")
    csms.wait_for_count("Reset answered", 2)
    csms.wait_for_count("TriggerMessage answered", 2)
    csms.check()


# -- all of them with a step left out

MUTILATED = [
    Mutilated("home-assistant", HomeAssistant, "first", "waiting for the server",
              {"        - wait: {json: {/type: auth_required}}  # the server speaks first\n": ""}, {"silent_for": 60.0}),
    Mutilated("home-assistant", HomeAssistant, "auth", "auth",
              {"        - send: '{\"type\":\"auth\",\"access_token\":\"${file:/etc/wskeep/home-assistant.token}\"}'\n": ""},
              {"auth_within": 0.3}),
    Mutilated("home-assistant", HomeAssistant, "ids", "an id of its own for each subscription", {"          set: {id: '${add(id, 1)}'}\n": ""}),
    Mutilated("home-assistant", HomeAssistant, "ids", "ids that grow in beats", {"${time_ms()}": "3", "every: 30s": "every: 50ms"}),

    Mutilated("graphql", GraphQl, "subprotocol", "subprotocol", {"    subprotocols: [graphql-transport-ws]\n": ""}),
    Mutilated("graphql", GraphQl, "init", "connection_init",
              {"        - send: '{\"type\":\"connection_init\",\"payload\":{\"Authorization\":\"Bearer ${env:GRAPHQL_TOKEN}\"}}'\n": ""},
              {"init_within": 0.3}),
    Mutilated("graphql", GraphQl, "token", "token", {"Bearer ${env:GRAPHQL_TOKEN}": "none"}),
    Mutilated("graphql", GraphQl, "early", "waiting for connection_ack", {"        - wait: {json: {/type: connection_ack}}\n": ""},
              {"silent_before_ack": 60.0}),
    Mutilated("graphql", GraphQl, "pong", "pong",
              {"        - on: {json: {/type: ping}}\n          send: '{\"type\":\"pong\"}'\n": "        []\n"}, {"pong_within": 0.3}),
    Mutilated("graphql", GraphQl, "again", "a session of its own for each connection_init",
              {"every: 20s": "every: 50ms", "send: '{\"type\":\"ping\"}'": "send: '{\"type\":\"connection_init\"}'"}),
    Mutilated("graphql", GraphQl, "message", "messages of the protocol",
              {"every: 20s": "every: 50ms", "send: '{\"type\":\"ping\"}'": "send: ping"}),
    Mutilated("graphql", GraphQl, "id", "an id of its own",
              {"every: 20s": "every: 50ms", "send: '{\"type\":\"ping\"}'":
               "send: '{\"id\":\"news\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription { x }\"}}'"}),
    Mutilated("graphql", GraphQl, "final", "an end that is final", GRAPHQL | {"4401: stop, ": ""}, {"ends": [4401], "final": {4401}}),

    Mutilated("mastodon", Mastodon, "token", "token", {"    authorization:\n      bearer: ${env:MASTODON_TOKEN}\n": ""}),
    Mutilated("mastodon", Mastodon, "stream", "a stream", {"\"type\":\"subscribe\",\"stream\":\"${stream}\"": "\"type\":\"subscribe\""}),

    Mutilated("ocpp", Csms, "identity", "identity", {"/ocpp/${env:OCPP_ID}": "/ocpp/"}),
    Mutilated("ocpp", Csms, "auth", "password",
              {"    authorization:\n      basic: ${env:OCPP_ID}:${file:/etc/wskeep/ocpp.password}\n": ""}),
    Mutilated("ocpp", Csms, "subprotocol", "subprotocol", {"    subprotocols: [ocpp1.6]\n": ""}),
    Mutilated("ocpp", Csms, "boot", "BootNotification", {"BootNotification": "StatusNotification"}),
    Mutilated("ocpp", Csms, "pending", "a pause when it is told to wait",
              {"        - send": "        - send: '[2,\"${uuid()}\",\"BootNotification\",{}]'\n        - send"}, {"pending": 1}),
    Mutilated("ocpp", Csms, "id", "an id of its own", STATION | {"${uuid()}": "1"}),
    Mutilated("ocpp", Csms, "heartbeat", "heartbeats", {"max(interval, 10)": "max(interval, 3600)"}, {"heartbeat_within": 0.3}),
    Mutilated("ocpp", Csms, "answer", "an answer", {"/2: TriggerMessage": "/2: Nothing"}, {"answer_within": 0.3}),
]
PROVEN_ELSEWHERE = {"websocket pong"}
"""What no configuration can leave out: wskeep itself answers pings."""


@cases(*MUTILATED)
def test_a_step_left_out(mutilated: Mutilated, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    mutilated.check(start_example, server_context, files=FILES, environment=ENVIRONMENT)


@pytest.mark.parametrize("server", [HomeAssistant, GraphQl, Mastodon, Csms])
def test_each_rule_is_broken_by_a_step_left_out(server: type[Upstream]) -> None:
    assert not unproven_rules(server, MUTILATED, PROVEN_ELSEWHERE)
