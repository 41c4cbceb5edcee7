"""The examples for Discord, Slack and Jetstream, against servers that enforce what those do: each whole, and each with a step left
out."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemon import Daemon
from support.enforcing_server import Upstream
from support.examples import AT_ONCE, StartExample, read_until
from support.gateways import Discord, Jetstream, Slack, SlackApi
from support.mutilated import Mutilated, cases, unproven_rules

ENVIRONMENT = {"DISCORD_TOKEN": "secret", "SLACK_APP_TOKEN": "xapp-secret"}
DISCORD = {"    reconnect:\n": "    reconnect:\n      initial: 10ms\n      max: 50ms\n", "renew: 5s": "renew: 50ms",
           "        expect: {json: {/op: 11}}\n": "        expect: {json: {/op: 11}}\n        within: 1s\n"}
SLACK = {"initial: 1s, max: 1m, budget: 20/1m": "initial: 10ms, max: 50ms"}


def _with_state(folder: Path) -> dict[str, str]:
    """Kept over a restart."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    return {"connections:\n": f"state_directory: {state}\ndefaults: {{reconnect: {{initial: 10ms, max: 50ms}}}}\n\nconnections:\n"}


# -- Discord

def test_discord(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    plan = ["mute", "reconnect", "resumable", "invalid", "reconnect", "refuse", "4009"]
    discord = Discord(server_context, plan=plan)
    daemon = start_example("discord", discord, DISCORD, environment=ENVIRONMENT)
    discord.wait_for_count("done", len(plan))
    discord.wait_for_count("beats", 2 * len(plan))  # two in each of these but one, and some in the one that stays
    daemon.wait_state("discord", "ready")
    # A machine under load may be late with an acknowledgement, and then a session is resumed once more.
    assert discord.counts["identified"] == 4 and discord.counts["resumed"] >= 3
    app = daemon.subscribe("discord")
    read_until(app, lambda message: json.loads(message)["op"] == 11)
    discord.check()


def test_discord_asks_for_a_heartbeat(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    discord = Discord(server_context, interval=3_600_000, asks=True)
    start_example("discord", discord, DISCORD, environment=ENVIRONMENT)
    discord.wait_for_count("answered")
    discord.check()


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not kept"])
def test_discord_over_a_restart(start_example: StartExample, server_context: ssl.SSLContext, folder: Path, kept: bool) -> None:
    discord = Discord(server_context, dispatches=2)
    changes = DISCORD | _with_state(folder) | ({} if kept else {", keep: restart": ""})
    daemon = start_example("discord", discord, changes, environment=ENVIRONMENT)
    discord.wait_for_count("beats", 4)
    daemon.end()
    assert discord.wait_for_session(1).close_code == 4000
    start_example("discord", discord, changes, environment=ENVIRONMENT)
    if kept:
        discord.wait_for_count("resumed")
        discord.check()
    else:
        discord.wait_for_violation("resume")


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "not limited"])
def test_discord_is_sent_much(start_example: StartExample, server_context: ssl.SSLContext, limited: bool) -> None:
    discord = Discord(server_context, interval=60_000)
    daemon = start_example("discord", discord, DISCORD | ({} if limited else {"    send_rate: 120/1m\n": ""}), environment=ENVIRONMENT)
    daemon.wait_state("discord", "ready")
    app = daemon.subscribe("discord")
    for _ in range(200):
        app.send_text('{"op":3,"d":{}}')
    if limited:
        discord.wait_for_count("others", 100)
        time.sleep(0.5)  # what comes too early comes now
        discord.check()
    else:
        discord.wait_for_violation("rate")


# -- Slack

StartSlack = Callable[..., Daemon]


