"""What is sent through the relays."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str  # flood, paced, idle or readers
    size: int = 0  # of a message's payload in bytes
    subscribers: int = 1
    rate: int = 0  # messages a second; 0: as fast as they are taken
    # How many messages a run has, by the pace of the relay: so many that it takes seconds, so
    # that start-up and timer grain vanish, and no more.
    counts: dict = dataclasses.field(default_factory=dict)
    connections: int = 1

    def count(self, pace, quick):
        return self.counts[pace] // (5 if quick and self.kind == "flood" else 2 if quick else 1)


WORKLOADS = [
    Workload(
        "flood-128", "Flood of 128 B text messages, one subscriber", "flood", 128,
        counts={"fast": 6_000_000, "node": 500_000, "python": 120_000},
    ),
    Workload(
        "flood-1k", "Flood of 1 KiB text messages, one subscriber", "flood", 1024,
        counts={"fast": 1_000_000, "node": 300_000, "python": 100_000},
    ),
    Workload(
        "flood-16k", "Flood of 16 KiB text messages, one subscriber", "flood", 16384,
        counts={"fast": 100_000, "node": 60_000, "python": 40_000},
    ),
    Workload(
        "paced", "10,000 messages of 128 B a second, one subscriber", "paced", 128, rate=10_000,
        counts={"fast": 30_000, "node": 30_000, "python": 30_000},
    ),
    Workload(
        "fanout-50", "256 B text messages, at most 100,000 a second, 50 subscribers", "flood", 256,
        subscribers=50, rate=100_000,
        counts={"fast": 200_000, "node": 12_000, "python": 7_000},
    ),
    Workload(
        "fanout-1000", "10,000 messages of 256 B a second, 1,000 subscribers", "flood", 256,
        subscribers=1000, rate=10_000,
        counts={"fast": 40_000, "node": 1_000, "python": 500},
    ),
    Workload("idle", "Idle connections", "idle", connections=2000),
    Workload("readers", "1,000 subscribers of one connection", "readers", 256, subscribers=1000),
]
