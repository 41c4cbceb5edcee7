"""What the daemon holds at a moment, and whether that grows."""

import math
import os
import re
from pathlib import Path

from support import metrics
from support.local import request

COLUMNS = ("seconds", "resting", "rss_kib", "pss_kib", "anonymous_kib", "descriptors", "threads", "children", "processor_seconds", "clients",
           "subscriptions", "in_flight_bytes", "send_queue_bytes", "outbox_messages", "ring_used_bytes", "log_dropped")
JUDGED = ("rss_kib", "anonymous_kib")
"""Not PSS: what is shared with other processes counts in it by how many they are, so it grows when they end."""
_GAUGES = {"clients": "wskeep_clients", "subscriptions": "wskeep_subscriptions", "in_flight_bytes": "wskeep_in_flight_bytes",
           "send_queue_bytes": "wskeep_send_queue_bytes", "outbox_messages": "wskeep_outbox_messages",
           "ring_used_bytes": "wskeep_ring_used_bytes", "log_dropped": "wskeep_log_dropped_total"}


def take(pid, path, seconds, resting):
    proc = Path(f"/proc/{pid}")
    rollup = dict(re.findall(r"^(\w+):\s+(\d+) kB", (proc / "smaps_rollup").read_text(), re.M))
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    sample = {
        "seconds": round(seconds, 1), "resting": int(resting), "rss_kib": int(rollup["Rss"]), "pss_kib": int(rollup["Pss"]),
        "anonymous_kib": int(rollup["Anonymous"]), "descriptors": len(os.listdir(proc / "fd")),
        "threads": len(os.listdir(proc / "task")),
        "children": sum(len((task / "children").read_text().split()) for task in (proc / "task").iterdir()),
        "processor_seconds": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
    }
    said = metrics.parse(request(path, "GET", "/metrics").body.decode())
    for column, name in _GAUGES.items():
        sample[column] = int(sum(each.value for each in said[name].samples)) if name in said else 0
    return sample


def slope_per_hour(samples, column):
    """By least squares, in the column's unit an hour; and its standard error."""
    count = len(samples)
    if count < 3:
        return 0.0, 0.0
    times = [each["seconds"] / 3600 for each in samples]
    values = [each[column] for each in samples]
    mean_time, mean_value = sum(times) / count, sum(values) / count
    spread = sum((each - mean_time) ** 2 for each in times)
    slope = sum((when - mean_time) * (value - mean_value) for when, value in zip(times, values)) / spread
    residuals = sum((value - mean_value - slope * (when - mean_time)) ** 2 for when, value in zip(times, values))
    return slope, math.sqrt(residuals / (count - 2) / spread)


class Verdict:
    """Judged by the samples at rest behind the warm-up: then the same connections, readers and rings are there each time.

    How full the rings are, and where malloc has its holes, differs all the same; so memory grows when it does by more than
    is allowed and by more than twice the slope's standard error on top of that.
    """

    def __init__(self, samples, warm_up):
        self.rests = [each for each in samples if each["resting"] and each["seconds"] >= warm_up]
        self.churning = [each for each in samples if not each["resting"] and each["seconds"] >= warm_up]
        self.faults = []
        self.memory_judged = False
        if len(self.rests) < 2:
            self.faults.append("fewer than two rests behind the warm-up: run it longer")
            return
        first, last = self.rests[0], self.rests[-1]
        hours = (last["seconds"] - first["seconds"]) / 3600
        self.memory_judged = hours >= 0.25
        for column in JUDGED:
            mean = sum(each[column] for each in self.rests) / len(self.rests)
            limit = max(mean / 100, 1024)
            slope, error = slope_per_hour(self.rests, column)
            if self.memory_judged and slope - 2 * error > limit:
                self.faults.append(f"{column} grows by {slope:.0f} ± {error:.0f} KiB an hour; {limit:.0f} are allowed")
        for column in ("descriptors", "threads", "children", "clients"):
            if last[column] > first[column]:
                self.faults.append(f"{column}: {first[column]} at the first rest, {last[column]} at the last")

    def table(self):
        lines = [f"{'at rest':<20}{'begin':>10}{'end':>10}{'mean':>10}{'slope/h':>10}{'±':>8}", "-" * 68]
        for column in ("rss_kib", "pss_kib", "anonymous_kib", "descriptors", "threads", "children", "clients", "subscriptions",
                       "in_flight_bytes", "outbox_messages", "ring_used_bytes", "log_dropped"):
            if self.rests:
                values = [each[column] for each in self.rests]
                slope, error = slope_per_hour(self.rests, column)
                lines.append(f"{column:<20}{values[0]:>10}{values[-1]:>10}{sum(values) / len(values):>10.0f}{slope:>10.0f}{error:>8.0f}")
        lines += ["", f"{'under churn':<20}{'least':>10}{'mean':>10}{'most':>10}{'slope/h':>10}", "-" * 60]
        for column in ("rss_kib", "pss_kib", "descriptors", "threads", "clients", "subscriptions"):
            values = [each[column] for each in self.churning]
            if values:
                lines.append(f"{column:<20}{min(values):>10}{sum(values) / len(values):>10.0f}{max(values):>10}"
                             f"{slope_per_hour(self.churning, column)[0]:>10.0f}")
        return "\n".join(lines)
