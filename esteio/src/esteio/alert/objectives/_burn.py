"""How fast the budget of an objective is being used up, over several windows. Pure.

Promises: a burn is told where the rate of failures is above its threshold with a confidence of 99.5 % - by the lower
Clopper-Pearson bound, not by the ratio - and where it still is in the short window. Without a request in the long window the
time the probes said no decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esteio.alert.objectives._bound import tail
from esteio.alert.objectives._ledger import Minute, Sums, Tally
from esteio.alert.rules import Condition, Rule, Severity, Signal
from esteio.metrics import BURN_WINDOWS, THRESHOLDS

__all__ = [
    "AVAILABILITY", "LATENCY", "WINDOWS", "Budget", "Burn", "Objective", "Window", "budget", "burn_rules", "burn_signals",
    "burns",
]  # fmt: skip

# Surer than usual: each minute asks anew, and what is asked often enough is once in a while answered wrongly.
_CONFIDENCE = 0.995
_LEAST = 2  # a single failure proves nothing of the service, however few requests there were
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Objective:
    """`target` (0 to 1) of the requests are good, over `period` seconds. `counts` is what is bad: `failed` or `slow`."""

    name: str = "availability"
    target: float = 0.999
    counts: str = "failed"
    period: float = 30 * _DAY

    @property
    def allowed(self) -> float:
        """The share that may be bad."""
        return 1 - self.target

    def tally(self, minute: Minute) -> Tally:
        """What `minute`, or a sum of minutes, says of it."""
        if minute.requests or self.counts != "failed":  # no probe says how slow the requests of people were
            return Tally(minute.requests, minute.failed if self.counts == "failed" else minute.slow)
        return Tally(minute.seen, minute.down, timed=True)


AVAILABILITY = Objective(target=THRESHOLDS.objective / 100)
LATENCY = Objective("latency", THRESHOLDS.fast / 100, "slow")
"""99 % of the requests take at most a second."""


@dataclass(frozen=True, slots=True)
class Window:
    """The share `spent` of the budget is used up within `long` seconds, and it is still going on in the last `short`."""

    name: str
    spent: float
    long: float
    short: float
    severity: Severity

    def factor(self, objective: Objective) -> float:
        """How many times faster than allowed that is."""
        return self.spent * objective.period / self.long


WINDOWS = tuple(Window(each.name, each.spent, each.long, each.short, Severity(each.severity)) for each in BURN_WINDOWS)
"""Those of the one table of thresholds (`esteio.metrics`)."""


@dataclass(frozen=True, slots=True)
class Burn:
    """How it is in one window: `rate` is how many times faster than allowed the budget goes, None where nothing was seen.

    `burning`: above the window's factor, surely, and still.
    """

    objective: Objective
    window: Window
    rate: float | None
    tally: Tally
    burning: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """Of the last period: how much `tally` allows to be bad, and the share of that which is `left` (negative: overdrawn).

    Of requests or of seconds, as `tally.timed` says; `left` is None where nothing was seen.
    """

    objective: Objective
    tally: Tally
    allowed: float
    left: float | None


def budget(objective: Objective, ledger: Sums, now: float, *, by_time: bool = False) -> Budget:
    """What is left of the period that ends `now`, Unix seconds; `by_time`: of the seconds that the probes saw."""
    total = ledger.over(objective.period, now)
    tally = Tally(total.seen, total.down, timed=True) if by_time else objective.tally(total)
    allowed = tally.total * objective.allowed
    return Budget(objective, tally, allowed, 1 - tally.bad / allowed if allowed else None)


def burns(objective: Objective, ledger: Sums, now: float, windows: Sequence[Window] = WINDOWS) -> list[Burn]:
    """How fast the budget goes in each window that ends `now`, Unix seconds."""
    return [_burn(objective, window, ledger, now) for window in windows]


def _burn(objective: Objective, window: Window, ledger: Sums, now: float) -> Burn:
    long = objective.tally(ledger.over(window.long, now))
    threshold = window.factor(objective) * objective.allowed
    ratio = long.ratio
    if ratio is None:
        return Burn(objective, window, None, long, burning=False)
    burning = (
        ratio > threshold and _still(objective, window, ledger, now, threshold) and _surely(long, threshold, window)
    )
    return Burn(objective, window, ratio / objective.allowed, long, burning)


def _still(objective: Objective, window: Window, ledger: Sums, now: float, threshold: float) -> bool:
    short = objective.tally(ledger.over(window.short, now))
    return short.ratio is not None and short.ratio > threshold


def _surely(long: Tally, threshold: float, window: Window) -> bool:
    """Whether the lower bound of the rate is above `threshold`: as many failures are too unlikely at that rate."""
    if long.timed:  # what nobody observed was not down: a minute of failing probes is no hour of them
        return long.bad > threshold * window.long
    return long.bad >= _LEAST and tail(int(long.bad), int(long.total), threshold) < 1 - _CONFIDENCE


def burn_rules(
    objective: Objective, windows: Sequence[Window] = WINDOWS, depends_on: tuple[str, ...] = ()
) -> list[Rule]:
    """The alerts of an objective; a window is not told of while a faster one, or what explains it, is."""
    found: list[Rule] = []
    for window in windows:
        above = (*depends_on, *(rule.name for rule in found))
        # After what explains it has recovered the short window still holds its failures.
        found.append(
            Rule(
                _name(objective, window), window.severity, fire_after=0.0, clear_after=300.0, depends_on=above,
                settle=10.0, linger=window.short + 60.0, absent_after=float("inf"),
            )
        )  # fmt: skip
    return found


def burn_signals(found: Sequence[Burn]) -> Mapping[str, Signal]:
    """What the rules of `burn_rules` are told; `value` is the rate."""
    return {
        _name(burn.objective, burn.window): Signal(
            Condition.UNKNOWN if burn.rate is None else Condition.BAD if burn.burning else Condition.WELL,
            value=burn.rate,
        )
        for burn in found
    }


def _name(objective: Objective, window: Window) -> str:
    return f"{objective.name}:burn-{window.name}"
