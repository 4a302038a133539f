"""What notices say, so that another program can say it in its own language.

Promises: pure; sizes and durations are written with the language's own sign for decimals, moments in its timezone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["ENGLISH", "NoticeWords"]


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """Every text of a notice; names in braces are filled in."""

    proven: str = "Backup {id}: made and proven"
    unproven: str = "Backup {id}: made, not verified"
    lacking: str = "Backup {id}: not in every store"
    failed: str = "Backup of {database} FAILED"
    made: str = "{kind} of {database} on {host}, {at}: {content} in {duration}, {stored} stored."
    stores: str = "It is in {stores}."
    missing: str = "It is missing in {missing}."
    trial: str = "Restored to verify it in {duration}: {rows} rows as they should be ({checked})."
    no_trial: str = "It was not verified, and nothing old was removed."
    removed: str = "Removed: {removed}."
    log: str = "{count} segments of log"
    documents: str = "{count} documents that no backup needs any more"
    reason: str = "{kind} of {database} on {host}, {at}: {error}"
    left: str = "The newest backup that can be counted on is {id}, {age} old."
    nothing_left: str = "No backup is known that can be counted on."
    red: str = "Backups need somebody: {problem}"
    seen: str = "Seen on {host}, {at}:"
    look: str = "Look with `esteio backup status`."
    green: str = "Backups are well again"
    well: str = "On {host}, {at}: there is a proven backup that is young enough, and it is everywhere it should be."
    test: str = "This is a test"
    test_body: str = "Sent on {host}, {at}, to see that notices arrive here."

    decimal: str = "."
    minutes: str = "{amount} min"
    hours: str = "{amount} h"
    days: str = "{amount} days"
    timezone: str = "UTC"
    moment: str = "%Y-%m-%d %H:%M %Z"
    error: Callable[[BaseException], str] = str
    """What is said of an error."""
    checks: Mapping[str, str] = field(default_factory=dict)
    """What a verification looked at, by the names in `esteio.backup.Verification`; what is not here is said as it is."""

    def size(self, size: int) -> str:
        """Such as `12.3 MB`; 1 MB is 1,000,000 bytes."""
        amount, units = float(size), ["B", "kB", "MB", "GB", "TB"]
        while amount >= 999.95 and len(units) > 1:
            amount /= 1000
            del units[0]
        return f"{size} B" if units[0] == "B" else f"{self._number(amount)} {units[0]}"

    def duration(self, seconds: float) -> str:
        """Such as `12.3 s`, `5.0 min`, `3.2 h` or `12.0 days`."""
        for limit, unit, text in ((120, 1, "{amount} s"), (7200, 60, self.minutes), (172800, 3600, self.hours)):
            if abs(seconds) < limit:
                return text.format(amount=self._number(seconds / unit))
        return self.days.format(amount=self._number(seconds / 86400))

    def when(self, at: float) -> str:
        """The moment `at`, in seconds since the epoch."""
        return datetime.fromtimestamp(at, ZoneInfo(self.timezone)).strftime(self.moment)

    def _number(self, amount: float) -> str:
        return f"{amount:.1f}".replace(".", self.decimal)


ENGLISH = NoticeWords()
