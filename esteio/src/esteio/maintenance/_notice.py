"""What a closed service says: who closed it, since when, why, and until when. Pure.

Promises: a notice that was cut short or written by a later version is still a notice: what can't be read of it is left
out.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = ["Notice"]

_SOONEST, _LATEST, _UNKNOWN = 5, 60, 10  # seconds until it is worth asking again


@dataclass(frozen=True, slots=True)
class Notice:
    """Times have a timezone; `until` is what is expected, None where nobody knows. `pid` is None when a person holds it."""

    reason: str
    since: datetime
    until: datetime | None
    who: str
    pid: int | None

    def retry_after(self, now: float) -> int:
        """Whole seconds from `now` (Unix) until it is worth asking again: the expected end, but from 5 to 60."""
        if self.until is None:
            return _UNKNOWN
        return round(min(max(self.until.timestamp() - now, _SOONEST), _LATEST))

    def to_json(self) -> str:
        """As it lies in the file."""
        fields = {
            "reason": self.reason,
            "since": self.since.isoformat(timespec="seconds"),
            "until": self.until and self.until.isoformat(timespec="seconds"),
            "who": self.who,
            "pid": self.pid,
        }
        return json.dumps(fields, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, written: float) -> Notice:
        """What `text` says; where it does not say since when, since it was `written` (Unix seconds)."""
        found: Any = None
        with suppress(ValueError):
            found = json.loads(text)
        fields: dict[str, Any] = found if isinstance(found, dict) else {}
        pid = fields.get("pid")
        return cls(
            reason=str(fields.get("reason") or ""),
            since=_moment(fields.get("since")) or datetime.fromtimestamp(written, UTC),
            until=_moment(fields.get("until")),
            who=str(fields.get("who") or ""),
            pid=pid if isinstance(pid, int) else None,
        )


def _moment(value: object) -> datetime | None:
    with suppress(ValueError, TypeError):
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return moment if moment.tzinfo else None
    return None
