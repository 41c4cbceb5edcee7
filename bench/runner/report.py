"""Tables of the measured runs, in Markdown."""

import statistics

# Key, heading, digits, and whether it is shown as a ratio to the floor too.
MESSAGE_COLUMNS = [
    ("cpu_us", "CPU µs/message", 3, True),
    ("rate", "messages/s", 0, True),
    ("relay_busy", "relay's core busy", 2, False),
    ("load_busy", "load's core busy", 2, False),
    ("rss_kib", "RSS KiB", 0, True),
    ("pss_kib", "PSS KiB", 0, False),
]
PACED_COLUMNS = [
    ("p50_us", "p50 µs", 1, True),
    ("p99_us", "p99 µs", 1, True),
    ("cpu_us", "CPU µs/message", 2, True),
    ("rss_kib", "RSS KiB", 0, True),
    ("pss_kib", "PSS KiB", 0, False),
]
IDLE_COLUMNS = [
    ("rss_kib", "RSS KiB/connection", 1, True),
    ("pss_kib", "PSS KiB/connection", 1, True),
    ("page_tables_kib", "page tables KiB/connection", 2, False),
    ("total_rss_kib", "RSS KiB in all", 0, False),
]

READER_COLUMNS = [
    ("rss_kib", "RSS KiB/subscriber", 2, False),
    ("pss_kib", "PSS KiB/subscriber", 2, False),
    ("total_rss_kib", "RSS KiB in all", 0, False),
]


def columns_of(workload):
    kinds = {"flood": MESSAGE_COLUMNS, "paced": PACED_COLUMNS, "idle": IDLE_COLUMNS}
    return {**kinds, "readers": READER_COLUMNS}[workload.kind]


def _spread(values, digits):
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):,.{digits}f}-{max(values):,.{digits}f}]"


def _cells(pairs, columns, own):
    """The cells of one relay: `own` picks its run out of a pair of runs (floor, relay)."""
    cells = []
    for key, _, digits, with_ratio in columns:
        values = [run[key] for run in map(own, pairs)]
        cells.append(_spread(values, digits))
        if with_ratio:
            floors = [floor[key] for floor, _ in pairs]
            if not all(floors):
                cells.append("-")
                continue
            ratios = [value / floor for value, floor in zip(values, floors)]
            ratio = statistics.median(values) / statistics.median(floors)
            spread = f" [{min(ratios):.2f}-{max(ratios):.2f}]" if len(ratios) > 1 else ""
            cells.append(f"{ratio:.2f}{spread}")
    return cells


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def _lost(name, pairs):
    """A sentence on the runs that do not count, or None."""
    bad = [run for _, run in pairs if not run["valid"]]
    if not bad:
        return None
    lost = sum(run["lost"] for run in bad)
    disordered = sum(run["disordered"] for run in bad)
    closed = sum(run["closed"] for run in bad)
    codes = ", ".join(sorted({str(run["close_code"]) for run in bad if run["closed"]}))
    return (
        f"**{name}: {len(bad)} of {len(pairs)} runs do not count:** {lost} messages lost, "
        f"{disordered} out of order, {closed} subscribers closed{f' (code {codes})' if codes else ''}."
    )


def table(workload, results):
    """`results`: name of a relay -> its pairs of runs (floor, relay)."""
    columns = columns_of(workload)
    headings = ["relay", "runs"]
    for _, heading, _, with_ratio in columns:
        headings += [heading] + (["x floor"] if with_ratio else [])
    lines = [f"### {workload.name}: {workload.title}", "", _line(headings)]
    lines.append(_line(["---"] + ["---:"] * (len(headings) - 1)))
    floors = [(floor, floor) for pairs in results.values() for floor, _ in pairs if floor["valid"]]
    if floors:
        lines.append(_line(["floor", str(len(floors)), *_cells(floors, columns, lambda p: p[0])]))
    notes = []
    for name, pairs in results.items():
        valid = [pair for pair in pairs if pair[0]["valid"] and pair[1]["valid"]]
        cells = _cells(valid, columns, lambda p: p[1]) if valid else ["-"] * (len(headings) - 2)
        lines.append(_line([name, str(len(valid)), *cells]))
        notes += filter(None, [_lost(name, pairs), _lost("floor", [(f, f) for f, _ in pairs])])
    return "\n".join(lines + ([""] + notes if notes else []))


def noise(fixed, stolen, total):
    middle = statistics.median(fixed)
    return (
        f"Noise: a fixed piece of work took {middle:.1f} ms in the median, at the least "
        f"{min(fixed) / middle:.0%}, at the most {max(fixed) / middle:.0%} of it ({len(fixed)} times); "
        f"{stolen / max(total, 1):.1%} of the machine's time was stolen by its host."
    )
