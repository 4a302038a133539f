"""Two drills beside each other, as `drill.json` holds them: which medians moved. Pure.

Promises: a fault counts as the same only where both drills have valid figures of it; all others are named. Requests lost
are those of a run, so that a drill of three rounds can be compared with one of ten. A drill that lacks what is compared,
because another version wrote it, is an `OtherVersion`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from esteio.errors import EsteioError

__all__ = ["Comparison", "Moved", "OtherVersion", "compare"]

_Figure = Literal["mttr", "lost"]

_SHARE = 0.2
_NOISE: Mapping[_Figure, float] = {"mttr": 0.25, "lost": 1.0}
"""Seconds, requests: a smaller difference is none, however small both are."""


class OtherVersion(EsteioError):
    """One of two drills was written by another version: what is compared is not in it."""

    def __init__(self, which: Literal["now", "before"], missing: str) -> None:
        self.which, self.missing = which, missing
        super().__init__(
            f"the drill {which!r} was written by another version: {missing}; drill again, or compare it with the version that "
            "wrote it"
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """A median of one fault that differs by more than a fifth."""

    fault: str
    what: _Figure
    """Seconds until recovery, infinite where there was none; requests lost in a run."""
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All faults of two drills."""

    moved: tuple[Moved, ...]
    same: tuple[str, ...]
    """Of which nothing moved."""
    not_comparable: tuple[str, ...]
    """Of which one of the two drills has no figures: not drilled, not possible there, or a run of it proved nothing."""


def compare(now: Mapping[str, Any], before: Mapping[str, Any]) -> Comparison:
    """What moved from `before` to `now`; raises `OtherVersion`."""
    old, new = _figures("before", before), _figures("now", now)
    moved, same, apart = list[Moved](), list[str](), list[str]()
    for name in dict.fromkeys((*new, *old)):
        was, is_now = old.get(name), new.get(name)
        if was is None or is_now is None:
            apart.append(name)
            continue
        found = [Moved(name, what, was[what], is_now[what]) for what in _NOISE if _differs(was, is_now, what)]
        moved += found
        if not found:
            same.append(name)
    return Comparison(tuple(moved), tuple(same), tuple(apart))


def _figures(which: Literal["now", "before"], told: Mapping[str, Any]) -> dict[str, Mapping[_Figure, float] | None]:
    try:
        return {fault["name"]: _medians(fault) for fault in told.get("faults", ())}
    except KeyError as error:
        raise OtherVersion(which, f"a fault has no {error.args[0]!r}") from error
    except (TypeError, ValueError) as error:  # there, and of another form; `median` of nothing
        raise OtherVersion(which, str(error)) from error


def _medians(fault: Mapping[str, Any]) -> Mapping[_Figure, float] | None:
    """None where a run proved nothing, or there was none."""
    if not fault["valid"]:
        return None
    mttr = fault["mttr_s"] if fault["recovered"] else math.inf
    return {"mttr": mttr, "lost": median(run["lost"] for run in fault["runs"])}


def _differs(was: Mapping[_Figure, float], is_now: Mapping[_Figure, float], what: _Figure) -> bool:
    low, high = sorted((was[what], is_now[what]))
    if math.isinf(high):
        return low < high
    return high - low > max(_SHARE * high, _NOISE[what])
