"""Old backups thinned out, and with them the log and the documents that nothing needs any more.

Promises: what the rules of `esteio.backup.Retention` keep is not touched, nor is anything that a backup needs which is
kept or cannot be read now. Every folder, and what else is removed, comes back as a decision with its reason.
"""

from __future__ import annotations

from datetime import datetime

from esteio.backup._catalogue import Catalogue, Entry
from esteio.backup._retention import GRACE, Decision, Held, Retention, Why, decide
from esteio.backup.documents import Documents
from esteio.backup.physical import KINDS, ClusterBackups
from esteio.backup.store import Stores

__all__ = ["Thinning", "is_cluster"]


class Thinning:
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

    def decisions(self, now: datetime) -> list[Decision]:
        """What would be kept and removed of the folders."""
        return self._decided(now)[1]

    def prune(self, now: datetime) -> list[Decision]:
        """Remove what need not be kept; what a store does not let go of is told as kept."""
        self._stores.sweep((now - GRACE).timestamp())
        entries, decisions = self._decided(now)
        done = [each if each.keep else self._removed(entries[each.id], each) for each in decisions]
        if any(entry.problem for entry in entries.values()):
            return done  # who knows which log a backup needs that cannot be read
        kept = [manifest for each in done if each.keep and (manifest := entries[each.id].manifest)]
        # Somebody who is making a backup elsewhere may count on an object of one that goes now.
        if not all(each.keep for each in done) and not any(each.why is Why.UNFINISHED for each in done):
            done += self._documents.prune(kept)
        log = self._cluster.unneeded(kept)
        failed = self._cluster.remove(log)
        if not log:
            return done
        if failed:
            return [*done, Decision("wal", True, Why.HELD, "; ".join(str(error) for error in failed.values()))]
        return [*done, Decision("wal", False, Why.LOG, str(len(log)))]

    def _decided(self, now: datetime) -> tuple[dict[str, Entry], list[Decision]]:
        entries = {entry.id: entry for entry in self._catalogue.entries()}
        # What cannot be read now may be sound in a store that does not answer now.
        unread = [entry for entry in entries.values() if entry.problem and not entry.complete]
        held = [
            Held(entry.id, entry.began, entry.complete, entry.verified, _needs(entry))
            for entry in entries.values()
            if entry not in unread
        ]
        decisions = [
            Decision(entry.id, True, Why.UNREADABLE, entry.problem.reason if entry.problem else "") for entry in unread
        ]
        for kind in {_group(entry) for entry in entries.values()}:  # none stands in for another
            group = [each for each in held if _group(entries[each.id]) == kind]
            decisions += decide(group, self._retention, now)
        return entries, sorted(decisions, key=lambda each: each.id)

    def _removed(self, entry: Entry, decision: Decision) -> Decision:
        failed = self._catalogue.remove(entry)
        if not failed:
            return decision
        why = "; ".join(str(error) for error in failed.values())
        return Decision(entry.id, True, Why.HELD, why)


def is_cluster(entry: Entry) -> bool:
    """Whether it is a backup of the whole cluster."""
    return entry.manifest is not None and entry.manifest.kind in KINDS


def _group(entry: Entry) -> str:
    """Dumps, or the cluster by system identifier: an empty one that took the place of another prunes nothing of it."""
    return str(entry.manifest.details["system_identifier"]) if is_cluster(entry) and entry.manifest else "dump"


def _needs(entry: Entry) -> tuple[str, ...]:
    needs = entry.manifest.details.get("needs", ()) if entry.manifest else ()
    return tuple(needs)
