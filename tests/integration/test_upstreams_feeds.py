"""The examples for feeds of prices and of ships, against servers that enforce what those enforce: whole, and with a step left out."""

from __future__ import annotations

import json
import ssl

import pytest

from support.enforcing_server import Upstream
from support.examples import StartExample, read_until
from support.feeds import AisStream, Alpaca, Finnhub
from support.frames import Opcode
from support.mutilated import Mutilated, cases, unproven_rules

ENVIRONMENT = {"FINNHUB_TOKEN": Finnhub.token, "ALPACA_KEY": Alpaca.key, "ALPACA_SECRET": Alpaca.secret, "AISSTREAM_KEY": AisStream.key}


def test_finnhub(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Finnhub(server_context)
    daemon = start_example("finnhub", server, environment=ENVIRONMENT)
    app = daemon.subscribe("finnhub")
    for symbol in (b"AAPL", b"MSFT", b"BINANCE:BTCUSDT"):
        read_until(app, lambda payload, name=symbol: b"trade" in payload and name in payload)
    assert server.counts == {"AAPL": 1, "MSFT": 1, "BINANCE:BTCUSDT": 1}
    assert server.clients[0].path == "/"
    server.check()
    assert f"token={Finnhub.token}" not in daemon.log


def test_alpaca_has_one_connection_for_many_readers(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Alpaca(server_context)
    daemon = start_example("alpaca", server, environment=ENVIRONMENT)
    apps = [daemon.subscribe("alpaca") for _ in range(5)]
    for app in apps:
        assert json.loads(read_until(app, lambda payload: b'"T": "t"' in payload).payload)[0]["S"] == "AAPL"
    daemon.wait_state("alpaca", "ready")
    assert len(server.clients) == 1
    server.check()


def test_alpaca_s_connection_is_in_use_elsewhere_for_a_while(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Alpaca(server_context, occupied=2)
    daemon = start_example("alpaca", server, {"    session:": "    reconnect: {max: 500ms}\n    session:"}, environment=ENVIRONMENT)
    daemon.wait_error("alpaca", "script_refused")
    read_until(daemon.subscribe("alpaca"), lambda payload: b'"T": "t"' in payload)
    assert len(server.clients) == 3
    server.check()


def test_alpaca_is_not_asked_again_with_a_wrong_key(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Alpaca(server_context)
    daemon = start_example("alpaca", server, environment=ENVIRONMENT | {"ALPACA_SECRET": "wrong"})
    server.wait_for_violation("key")
    daemon.wait_error("alpaca", "script_refused")
    assert daemon.get("/v1/connections/alpaca/attempts").json["cycles"][-1]["next"]["verdict"] == "stop"
    assert len(server.clients) == 1


def test_aisstream(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = AisStream(server_context)
    daemon = start_example("aisstream", server, environment=ENVIRONMENT)
    message = daemon.subscribe("aisstream").read_message()
    assert message.opcode == Opcode.BINARY
    assert json.loads(message.payload)["MetaData"]["ShipName"] == "AUGUSTSON"
    assert daemon.connection("aisstream")["compression"] is not None
    server.check()


def test_aisstream_refuses_in_a_binary_message(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = AisStream(server_context)
    daemon = start_example("aisstream", server, environment=ENVIRONMENT | {"AISSTREAM_KEY": "wrong"})
    server.wait_for_violation("key")
    daemon.wait_error("aisstream", "script_refused")
    daemon.wait_state("aisstream", "failed")


LOGIN = """        - send: '{"action":"auth\""""
WISHES = """        - send: '{"action":"subscribe\""""
SUBSCRIPTION = """        - send: '{"APIKey":"${env:AISSTREAM_KEY}","""
MUTILATED = [
    Mutilated("finnhub", Finnhub, "token", "a token", {"?token=${env:FINNHUB_TOKEN}": ""}),
    Mutilated("finnhub", Finnhub, "subscribe", "subscriptions", {"      open:\n": "      open:\n        - pause: 1m\n"},
              {"subscribe_within": 0.2}),
    Mutilated("finnhub", Finnhub, "one symbol", "a message for each",
              {'"symbol":"${symbol}"': '"symbol":${symbols}', "          repeat: {symbol: symbols}\n          pace: 20ms\n": ""}),
    Mutilated("finnhub", Finnhub, "one connection", "sharing", {
        "  finnhub:\n": "  other: {url: 'wss://ws.finnhub.io/?token=${env:FINNHUB_TOKEN}'}\n  finnhub:\n"}),
    Mutilated("alpaca", Alpaca, "auth", "a login in time", {LOGIN: f"        - pause: 1m\n{LOGIN}"}, {"auth_within": 0.2}),
    Mutilated("alpaca", Alpaca, "auth", "a login", {'"action":"auth"': '"action":"subscribe"'}),
    Mutilated("alpaca", Alpaca, "key", "the right secret", {"${env:ALPACA_SECRET}": "another"}),
    Mutilated("alpaca", Alpaca, "subscribe", "a subscription", {WISHES: f"        - pause: 1m\n{WISHES}"}, {"subscribe_within": 0.2}),
    Mutilated("alpaca", Alpaca, "one connection", "sharing", {
        "  alpaca:\n": """  other:
    url: wss://stream.data.alpaca.markets/v2/iex
    session: {open: [{send: '{"action":"auth","key":"${env:ALPACA_KEY}","secret":"${env:ALPACA_SECRET}"}'}]}
  alpaca:
"""}),
    Mutilated("aisstream", AisStream, "subscribe", "a subscription in time", {SUBSCRIPTION: f"        - pause: 1m\n{SUBSCRIPTION}"},
              {"subscribe_within": 0.2}),
    Mutilated("aisstream", AisStream, "key", "the right key", {"${env:AISSTREAM_KEY}": "another"}),
    Mutilated("aisstream", AisStream, "boxes", "a box", {"[[[48.5,-5.5],[51.5,2.0]]]": "[[[48.5,-5.5]]]"}),
    Mutilated("aisstream", AisStream, "compression", "compression", {"    compression: true\n": ""}),
]


@cases(*MUTILATED)
def test_a_step_left_out(mutilated: Mutilated, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    mutilated.check(start_example, server_context, environment=ENVIRONMENT)


@pytest.mark.parametrize("server", [Finnhub, Alpaca, AisStream])
def test_each_rule_is_broken_by_a_step_left_out(server: type[Upstream]) -> None:
    assert not unproven_rules(server, MUTILATED, set())
