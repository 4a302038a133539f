"""How every benchmark ends: a table with ratios, a file in results/, and JSON as the last line.

A claim is `{"claim", "unit", "better", "ours", "peers": {name: value}, "floor", "target"}`; `floor` is the
theoretical or hand-written limit where there is one, `target` what the project promises.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

__all__ = ["Claim", "publish"]

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Claim:
    """One published figure with its peers, all measured in the same run."""

    claim: str
    unit: str
    better: Literal["lower", "higher"]
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    floor: float | None = None
    target: float | None = None

    def ratio(self, peer: float) -> float:
        """How many times better ours is than `peer`."""
        best, worst = (self.ours, peer) if self.better == "higher" else (peer, self.ours)
        return best / worst if worst else float("inf")

    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.ours >= self.target if self.better == "higher" else self.ours <= self.target


def publish(name: str, claims: list[Claim], packages: Iterable[str] = ()) -> None:
    """Print the table, write results/NAME.json, print the JSON line last."""
    for c in claims:
        verdict = {True: "reached", False: "MISSED", None: ""}[c.met()]
        target = "" if c.target is None else f"   target {c.target:g} {verdict}"
        print(f"{c.claim:<28} {c.ours:>12,.1f} {c.unit} ({c.better} is better){target}")
        for peer, value in c.peers.items():
            print(f"    {peer:<24} {value:>12,.1f} {c.unit}   ours is {c.ratio(value):.2f} x")
        if c.floor is not None:
            print(f"    {'(floor)':<24} {c.floor:>12,.1f} {c.unit}   ours is {c.ratio(c.floor):.2f} x")
    rows = [asdict(c) for c in claims]
    RESULTS.mkdir(exist_ok=True)
    document = {"date": datetime.now(UTC).date().isoformat(), "machine": _machine(), "versions": _versions(packages)}
    (RESULTS / f"{name}.json").write_text(json.dumps({**document, "claims": rows}, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(rows, ensure_ascii=False))


def _machine() -> dict[str, object]:
    import os

    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {"system": platform.system(), "cpus": os.cpu_count(), "cpu": cpu, "python": sys.version.split()[0]}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
