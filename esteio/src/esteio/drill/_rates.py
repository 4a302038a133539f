"""How often each fault happens in a year: a TOML file that people edit, each rate with its source.

[worker-killed]
yearly = 12             # events a year
source = "assumed"      # where the figure is from
group = "software"      # software, changes or site
counted = false         # true: `yearly` events were counted over `years`; false: believed, within a factor of 3
years = 1               # of counting
seen = 0                # events counted since the rate was written down, over `seen_years`: they update it
seen_years = 0          # of counting these; a tenth of a year without an event says something, too
office = 1.0            # share of the events that meet people at work
person_minutes = 0      # until somebody acts, added to what the drill measured
assumed_minutes = 0     # how long one lasts, where the drill does not measure it
measured_by = "x"       # the fault whose runs tell how long, when its name is another
cause = ""              # of the machine's own incidents: those with this cause are events of it (`update`)
noticed = false         # true: each of its events is an incident, so that a time without one says something, too
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from esteio.drill._fault import Group
from esteio.errors import EsteioError

__all__ = ["SIGMA", "Rate", "RatesInvalid", "read_rates"]


class RatesInvalid(EsteioError):
    """The file of yearly rates cannot be used."""

    def __init__(self, file: Path, name: str, problem: str) -> None:
        self.file, self.name, self.problem = file, name, problem
        where = f"[{name}] of {file}" if name else str(file)
        super().__init__(f"{where}: {problem}.")


@dataclass(frozen=True)
class Rate:
    """How often a fault happens; the fields are explained above."""

    name: str
    yearly: float
    source: str
    group: Group = Group.SOFTWARE
    counted: bool = False
    years: float = 1.0
    seen: float = 0.0
    seen_years: float = 0.0
    office: float = 1.0
    person_minutes: float = 0.0
    assumed_minutes: float = 0.0
    measured_by: str = ""
    cause: str = ""
    noticed: bool = False
    lived: bool = False
    """Whether the incidents of the machine changed it; no key of the file."""

    @property
    def mean(self) -> float:
        """Events a year, as the prediction draws them."""
        gamma = self.gamma()
        return gamma[0] / gamma[1] if gamma else self.yearly * math.exp(SIGMA**2 / 2)

    def gamma(self) -> tuple[float, float] | None:
        """Shape and exposure in years of the events a year, updated by what was seen; None: believed, and nothing seen.

        Counted events are Gamma(k + 1/2, years). A rate that is believed within a factor of 3 is taken for the Gamma
        distribution with the same mean and variance as its lognormal one. Seeing n events in t years makes Gamma(a, b) to
        Gamma(a + n, b + t): the conjugate prior of Poisson events (Gelman et al., Bayesian Data Analysis, 2.6).
        """
        if self.counted:
            return self.yearly * self.years + 0.5 + self.seen, self.years + self.seen_years
        if not self.seen_years:
            return None
        if not self.yearly:  # never, somebody thought: what was seen speaks alone
            return 0.5 + self.seen, self.seen_years
        spread = math.exp(SIGMA**2) - 1  # variance over the mean squared
        mean = self.yearly * math.exp(SIGMA**2 / 2)
        return 1 / spread + self.seen, 1 / (spread * mean) + self.seen_years


SIGMA = math.log(3) / 1.645
"""Of a lognormal distribution with error factor 3: its 95th percentile is three times the median."""
_FIELDS = {each.name for each in fields(Rate)} - {"name", "lived"}


def read_rates(file: Path) -> tuple[Rate, ...]:
    """The rates of a file; `RatesInvalid` names what cannot be used."""
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RatesInvalid(file, "", str(error)) from error
    return tuple(_rate(file, name, table) for name, table in tables.items())


def _rate(file: Path, name: str, table: object) -> Rate:
    if not isinstance(table, dict):
        raise RatesInvalid(file, name, "it has to be a table, with yearly and source")
    if unknown := sorted(set(table) - _FIELDS):
        raise RatesInvalid(file, name, f"{', '.join(unknown)} is unknown; allowed: {', '.join(sorted(_FIELDS))}")
    for each in ("yearly", "source"):
        if each not in table:
            raise RatesInvalid(file, name, f"{each} is missing")
    try:
        group = Group(table.get("group", "software"))
    except ValueError as error:
        raise RatesInvalid(file, name, f"group = {table['group']!r}; allowed: {', '.join(Group)}") from error
    for each in ("yearly", "years", "seen", "seen_years", "office", "person_minutes", "assumed_minutes"):
        value = table.get(each, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise RatesInvalid(file, name, f"{each} = {value!r}; a number from 0 is allowed")
    if table.get("years", 1) == 0 or table.get("office", 1.0) > 1:
        raise RatesInvalid(file, name, "years has to be more than 0, office at most 1")
    if table.get("seen") and not table.get("seen_years"):
        raise RatesInvalid(file, name, f"seen = {table['seen']} needs seen_years, over how long they were counted")
    return Rate(name, **{**table, "group": group})
