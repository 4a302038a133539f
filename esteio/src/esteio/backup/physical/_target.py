"""Where a replay stops, other than at a time: at a transaction, a position, a restore point, or as soon as it may. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from esteio.backup.physical._segments import lsn_bytes

__all__ = ["Target", "time_of"]

_ALLOWED = "xid:1234, lsn:0/3000028, name:RESTORE_POINT or immediate"
_XID = re.compile(r"[0-9]{1,20}")
_LONGEST_NAME = 63  # bytes of a restore point's name in PostgreSQL


@dataclass(frozen=True, slots=True)
class Target:
    """`kind` and its `value`: the id of a transaction, a position, the name of a restore point (`pg_create_restore_point`).

    The transaction, or the record at the position, is the last that is replayed. `immediate` is the end of the base.
    `time` (None: the last moment) is only for `kind` time. With `timeline`, WAL is followed along that one.
    """

    kind: Literal["time", "xid", "lsn", "name", "immediate"] = "time"
    value: str = ""
    time: datetime | None = None
    timeline: int | None = None

    def __post_init__(self) -> None:
        sound = {
            "time": not self.value,
            "immediate": not self.value,
            "xid": _XID.fullmatch(self.value) is not None,
            "lsn": _is_lsn(self.value),
            "name": 0 < len(self.value.encode()) <= _LONGEST_NAME,
        }
        if not sound.get(self.kind, False) or (self.time is not None and self.kind != "time"):
            msg = f"the target {self.kind}:{self.value} can't be used; allowed: {_ALLOWED}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Target | None:
        """From `xid:1234` and the like; None when it is none of them, ValueError when its value can't be used."""
        kind, colon, value = text.partition(":")
        if kind in ("xid", "lsn", "name") and colon:
            return cls(kind, value)  # type: ignore[arg-type]
        return cls("immediate") if text == "immediate" else None

    @property
    def setting(self) -> dict[str, str]:
        """PostgreSQL's own setting for it."""
        if self.kind == "time":
            return {"recovery_target_time": self.time.isoformat(" ")} if self.time else {}
        if self.kind == "immediate":
            return {"recovery_target": "immediate"}
        return {f"recovery_target_{self.kind}": self.value}

    def __str__(self) -> str:
        if self.kind == "time":
            return self.time.isoformat(" ") if self.time else "the last moment"
        return self.kind if self.kind == "immediate" else f"{self.kind}:{self.value}"


def time_of(target: datetime | Target | None) -> datetime | None:
    """The time of a target; None for the last moment, and for those that are no time."""
    return target.time if isinstance(target, Target) else target


def _is_lsn(text: str) -> bool:
    try:
        lsn_bytes(text)
    except ValueError:
        return False
    return True