@pytest.fixture
def start_slack(start_example: StartExample, server_context: ssl.SSLContext) -> Iterator[StartSlack]:
    """`start_slack(slack, changes, troubles=[(500, {})])`: what is answered before the first URL is given."""
    apis: list[SlackApi] = []

    def start(slack: Slack, changes: dict[str, str] | None = None, troubles: list[Any] | None = None) -> Daemon:
        apis.append(SlackApi(server_context, slack, troubles or []))
        api = {"https://slack.com/": apis[-1].url}
        return start_example("slack", slack, SLACK | (changes or {}) | api, environment=ENVIRONMENT)

    yield start
    for api in apis:
        api.close()


def test_slack(start_slack: StartSlack, server_context: ssl.SSLContext) -> None:
    plan = ["warning", "refresh_requested"]
    troubles = [(500, {}), (200, {"ok": False, "error": "internal_error"}), (503, {"ok": True, "url": 7})]
    slack = Slack(server_context, plan=plan)
    daemon = start_slack(slack, troubles=troubles)
    app = daemon.subscribe("slack")
    read_until(app, lambda message: b'"envelope_id"' in message)
    slack.wait_for_session(len(plan) + 1)
    slack.wait_for_count("acknowledged", 3 * len(plan) + 10)
    daemon.wait_state("slack", "ready")
    assert slack.counts["issued"] == len(plan) + 1
    assert slack.counts["asked"] == len(troubles) + slack.counts["issued"]
    assert "xapp-secret" not in daemon.log and "ticket-" not in daemon.log
    slack.check()


def test_slack_was_switched_off(start_slack: StartSlack, server_context: ssl.SSLContext) -> None:
    slack = Slack(server_context, plan=["link_disabled"])
    daemon = start_slack(slack)
    daemon.wait_state("slack", "failed")
    assert daemon.get("/v1/connections/slack/attempts").json["cycles"][-1]["next"]["verdict"] == "stop"
    assert slack.counts["asked"] == 1
    slack.check()


def test_slack_with_a_url_of_before(start_slack: StartSlack, server_context: ssl.SSLContext) -> None:
    slack = Slack(server_context, plan=["warning"])
    start_slack(slack, {"${socket}": slack.issue()})
    slack.wait_for_violation("ticket")


# -- Jetstream

def test_jetstream(start_example: StartExample, server_context: ssl.SSLContext, folder: Path) -> None:
    server = Jetstream(server_context, plan=["close", "abort"])
    changes = _with_state(folder)
    daemon = start_example("jetstream", server, changes)
    app = daemon.subscribe("posts", "from=oldest")
    times = [json.loads(app.read_message().payload)["time_us"] for _ in range(30)]
    assert times == sorted(set(times))
    server.wait_for_count("settled", 3)
    # An app that sends something by mistake does not end it.
    assert daemon.post("posts", b"hello").status in (403, 404)
    app.close()
    daemon.end()
    start_example("jetstream", server, changes)
    server.wait_for_count("settled", 4)
    server.check()


