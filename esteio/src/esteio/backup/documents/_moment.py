"""Which documents belong to a moment. Pure.

A backup's documents are looked at after its database, so whatever a row of that backup refers to is among them. Between
two backups a row can refer to a document of the one before or of the one after; only what was uploaded after the one
and removed before the other is in neither, and what was uploaded after the last backup is in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from esteio.backup._manifest import Manifest
from esteio.backup.documents._document import Document
from esteio.backup.documents._listed import Listed, has_documents

__all__ = ["around", "joined"]


def around(backups: Sequence[Manifest], moment: datetime | None) -> list[Manifest]:
    """The newest of `backups` begun until `moment` (None: the newest of all) and the first after it, if they are there.

    Those without documents are passed over. ValueError for a `moment` without a timezone.
    """
    if moment is not None and moment.tzinfo is None:
        msg = f"the moment {moment} has no timezone; write 2026-03-01 14:30:00-03:00, or +00:00 for UTC"
        raise ValueError(msg)
    with_documents = [each for each in backups if has_documents(each)]
    ordered = sorted(with_documents, key=lambda each: (datetime.fromisoformat(each.began), each.id))
    if moment is None:
        return ordered[-1:]
    before = [each for each in ordered if datetime.fromisoformat(each.began) <= moment]
    return before[-1:] + ordered[len(before) : len(before) + 1]


def joined(lists: Sequence[Listed], moment: datetime | None) -> list[tuple[Document, Listed]]:
    """Every document of one or two lists, the earlier first, once for each path.

    Where both have one, it is the later's if that was last written until `moment`, else the earlier's; a directory wins
    over a file of its name, so that nothing below it is lost.
    """
    chosen: dict[str, tuple[Document, Listed]] = {}
    limit = moment.timestamp() * 1e9 if moment else 0.0
    for each in lists:
        for document in each.documents:
            if document.problem is not None:
                continue
            known = chosen.get(document.path)
            if known is None or _replaces(document, known[0], limit):
                chosen[document.path] = document, each
    return [chosen[path] for path in sorted(chosen)]


def _replaces(later: Document, earlier: Document, limit: float) -> bool:
    if later.sha256 is None or earlier.sha256 is None:
        return later.sha256 is None
    return later.mtime_ns <= limit
