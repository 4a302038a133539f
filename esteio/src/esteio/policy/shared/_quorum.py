"""What instances know of each other's circuits, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["suspects"]


def suspects(openings: Iterable[tuple[str, str, float]], me: str, quorum: int, now: float) -> set[str]:
    """Circuits that at least `quorum` other instances hold open.

    `openings` are (circuit, instance, open until) in wall time; what is over by `now` does not count, and
    an instance counts once.
    """
    holders: dict[str, set[str]] = {}
    for circuit, instance, until in openings:
        if instance != me and until > now:
            holders.setdefault(circuit, set()).add(instance)
    return {circuit for circuit, instances in holders.items() if len(instances) >= quorum}
