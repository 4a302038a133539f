"""Claim: whatever dies is told within 10 s and once; nobody is woken for nothing; no notice is lost, whatever is killed.

`detection`: seconds from the kill of a worker, of PostgreSQL and of the operator of a real SISPAT until the notice arrived,
the slowest. `false pages`: in 30 simulated days each at 0.01 to 100 requests a second with as many failures as are allowed.
`burns found`: percent of burns of 14.4 to 1,000 times. `notices lost` and `told twice`: the operator is killed at any moment
while channels fail, hang, answer 429 or take a notice without an answer; `told twice` counts what kills and missing answers do
not explain. `flips`, `dependents`: messages of a problem that flips 100 times, and of one dead parent with 200 dependents.

Run: python -m benchmarks.alert [--kills 40] [--rounds 3] [--days 30] [--burns 300] [--only NAME]
`make kills` has 1,000 kills.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.alerting import detection, kills, months, storms
from benchmarks.report import Claim, publish


def main() -> None:
    """Measure what was asked for."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--kills", type=int, default=40)
    asked.add_argument("--rounds", type=int, default=3, help="of a whole SISPAT, for detection")
    asked.add_argument("--days", type=int, default=30)
    asked.add_argument("--burns", type=int, default=300)
    asked.add_argument("--only", choices=["detection", "kills", "months", "storms"])
    asked.add_argument("--operate", nargs="+", help=argparse.SUPPRESS)  # the process that is killed
    given = asked.parse_args()
    if given.operate:
        kills.operate(Path(given.operate[0]), given.operate[1:])
        return
    parts: dict[str, Callable[[], list[Claim]]] = {
        "storms": _storms,
        "months": lambda: _months(given.days, given.burns),
        "kills": lambda: _kills(given.kills),
        "detection": lambda: _detection(given.rounds),
    }
    claims = [claim for name, part in parts.items() if given.only in (None, name) for claim in part()]
    publish("alert" if given.only is None else f"alert-{given.only}", claims)


def _storms() -> list[Claim]:
    return [
        Claim("flips: messages of 100", "messages", "lower", storms.flips(), target=2),
        Claim("dependents: messages of 200", "messages", "lower", storms.dependents(), target=2),
    ]


def _months(days: int, burns: int) -> list[Claim]:
    return [
        Claim(
            f"false pages in {days} days x {len(months.RATES)}", "pages", "lower", months.false_pages(days), target=0
        ),
        Claim(f"burns found of {burns}", "%", "higher", months.found(burns), target=99),
    ]


def _kills(count: int) -> list[Claim]:
    found = kills.kills(count)
    print(f"{found.kills} kills, {found.notices} notices, {found.duplicates} told twice")
    return [
        Claim(f"notices lost in {found.kills} kills", "notices", "lower", found.lost, target=0),
        Claim("told twice, unexplained", "notices", "lower", found.beyond, target=0),
    ]


def _detection(rounds: int) -> list[Claim]:
    times = detection.detection(rounds)
    for name, seconds in times.items():
        print(f"{name}: {', '.join(f'{each:.1f}' for each in seconds)} s")
    slowest = max(each for seconds in times.values() for each in seconds)
    return [Claim("detection", "s", "lower", slowest, target=10)]


if __name__ == "__main__":
    main()
