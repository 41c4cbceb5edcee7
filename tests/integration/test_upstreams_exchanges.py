"""The examples for exchanges, against servers that enforce what those enforce: each whole, and each with a step left out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
from pathlib import Path

import pytest
from websockets.legacy.client import WebSocketClientProtocol, connect

from support.certificates import Authority
from support.enforcing_server import Upstream
from support.examples import StartExample, read_until
from support.exchanges import Binance, Coinbase, Kraken
from support.mutilated import Mutilated, cases, unproven_rules
from support.signed_exchanges import Bybit, Deribit, Okx
from support.tls_peers import openssl

ENVIRONMENT = {"COINBASE_KEY_NAME": Coinbase.key_name, "OKX_KEY": Okx.key, "OKX_PASSPHRASE": Okx.passphrase, "BYBIT_KEY": Bybit.key,
               "DERIBIT_CLIENT_ID": Deribit.client_id, "KRAKEN_KEY": Kraken.key}
SECRETS = {f"{name}.secret": f"{server.secret}\n"
           for name, server in {"kraken": Kraken, "okx": Okx, "bybit": Bybit, "deribit": Deribit}.items()}


def _new_key() -> str:
    return openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout").decode()


@pytest.fixture(scope="module")
def key() -> str:
    """As Coinbase hands them out."""
    return _new_key()


@pytest.fixture
def public_key(key: str, folder: Path) -> Path:
    file = folder / "coinbase.public.pem"
    file.write_bytes(openssl("ec", "-pubout", data=key.encode()))
    return file


# -- Binance

def test_binance(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    # What comes late must not look like a burst, so the bucket is deep; a burst of 60 would overflow it all the same.
    server = Binance(server_context, ping_every=0.1, rate=10.0, burst=35.0)
    daemon = start_example("binance", server, {"send_rate: 4/s": "send_rate: 4/500ms"})
    app = daemon.subscribe("binance")
    assert json.loads(read_until(app, lambda payload: b"trade" in payload).payload)["data"]["e"] == "trade"
    for number in range(60):
        app.send_text(f'{{"method":"SUBSCRIBE","params":["bnbusdt@trade"],"id":{number}}}')
    server.wait_for_count("requests", 8)
    server.wait_for_count("pongs with their payload", 3)
    server.check()


def test_binance_counts_pings_and_pongs(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Binance(server_context, rate=10.0, burst=35.0)
    daemon = start_example("binance", server, {"send_rate: 4/s": "send_rate: 4/500ms", "keepalive: off": "keepalive: {ping: 10ms}"})
    daemon.wait_state("binance", "ready")
    daemon.subscribe("binance").send_text('{"method":"SUBSCRIBE","params":["bnbusdt@trade"],"id":1}')
    server.wait_for_count("requests", 1)
    server.wait_for_count("pings", 8)  # of the hundred a second that the configuration asks for
    server.check()


@pytest.mark.parametrize("shutdown", [{"e": "serverShutdown", "E": 1770123456789},
                                      {"stream": "", "data": {"e": "serverShutdown", "E": 1770123456789}}], ids=["single", "combined"])
def test_binance_is_left_when_it_shuts_down(shutdown: object, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Binance(server_context, shutdown=shutdown)
    daemon = start_example("binance", server)
    server.wait_for_session(2)
    daemon.wait_error("binance", "goodbye")
    daemon.wait_state("binance", "ready")
    server.check()


def test_binance_is_renewed_in_time(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Binance(server_context, lifetime=30.0)
    start_example("binance", server, {"lifetime: 23h": "lifetime: 1s"})
    server.wait_for_session(2)
    server.check()


# -- Coinbase


def test_coinbase(start_example: StartExample, server_context: ssl.SSLContext, key: str, public_key: Path) -> None:
    server = Coinbase(server_context, quiet_after=0.1, public_key=public_key, ended_sessions=2)
    daemon = start_example("coinbase", server, files={"coinbase.pem": key}, environment=ENVIRONMENT)
    app = daemon.subscribe("coinbase")
    beat = json.loads(read_until(app, lambda payload: b"heartbeat_counter" in payload).payload)
    assert beat["events"][0]["heartbeat_counter"] >= 1
    read_until(app, lambda payload: b'"market_trades", "client_id"' in payload and b'"price"' in payload)
    # The first sessions for orders were ended by the server: each later one brings tokens of its own.
    daemon.wait_state("coinbase_orders", "ready")
    server.wait_for_count("tokens", 4)
    server.check()


def test_coinbase_is_left_when_it_falls_silent(
        start_example: StartExample, server_context: ssl.SSLContext, key: str, public_key: Path) -> None:
    server = Coinbase(server_context, public_key=public_key, silent_after=0.2)
    daemon = start_example("coinbase", server, {"silence: 10s": "silence: 300ms"}, files={"coinbase.pem": key}, environment=ENVIRONMENT)
    server.wait_for_session(3)
    daemon.wait_error("coinbase", "silence_timeout")
    server.check()


# -- Kraken


def test_kraken(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Kraken(server_context, ended_orders=1)
    daemon = start_example("kraken", server, files=SECRETS, environment=ENVIRONMENT)
    app = daemon.subscribe("kraken", "from=oldest")
    assert b"4136.4" in read_until(app, lambda payload: b"snapshot\"," in payload).payload
    read_until(app, lambda payload: b"heartbeat" in payload)
    daemon.wait_state("kraken", "ready")
    assert server.counts["BTC/USD"] == server.counts["ETH/USD"] == 1
    # The first session for orders was ended by the server: the next one brings a token of its own.
    read_until(daemon.subscribe("kraken_orders"), lambda payload: b'"sequence": 3' in payload)
    assert server.counts["tokens"] == server.counts["orders"] == 2
    server.check()
    assert Kraken.secret not in daemon.log and "token 1" not in daemon.log


def test_kraken_is_left_when_it_falls_silent(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Kraken(server_context, silent_after=0.2)
    daemon = start_example("kraken", server, {"silence: 5s": "silence: 300ms"}, files=SECRETS, environment=ENVIRONMENT)
    server.wait_for_session(3)
    daemon.wait_error("kraken", "silence_timeout")
    server.check()


def test_kraken_does_not_know_a_symbol(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    daemon = start_example("kraken", Kraken(server_context, symbols=("BTC/USD",)), files=SECRETS, environment=ENVIRONMENT)
    assert "refuse" in daemon.wait_error("kraken", "script_refused")["message"]
    daemon.wait_state("kraken", "failed")


# -- OKX


def test_okx(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Okx(server_context)
    daemon = start_example("okx", server, {"every: 20s": "every: 50ms"}, files=SECRETS, environment=ENVIRONMENT)
    assert b"42219.9" in read_until(daemon.subscribe("okx", "from=oldest"), lambda payload: b"px" in payload).payload
    for count in ("public pings", "private pings"):
        server.wait_for_count(count, 3)
    daemon.wait_state("okx_orders", "ready")
    assert server.counts["logins"] == len(server.clients) - 1 == 1
    server.check()


def test_okx_is_left_before_an_upgrade(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Okx(server_context, notice=True)
    daemon = start_example("okx", server, files=SECRETS, environment=ENVIRONMENT)
    server.wait_for_session(3)
    for name in ("okx", "okx_orders"):
        daemon.wait_state(name, "ready")
    server.check()


# -- Bybit


def test_bybit(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    """A pong that is not understood would end the session after `within`."""
    server = Bybit(server_context)
    daemon = start_example("bybit", server, {"every: 20s": "every: 100ms, within: 3s"}, files=SECRETS, environment=ENVIRONMENT)
    app = daemon.subscribe("bybit")
    assert b"publicTrade.BTCUSDT" in read_until(app, lambda payload: b"topic" in payload).payload
    read_until(daemon.subscribe("bybit_orders"), lambda payload: b'"topic": "order"' in payload)
    for count in ("public pings", "private pings"):
        server.wait_for_count(count, 32)
    assert len(server.clients) == 2 and server.counts["logins"] == 1
    server.check()


@pytest.mark.parametrize(("shape", "fails"), [("ping", "bybit_orders"), ("pong", "bybit")])
def test_bybit_has_two_pongs(shape: str, fails: str, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Bybit(server_context)
    daemon = start_example("bybit", server, {"every: 20s": "every: 50ms, within: 300ms", "[ping, pong]": shape}, files=SECRETS,
                           environment=ENVIRONMENT)
    daemon.wait_error(fails, "heartbeat_timeout")


# -- Deribit


def test_deribit(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    server = Deribit(server_context, beat_every=0.05)
    daemon = start_example("deribit", server, files=SECRETS, environment=ENVIRONMENT)
    app = daemon.subscribe("deribit")
    assert b"trades.BTC-PERPETUAL" in read_until(app, lambda payload: b"trade_seq" in payload).payload
    server.wait_for_count("tests", 5)
    daemon.wait_state("deribit", "ready")
    server.check()


# -- All of them

# Each limit as it stands in the example: 4 connects in 4 s, of which the server allows 4 in one. What is late arrives closer
# together than it was sent, but hardly so close.
BUDGETS = {
    Binance: ("binance", "{stream.binance.com: 300/5m}"),
    Coinbase: ("coinbase", "{advanced-trade-ws.coinbase.com: 4/s, advanced-trade-ws-user.coinbase.com: 4/s}"),
    Kraken: ("kraken", "{ws.kraken.com: 140/10m, ws-auth.kraken.com: 140/10m}"),
    Okx: ("okx", "{ws.okx.com: 3/s}"),
    Bybit: ("bybit", "{stream.bybit.com: 500/5m}"),
}
RESTLESS = {"    session:": "    reconnect: {initial: 10ms, max: 20ms}\n    session:"}


def test_connects_are_counted_when_it_is_down(start_example: StartExample, server_context: ssl.SSLContext, key: str) -> None:
    servers = {example: server(server_context, down=True, connects=4, connects_in=1.0) for server, (example, _) in BUDGETS.items()}
    for example, budget in BUDGETS.values():
        start_example(example, servers[example], RESTLESS | {budget: "{127.0.0.1: 4/4s}"}, files=SECRETS | {"coinbase.pem": key},
                      environment=ENVIRONMENT)
    for server in servers.values():
        server.wait_for_requests(5)
        server.check()


@pytest.mark.parametrize("server", BUDGETS)
def test_connects_are_too_many_without_a_budget(
        server: type[Upstream], start_example: StartExample, server_context: ssl.SSLContext, key: str) -> None:
    example, budget = BUDGETS[server]
    playing = server(server_context, down=True, connects=4, connects_in=1.0)
    start_example(example, playing, RESTLESS | {budget: "{127.0.0.1: off}"}, files=SECRETS | {"coinbase.pem": key}, environment=ENVIRONMENT)
    playing.wait_for_violation("connects")


def test_a_client_without_pongs_is_cut(server_context: ssl.SSLContext, authority: Authority) -> None:
    """No configuration has wskeep leave them out, so here is a client that does."""

    class Silent(WebSocketClientProtocol):
        async def pong(self, data: object = b"") -> None:
            pass

    async def stay(port: int) -> int:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        async with connect(f"wss://localhost:{port}/ws/btcusdt@trade", ssl=context, create_protocol=Silent, ping_interval=None) as client:
            await client.wait_closed()
            return client.close_code

    server = Binance(server_context, ping_every=0.01, pong_within=0.2)
    try:
        assert asyncio.run(stay(server.port)) == 1008
        server.wait_for_violation("pong")
    finally:
        server.close()


# -- Each with a step left out

MUTILATED = [
    Mutilated("binance", Binance, "streams", "streams", {"/stream?streams=btcusdt@trade/ethusdt@trade": "/"}),
    Mutilated("binance", Binance, "rate", "a limit of pings",
              {"send_rate: 4/s": "send_rate: off", "keepalive: off": "keepalive: {ping: 10ms}"}, {"rate": 10.0, "burst": 35.0}),
    Mutilated("binance", Binance, "lifetime", "a lifetime", {"lifetime: 23h": "lifetime: off"}, {"lifetime": 0.3}),
    Mutilated("binance", Binance, "shutdown", "a goodbye", {"serverShutdown": "serverSleep"},
              {"shutdown": {"e": "serverShutdown"}, "leave_within": 0.3}),
    Mutilated("coinbase", Coinbase, "subscribe", "a subscription",
              {"        - send: '{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}'\n": "        - pause: 1m\n"},
              {"subscribe_within": 0.3}),
    Mutilated("coinbase", Coinbase, "heartbeats", "heartbeats",
              {"        - send: '{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}'\n": ""}, {"quiet_after": 0.1}),
    Mutilated("coinbase", Coinbase, "token", "a token",
              {""",
            "jwt":"${jwt_es256(file("/etc/wskeep/coinbase.pem"), claims, header)}\"""": ""}),
    Mutilated("coinbase", Coinbase, "token", "a nonce for each", {"${random_hex(16)}": "always the same"}),
    Mutilated("coinbase", Coinbase, "token", "an expiry in time", {"${add(time_s(), 120)}": "${add(time_s(), 3600)}"}),
    Mutilated("coinbase", Coinbase, "token", "the right key", {"coinbase.pem": "other.pem"}),
    Mutilated("coinbase", Coinbase, "silence", "a deadline for silence", {"silence: 10s": "silence: off"},
              {"silent_after": 0.1, "leave_within": 0.3}),
    Mutilated("kraken", Kraken, "subscribe", "a subscription", {"        - send:": "        - pause: 1m\n        - send:"},
              {"subscribe_within": 0.3}),
    Mutilated("kraken", Kraken, "signature", "a signature", {'            API-Sign: "${hmac': '            X-Unsigned: "${hmac'}),
    Mutilated("kraken", Kraken, "signature", "the nonce in the hash", {"sha256(concat(time_us(), 'nonce='": "sha256(concat('nonce='"}),
    Mutilated("kraken", Kraken, "nonce", "a new nonce", {"time_us()": "'5'"}, {"ended_orders": 1}),
    Mutilated("kraken", Kraken, "token", "a token", {',"token":"${token}"': ""}),
    Mutilated("kraken", Kraken, "silence", "a deadline for silence", {"silence: 5s": "silence: off"},
              {"silent_after": 0.1, "leave_within": 0.3}),
    Mutilated("okx", Okx, "ping", "heartbeats",
              {"    heartbeat: {every: 20s, send: ping, expect: {text: ^pong$}, idle_only: true}\n": ""}, {"idle": 0.3}),
    Mutilated("okx", Okx, "login", "a login", {"""        - send: '{"op":"login",""": """        - pause: 10ms
        - set: {unsaid: '{"op":"login",""", """"sign":"${sign}"}]}'""": """"sign":"${sign}"}]}'}""",
                                               """        - wait: {json: {/event: login, /code: "0"}}
          refuse: {json: {/event: error}}
""": ""}),
    Mutilated("okx", Okx, "login", "a signature in base64", {", 'base64')": ", 'hex')"}),
    Mutilated("okx", Okx, "login", "its own secret", {"okx.secret": "bybit.secret", "'GET/users/self/verify'": "'GET/users'"}),
    Mutilated("okx", Okx, "login", "a time stamp of now", {"at: ${time_s()}": "at: '1704876947'"}),
    Mutilated("okx", Okx, "subscribe", "a subscription",
              {"""        - send: '{"op":"subscribe","args":[{"channel":"trades\"""": """        - pause: 1m
        - send: '{"op":"subscribe","args":[{"channel":"trades\""""}, {"subscribe_within": 0.3}),
    Mutilated("okx", Okx, "upgrade", "a goodbye", {'/code: "64008"': '/code: "1"'}, {"notice": True, "leave_within": 0.3}),
    Mutilated("bybit", Bybit, "ping", "heartbeats", {"every: 20s": "every: 1h"}, {"ping_within": 0.3}),
    Mutilated("bybit", Bybit, "subscribe", "subscriptions",
              {"      open:\n        - send": "      open:\n        - pause: 1m\n        - send"}, {"subscribe_within": 0.3}),
    Mutilated("bybit", Bybit, "login", "an expiry to come", {"add(time_ms(), 10000)": "add(time_ms(), -10000)"}),
    Mutilated("bybit", Bybit, "login", "its own secret", {"bybit.secret": "other.secret"}),
    Mutilated("deribit", Deribit, "heartbeat", "heartbeats",
              {"""        - send: '{"jsonrpc":"2.0","id":1,"method":"public/set_heartbeat","params":{"interval":30}}'
        - wait: {json: {/id: 1, /result: ok}}
          refuse: {json: {/id: 1}, exists: /error}
""": ""}, {"heartbeat_within": 0.3}),
    Mutilated("deribit", Deribit, "test_request", "replies", {"/params/type: test_request": "/params/type: another"},
              {"answer_within": 0.3}),
    Mutilated("deribit", Deribit, "ids", "a new id for each", {"'${add(default(id, 100), 1)}'": "'7'"}, {"beat_every": 0.01}),
    Mutilated("deribit", Deribit, "login", "its own secret", {"deribit.secret": "other.secret"}),
    Mutilated("deribit", Deribit, "token", "the token", {'"access_token":"${token}",': ""}),
]
PROVEN_ELSEWHERE = {"pong", "connects"}


@cases(*MUTILATED)
def test_a_step_left_out(mutilated: Mutilated, start_example: StartExample, server_context: ssl.SSLContext, key: str,
                         public_key: Path) -> None:
    files = SECRETS | {"coinbase.pem": key, "other.pem": _new_key(), "other.secret": "another"}
    if mutilated.server is Coinbase:
        mutilated = dataclasses.replace(mutilated, limits=mutilated.limits | {"public_key": public_key})
    mutilated.check(start_example, server_context, files=files, environment=ENVIRONMENT)


@pytest.mark.parametrize("server", [Binance, Coinbase, Kraken, Okx, Bybit, Deribit])
def test_each_rule_is_broken_by_a_step_left_out(server: type[Upstream]) -> None:
    assert not unproven_rules(server, MUTILATED, PROVEN_ELSEWHERE)