def test_jetstream_has_forgotten_the_cursor(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Jetstream(server_context, plan=["close", "close"], too_old=2)
    start_example("jetstream", server, AT_ONCE)
    server.wait_for_count("settled", 3)
    assert server.counts["too old"] == 1
    server.check()


def test_jetstream_is_sent_something(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Jetstream(server_context)
    daemon = start_example("jetstream", server, {"    access: {publish: []}\n": ""})
    daemon.wait_state("posts", "ready")
    daemon.post("posts", b"hello")
    server.wait_for_violation("silent")


# -- all of them with a step left out

MUTILATED = [
    Mutilated("discord", Discord, "version", "version", {"v=10&encoding=json\n    send": "encoding=json\n    send"}),
    Mutilated("discord", Discord, "identify", "intents", {'"intents":513,': ""}),
    Mutilated("discord", Discord, "beat", "heartbeats", {"${interval}ms": "1h"}, {"beat_within": 0.3}),
    Mutilated("discord", Discord, "sequence", "a sequence number", {"${default(seq, \"null\")}": "null"}),
    Mutilated("discord", Discord, "asked", "a heartbeat when it is asked for", {"on: {json: {/op: 1}}": "on: {json: {/op: 100}}"},
              {"interval": 3_600_000, "asks": True, "asked_within": 0.3}),
    Mutilated("discord", Discord, "zombie", "expecting acknowledgements", {"        expect: {json: {/op: 11}}\n": ""},
              {"plan": ["mute"], "closed_within": 0.3}),
    Mutilated("discord", Discord, "zombie", "coming again", {"        - {on: {json: {/op: 7}}, renew: now}\n": ""},
              {"plan": ["reconnect"], "closed_within": 0.3}),
    Mutilated("discord", Discord, "code", "a close code", {"      close: {code: 4000}\n": ""}, {"plan": ["reconnect"]}),
    Mutilated("discord", Discord, "resume", "resuming",
              DISCORD | {" id: {on: {json: {/op: 0, /t: READY}}": " id: {on: {json: {/op: 0, /t: NONE}}"}, {"plan": ["reconnect"]}),
    Mutilated("discord", Discord, "url", "the URL of resuming", DISCORD | {"      resume_url: ${gateway}/?v=10&encoding=json\n": ""},
              {"plan": ["reconnect"]}),
    Mutilated("discord", Discord, "anew", "beginning anew when it is told so", DISCORD | {", resume: false": ""}, {"plan": ["invalid"]}),
    Mutilated("discord", Discord, "anew", "beginning anew after 4009", DISCORD | {"      forget: {close: [4007, 4009]}\n": ""},
              {"plan": ["4009"]}),

    Mutilated("jetstream", Jetstream, "collections", "collections", {"?wantedCollections=app.bsky.feed.post": "?a=b"}),
    Mutilated("jetstream", Jetstream, "cursor", "a cursor", AT_ONCE | {"${default(concat(\"&cursor=\", cursor), \"\")}": ""},
              {"plan": ["close"]}),
    Mutilated("jetstream", Jetstream, "cursor", "the right cursor", AT_ONCE | {"value: /time_us": "value: /commit/record/time_us"},
              {"plan": ["close"]}),
    Mutilated("jetstream", Jetstream, "forgotten", "forgetting the cursor",
              AT_ONCE | {"      remember:\n": "      forget: {status: 599}\n      remember:\n"}, {"plan": ["close"], "too_old": 2}),
]
SLACK_MUTILATED = [
    Mutilated("slack", Slack, "token", "token", {"          headers: {Authorization: \"Bearer ${env:SLACK_APP_TOKEN}\"}\n": ""}),
    Mutilated("slack", Slack, "token", "POST", {"          method: POST\n": ""}),
    Mutilated("slack", Slack, "ack", "acknowledgements", {"          send: '{\"envelope_id\":\"${envelope}\"}'\n": ""}, {"ack_within": 0.3}),
    Mutilated("slack", Slack, "renew", "coming again", {"        - {on: {json: {/type: disconnect}}, renew: now}\n": "        []\n"},
              {"plan": ["warning"], "gone_within": 0.3}),
    Mutilated("slack", Slack, "disabled", "an end that is final", {", verdict: stop": ""}, {"plan": ["link_disabled"]}),
]
PROVEN_ABOVE = {"rate", "silent", "ticket"}


@cases(*MUTILATED)
def test_a_step_left_out(mutilated: Mutilated, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    mutilated.check(start_example, server_context, environment=ENVIRONMENT)


@cases(*SLACK_MUTILATED)
def test_a_step_of_slack_left_out(mutilated: Mutilated, start_slack: StartSlack, server_context: ssl.SSLContext) -> None:
    slack = Slack(server_context, **mutilated.limits)
    start_slack(slack, mutilated.substitutions)
    slack.wait_for_violation(mutilated.rule)


@pytest.mark.parametrize("server", [Discord, Slack, Jetstream])
def test_each_rule_is_broken_by_a_step_left_out(server: type[Upstream]) -> None:
    assert not unproven_rules(server, MUTILATED + SLACK_MUTILATED, PROVEN_ABOVE)
