"""bench/soak works: a short one of it. What it is for takes an hour."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.daemon import build_folder, sanitized

SOAK = Path(__file__).resolve().parents[2] / "bench" / "soak"


@pytest.mark.skipif(sanitized(), reason="it is heavy, and judges memory")
def test_a_short_soak(folder: Path) -> None:
    out = folder / "out"
    done = subprocess.run([sys.executable, "-B", SOAK, "--minutes", "0.2", "--build", build_folder(), "--out", out],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert done.stdout.splitlines()[-1].startswith("FLAT as far as")
    report = json.loads((out / "report.json").read_text())
    assert report["faults"] == [] and report["exit_code"] == 0 and report["reloads"] > 1
    assert len(report["accounts"]) == 9 and all(account["received"] > 0 for account in report["accounts"])
    with (out / "samples.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    assert sum(sample["resting"] == "1" for sample in samples) >= 2
    assert all(int(sample["rss_kib"]) > 1000 and int(sample["descriptors"]) > 10 for sample in samples)
