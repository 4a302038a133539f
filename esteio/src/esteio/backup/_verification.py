"""What was found out about a backup, and what a person said of it: two sealed files beside its manifest.

Promises: pure. A verification with a problem in it says that the backup is not to be counted on. An acceptance covers
one kind of problem of one backup, as it was when the person looked: a verification that fails later is red again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from esteio.backup._details import Detail, DetailCode, from_plain, plain
from esteio.backup._manifest import seal, unseal

__all__ = ["ACCEPTABLE", "Marks", "Verification"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found when a backup was restored to verify it. Times are UTC in ISO 8601, durations seconds."""

    backup: str
    at: str
    restore_seconds: float
    total_seconds: float
    server_version: str
    rows: int
    checked: tuple[str, ...]
    """What was looked at, such as `sha256 of each file` or `amcheck`."""
    problems: tuple[str, ...] = ()
    log: str = ""
    """The end of what a program or the server said, in its own words; for `show`, not for a status."""

    @property
    def ok(self) -> bool:
        """Whether the backup can be counted on."""
        return not self.problems

    @property
    def when(self) -> datetime:
        """The moment of `at`."""
        return datetime.fromisoformat(self.at)

    def to_json(self) -> str:
        """The text of `proof.json`."""
        found = asdict(self)
        if any(isinstance(each, Detail) for each in self.problems):
            found["codes"] = plain(self.problems)
        return seal(found if self.log else {name: found[name] for name in found if name != "log"})

    @classmethod
    def from_json(cls, text: str | bytes) -> Verification:
        """Read what `to_json` wrote; ValueError when it is anything else."""
        given = unseal(text)
        try:
            problems = from_plain(given.pop("codes", given["problems"]))
            return cls(**{**given, "checked": tuple(given["checked"]), "problems": problems})
        except (KeyError, TypeError) as error:
            raise ValueError(DetailCode.NO_VERIFICATION(error=repr(error))) from error


ACCEPTABLE = frozenset({"VERIFICATION_FAILED", "DOCUMENTS_VANISHED", "KIND_TOO_OLD", "CLOCK_LEAPT"})
"""The names of the `ProblemCode`s that a person can accept; anything else is mended, or the backup is deleted."""
_RENAMED = {"TRIAL_FAILED": "VERIFICATION_FAILED"}  # as version 0.1 wrote it


@dataclass(frozen=True, slots=True)
class Marks:
    """Of `backup`: `pinned` is never removed by retention, `note` is for people.

    `accepted` has the name of each `ProblemCode` with the moment it was accepted, UTC in ISO 8601.
    """

    backup: str
    pinned: bool = False
    note: str = ""
    accepted: Mapping[str, str] = field(default_factory=dict)

    def accept(self, codes: Iterable[str], at: datetime) -> Marks:
        """With `codes` accepted at `at`."""
        moment = at.isoformat(timespec="seconds")
        return replace(self, accepted={**self.accepted, **dict.fromkeys(codes, moment)})

    def accepts(self, code: str, since: datetime | None = None) -> bool:
        """Whether `code` was accepted, and not before `since`, when it was last found."""
        at = self.accepted.get(code)
        return at is not None and (since is None or datetime.fromisoformat(at) >= since)

    def to_json(self) -> str:
        """The text of `marks.json`."""
        return seal(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, *, backup: str) -> Marks:
        """Read what `to_json` wrote; ValueError when it is anything else, or of another backup."""
        given = unseal(text)
        try:
            accepted = {_RENAMED.get(code, code): at for code, at in given["accepted"].items()}
            marks = cls(given["backup"], given["pinned"], given["note"], accepted)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(DetailCode.NO_MARKS(error=repr(error))) from error
        if marks.backup != backup:
            raise ValueError(DetailCode.OF_OTHER_BACKUP(backup=marks.backup))
        return marks
