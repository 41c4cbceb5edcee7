"""The examples for STOMP and MQTT brokers, against servers that enforce what those do: each whole, and each with a step left
out; and MQTT with a broker that no one here wrote."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.brokers import Mqtt, Stomp, published
from support.certificates import Leaf
from support.enforcing_server import Upstream
from support.examples import AT_ONCE, StartExample, read_until
from support.frames import Opcode
from support.mutilated import Mutilated, cases, unproven_rules
from support.processes import Processes, free_port, need

FILES = {"mqtt.password": f"{Mqtt.password}\n"}
ENVIRONMENT = {"STOMP_LOGIN": "desk", "STOMP_PASSCODE": "se cret", "MQTT_USER": "desk"}
STOMP = AT_ONCE | {"every: 8s": "every: 50ms"}
MQTT = AT_ONCE | {"every: 30s": "every: 50ms"}
STOMP_CLOSE = "      close:\n        send: \"DISCONNECT\\n\\n\\0\"\n"
MQTT_CLOSE = "      close:\n        send: ${hex_decode('e000')}\n        binary: true\n"


# -- STOMP

def test_stomp(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    broker = Stomp(server_context)
    daemon = start_example("stomp", broker, STOMP, environment=ENVIRONMENT)
    app = daemon.subscribe("orders", "from=oldest")
    read_until(app, lambda message: message.startswith(b"MESSAGE\n") and message.endswith(b"order 3\0"))
    broker.wait_for_count("acknowledged", 20)
    broker.wait_for_count("beats", 3)
    daemon.wait_state("orders", "ready")
    assert len(broker.clients) == 1
    app.close()
    broker.counts["leaves"] = 1
    daemon.end()
    broker.wait_for_count("DISCONNECT")


def test_stomp_refuses_the_login(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    broker = Stomp(server_context)
    daemon = start_example("stomp", broker, STOMP, environment=ENVIRONMENT | {"STOMP_PASSCODE": "wrong"})
    found = daemon.wait_error("orders", "script_refused")
    assert "session.open[1].refuse" in found["message"]
    assert daemon.get("/v1/connections/orders/attempts").json["cycles"][0]["next"]["verdict"] == "slow"
    broker.check()


def test_stomp_falls_silent(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    broker = Stomp(server_context, mute=1)
    daemon = start_example("stomp", broker, STOMP | {"silence: 25s": "silence: 1s"}, environment=ENVIRONMENT)
    daemon.wait_error("orders", "silence_timeout")
    broker.wait_for_count("acknowledged")
    broker.check()


# -- MQTT

def test_mqtt(start_example: StartExample, server_context: ssl.SSLContext) -> None:
    broker = Mqtt(server_context)
    daemon = start_example("mqtt", broker, MQTT, files=FILES, environment=ENVIRONMENT)
    app = daemon.subscribe("sensors")
    message = read_until(app, lambda message: message[0] == 0x30)
    assert message.opcode == Opcode.BINARY and message.payload.endswith(b" \xff\0")
    broker.wait_for_count("c0", 4)
    daemon.wait_state("sensors", "ready")
    assert len(broker.clients) == 1
    app.close()
    broker.counts["leaves"] = 1
    daemon.end()
    broker.wait_for_count("e0")


@pytest.mark.parametrize(("step", "password", "topic"), [("session.open[2].refuse", "wrong", "sensors/#"),
                                                         ("session.open[5].refuse", Mqtt.password, "secrets/#")],
                         ids=["password", "topic"])
def test_mqtt_says_no(start_example: StartExample, server_context: ssl.SSLContext, step: str, password: str, topic: str) -> None:
    broker = Mqtt(server_context)
    daemon = start_example("mqtt", broker, MQTT | {"sensors/#": topic}, files={"mqtt.password": password}, environment=ENVIRONMENT)
    assert step in daemon.wait_error("sensors", "script_refused")["message"]
    assert daemon.get("/v1/connections/sensors/attempts").json["cycles"][0]["next"]["verdict"] == "slow"
    broker.check()


@dataclass
class _Elsewhere:
    """In the place of an `Upstream`: a program that listens there."""

    addresses: dict[str, str]

    def close(self) -> None:
        """`processes` ends it."""


def test_mqtt_with_nats(start_example: StartExample, processes: Processes, server_certificate: Leaf, folder: Path) -> None:
    program = need("nats-server")
    port = free_port()
    settings = folder / "nats.conf"
    settings.write_text(f"""
        server_name: test
        listen: "127.0.0.1:-1"
        jetstream {{ store_dir: "{folder}/jetstream" }}
        websocket {{
          listen: "127.0.0.1:{port}"
          tls {{ cert_file: "{server_certificate.certificate}", key_file: "{server_certificate.key}" }}
        }}
        mqtt {{ listen: "127.0.0.1:-1" }}
        authorization {{ user: desk, password: "{Mqtt.password}" }}
    """)
    processes.start_listening([program, "-c", settings], port)
    broker = _Elsewhere({str(Mqtt.host): f"localhost:{port}"})
    daemon = start_example("mqtt", broker, MQTT, files=FILES, environment=ENVIRONMENT)
    daemon.wait_state("sensors", "ready")
    app = daemon.subscribe("sensors")
    app.send_binary(published(7))
    read_until(app, lambda message: message == published(7))
    for _ in range(3):
        read_until(app, lambda message: message == b"\xd0\0")
    assert daemon.connection("sensors")["sessions"] == 1


# -- both with a step left out

MUTILATED = [
    Mutilated("stomp", Stomp, "subprotocol", "subprotocol", {"    subprotocols: [v12.stomp]\n": ""}),
    Mutilated("stomp", Stomp, "frame", "NUL", {"PASSCODE}\\n\\n\\0": "PASSCODE}\\n\\n"}),
    Mutilated("stomp", Stomp, "connect", "waiting for CONNECTED",
              {"        - wait: {text: '^CONNECTED\\r?\\n'}\n          refuse: {text: '^ERROR\\r?\\n'}\n": ""},
              {"silent_before_connected": 60.0}),
    Mutilated("stomp", Stomp, "beat", "heart-beats", {"every: 8s": "every: 1h"}, {"beat_within": 0.3, "messages": 3}),
    Mutilated("stomp", Stomp, "subscribe", "an id", {"id:orders\\n": ""}),
    Mutilated("stomp", Stomp, "ack", "ACK", {"send: \"ACK\\nid:${ack}\\n\\n\\0\"": ""}, {"ack_within": 0.3}),
    Mutilated("stomp", Stomp, "ack", "the right id", {"ACK\\nid:${ack}": "ACK\\nid:1"}),

    Mutilated("mqtt", Mqtt, "subprotocol", "subprotocol", {"    subprotocols: [mqtt]\n": ""}),
    Mutilated("mqtt", Mqtt, "connect", "CONNECT", {"        - send: ${hex_decode('10')}${connect}\n          binary: true\n": ""},
              {"connect_within": 0.3}),
    Mutilated("mqtt", Mqtt, "binary", "binary messages", {"${connect}\n          binary: true\n": "x${base64(connect)}\n"}),
    Mutilated("mqtt", Mqtt, "packet", "the right length", {"who), 'varint')": "who), 'uint8')"}),
    Mutilated("mqtt", Mqtt, "alive", "PINGREQ", {"every: 30s": "every: 1h"}, {"alive_within": 0.3}),
    Mutilated("mqtt", Mqtt, "subscribe", "flags", {"${hex_decode('82')}": "${hex_decode('80')}"}),
]


@cases(*MUTILATED)
def test_a_step_left_out(mutilated: Mutilated, start_example: StartExample, server_context: ssl.SSLContext) -> None:
    mutilated.check(start_example, server_context, files=FILES, environment=ENVIRONMENT)


@pytest.mark.parametrize(("name", "connection", "server", "changes"), [("stomp", "orders", Stomp, {STOMP_CLOSE: ""}),
                                                                       ("mqtt", "sensors", Mqtt, {MQTT_CLOSE: ""})], ids=["stomp", "mqtt"])
def test_without_disconnect(start_example: StartExample, server_context: ssl.SSLContext, name: str, connection: str,
                            server: type[Upstream], changes: dict[str, str]) -> None:
    broker = server(server_context)
    daemon = start_example(name, broker, changes, files=FILES, environment=ENVIRONMENT)
    daemon.wait_state(connection, "ready")
    broker.counts["leaves"] = 1
    daemon.end()
    broker.wait_for_violation("disconnect")


@pytest.mark.parametrize("server", [Stomp, Mqtt])
def test_each_rule_is_broken_by_a_step_left_out(server: type[Upstream]) -> None:
    assert not unproven_rules(server, MUTILATED, {"disconnect"})
