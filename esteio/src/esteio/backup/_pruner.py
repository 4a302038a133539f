"""Old backups pruned, and with them the log and the documents that nothing needs any more.

Promises: what the rules of `esteio.backup.Retention` keep is not touched, nor is anything that a backup needs which is
kept or cannot be read now. Every folder, and what else is removed, comes back as a decision with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._details import DetailCode, together
from esteio.backup._errors import DeleteRefused
from esteio.backup._problem import ProblemCode, brief
from esteio.backup._retention import GRACE, Decision, Held, Retention, Why, decide, doubtful_until
from esteio.backup.cluster import KINDS, ClusterBackups
from esteio.backup.documents import Documents
from esteio.backup.store import Stores

__all__ = ["Pruner", "is_cluster"]


class Pruner:
    """Of the backups in `catalogue`, with the log of `cluster` and the `documents`."""

    def __init__(
        self,
        stores: Stores,
        catalogue: Catalogue,
        cluster: ClusterBackups,
        documents: Documents,
        retention: Retention,
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._cluster = cluster
        self._documents = documents
        self._retention = retention

    def decisions(self, now: datetime, *, alone: bool = False) -> list[Decision]:
        """What would be kept and removed of the folders."""
        return self._decided(now, alone=alone)[1]

    def remove_abandoned(self, prefix: str) -> tuple[Decision, ...]:
        """Remove what killed runs left in folders that begin with `prefix`; only for who is alone. Nothing is unmade by it.

        Before a run, as the room they take may be what it needs.
        """
        survey = self._catalogue.survey()
        self._stores.sweep(float("inf"), prefix)
        if survey.silent:
            return ()
        left = [entry for entry in survey.entries if not entry.complete and not entry.problem]
        return tuple(self._removed(entry, Decision(entry.id, False, Why.ABANDONED)) for entry in left)

    def prune(
        self, now: datetime, require: Callable[[], object] = lambda: None, *, alone: bool = False
    ) -> list[Decision]:
        """Remove what need not be kept; what a store does not let go of is told as kept.

        `require` is called before each removal, and ends it by what it raises: we are not alone any more.
        """
        entries, decisions = self._decided(now, alone=alone)
        done = []
        for each in decisions:
            if not each.keep:
                require()
            done.append(each if each.keep else self._removed(entries[each.id], each))
        require()
        if any(each.why is Why.LEAP for each in decisions):
            return done  # by a clock that leapt, an upload that is under way looks abandoned
        self._stores.sweep((now - GRACE).timestamp())
        if unread := [each.id for each in decisions if each.why is Why.UNREADABLE]:
            return [*done, Decision("wal", True, Why.HALTED, ", ".join(unread))]
        kept = [manifest for each in done if each.keep and (manifest := entries[each.id].manifest)]
        # Somebody who is making a backup elsewhere may count on an object of one that goes now.
        if not all(each.keep for each in done) and not any(each.why is Why.UNFINISHED for each in done):
            done += self._documents.prune(kept)
        log = self._cluster.unneeded(kept)
        failed = self._cluster.remove(log)
        if not log:
            return done
        if failed:
            return [*done, Decision("wal", True, Why.HELD, together([brief(error) for error in failed.values()]))]
        return [*done, Decision("wal", False, Why.LOG, str(len(log)))]

    def delete(self, entry: Entry, entries: Sequence[Entry]) -> Decision:
        """Remove one of `entries` as a person asked; DeleteRefused while it is kept or needed."""
        if entry.pinned:
            raise DeleteRefused(entry.id, DetailCode.PINNED(), DetailCode.UNPIN_FIRST(backup=entry.id))
        if needing := [other.id for other in entries if entry.id in _needs(other)]:
            raise DeleteRefused(entry.id, DetailCode.NEEDED(backups=tuple(needing)), DetailCode.DELETE_THOSE_FIRST())
        return self._removed(entry, Decision(entry.id, False, Why.ASKED))

    def _decided(self, now: datetime, *, alone: bool) -> tuple[dict[str, Entry], list[Decision]]:
        survey = self._catalogue.survey()
        entries = {entry.id: entry for entry in survey.entries}
        # What cannot be read now may be sound in a store that does not answer now, and what has no manifest have one there.
        away = together([brief(error) for error in survey.silent.values()]) if survey.silent else ""
        unread = [entry for entry in entries.values() if not entry.complete and (entry.problem or away)]
        held = [
            Held(
                entry.id,
                entry.began,
                entry.complete,
                entry.verified,
                _needs(entry),
                entry.pinned,
                leapt="leap" in _details(entry) and not entry.accepts(ProblemCode.CLOCK_LEAPT),
            )
            for entry in entries.values()
            if entry not in unread
        ]
        decisions = [
            Decision(entry.id, True, Why.UNREADABLE, entry.problem.reason if entry.problem else away)
            for entry in unread
        ]
        doubtful = doubtful_until(held, now)
        for kind in {_group(entry) for entry in entries.values()}:  # none stands in for another
            group = [each for each in held if _group(entries[each.id]) == kind]
            decisions += decide(group, self._retention, now, doubtful=doubtful, alone=alone)
        return entries, sorted(decisions, key=lambda each: each.id)

    def _removed(self, entry: Entry, decision: Decision) -> Decision:
        failed = self._catalogue.remove(entry)
        if not failed:
            return decision
        why = together([brief(error) for error in failed.values()])
        return Decision(entry.id, True, Why.HELD, why)


def is_cluster(entry: Entry) -> bool:
    """Whether it is a backup of the whole cluster."""
    return entry.manifest is not None and entry.manifest.kind in KINDS


def _group(entry: Entry) -> str:
    """Dumps, or the cluster by system identifier: an empty one that took the place of another prunes nothing of it."""
    return str(entry.manifest.details["system_identifier"]) if is_cluster(entry) and entry.manifest else "dump"


def _needs(entry: Entry) -> tuple[str, ...]:
    return tuple(_details(entry).get("needs", ()))


def _details(entry: Entry) -> Mapping[str, Any]:
    return entry.manifest.details if entry.manifest else {}
