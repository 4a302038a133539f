"""What counts as online, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MigrationRules"]


@dataclass(frozen=True, slots=True)
class MigrationRules:
    """Limits of a migration beside a running service.

    A table is *big* once it has more than `big_rows` rows (the planner's estimate) or takes more than `big_bytes` bytes.
    """

    big_rows: int = 100_000
    big_bytes: int = 64 * 1024 * 1024
    lock_timeout: float = 2.0
    """Seconds a statement waits for a lock, and thereby makes others wait behind it, before all is rolled back."""
    patience: float = 300.0
    """Seconds after which attempts that found a table locked are given up."""
    hold: float = 5.0
    """Seconds a statement may take that changes a table's definition, or runs while a big table is locked."""
    wait: float = 600.0
    """Seconds to wait for another migrator."""

    def __post_init__(self) -> None:
        for name in ("big_rows", "big_bytes", "lock_timeout", "patience", "hold", "wait"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                msg = f"migration rule {name} is {value!r}; allowed: a number above 0"
                raise ValueError(msg)
