"""The record of a verification, kept beside the manifest.

Promises: pure; a proof with a problem in it is the proof that the backup is not to be counted on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from esteio.backup._sealed import seal, unseal

__all__ = ["Proof"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found when a backup was restored for trial. Times are UTC in ISO 8601, durations seconds."""

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
        return seal(found if self.log else {name: found[name] for name in found if name != "log"})

    @classmethod
    def from_json(cls, text: str | bytes) -> Proof:
        """Read what `to_json` wrote; ValueError when it is anything else."""
        given = unseal(text)
        try:
            return cls(**{**given, "checked": tuple(given["checked"]), "problems": tuple(given["problems"])})
        except (KeyError, TypeError) as error:
            msg = f"it is no proof ({error!r})"
            raise ValueError(msg) from error
