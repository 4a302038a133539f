"""What is wrong with the backups: a code and its fields, from which the sentence is made.

Promises: pure. What one store lacks of a backup is found by names and sizes alone: cheap enough for every list, and
enough to find what was cut short, never arrived or was removed. Changed bytes are found by reading (`_sync.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from esteio.backup._details import Detail, Value, detail_of, filled, from_plain, plain, together
from esteio.backup._errors import ManifestError
from esteio.backup.store import AllStoresFailed, StoreError

__all__ = [
    "MENDABLE",
    "WHOLE",
    "CopyDefect",
    "Problem",
    "ProblemCode",
    "Value",
    "brief",
    "defects_by_size",
    "not_made",
    "silent_stores",
    "why",
]


class ProblemCode(Enum):
    """Every kind of problem, as a sentence whose fields are in braces. Ages are hours, `seconds` seconds."""

    NO_BACKUP = "there is no backup"
    DAMAGED = "{backup} is damaged: {file}: {reason}"
    FILES_MISSING = "{backup} is damaged: {files} is missing in every store"
    VERIFICATION_FAILED = "{backup} failed its verification: {reason}"
    NEVER_VERIFIED = "no backup was ever verified"
    TOO_OLD = "the newest verified backup, {backup}, is {age:.1f} h old; allowed: {allowed:.1f} h"
    IN_THE_FUTURE = "{backup} was begun in the future: the clock of this machine, or of that one, is wrong"
    NOT_ENCRYPTED = (
        "{backup} is not encrypted, and the store was made for encrypted backups alone: it is neither verified nor restored; "
        "find out who put it there, then remove it with `backup delete {backup}`"
    )
    FOREIGN = (
        "{backup} was made by another set of backups, {repository}: it is neither verified nor restored; find out who put it "
        "there, then remove it with `backup delete {backup}`"
    )
    KIND_TOO_OLD = (
        "the newest verified {kind}, {backup}, is {age:.1f} h old; allowed: {allowed:.1f} h: find out why none is made "
        "any more, or say with `backup accept {backup}` that none will be"
    )
    DOCUMENTS_VANISHED = (
        "{backup} has {found} documents, the one before had {before}: mount the disk they are on, or say with "
        "`backup accept {backup}` that they were removed on purpose"
    )
    CLOCK_LEAPT = (
        "{backup} was begun {days} days after the one before: nothing is removed until you say with "
        "`backup accept {backup}` that the clock is right, or remove it with `backup delete {backup}`"
    )
    PRUNE_HALTED = (
        "nothing of the log and of the documents is removed, for what {backup} needs is not known: mend it with "
        "`backup sync {backup}`, or give it up with `backup delete {backup}`"
    )
    STORE_SILENT = "it is not known what is in {store}: {reason}"
    COPY_ABSENT = "{backup} is not in {store}: bring it there with `backup sync {backup}`"
    COPY_NOT_MADE = "{backup} is not in {store}: {reason}"
    COPY_LACKS_FILE = "{backup} in {store} is damaged: {file} is missing"
    COPY_SIZE = "{backup} in {store} is damaged: {file} has {found} bytes, not {written}"
    COPY_CHANGED = "{backup} in {store} is damaged: {file} is not as it was written"
    COPY_UNREADABLE = "{backup} in {store}: {file} cannot be read: {reason}"
    LOG_ABSENT = "{file} is not in {store}: bring it there with `backup sync all`"
    LOG_DAMAGED = "{file} in {store} is damaged: {reason}"
    LOG_GAP = "WAL is missing from {first} to {last}: make a base backup"
    LOG_GAP_IN_STORE = "{store} lacks WAL from {first} to {last}: bring it there with `backup sync all`"
    LOG_OLD = "the newest WAL in {store} is {minutes:.0f} min old; allowed: {allowed:.0f} min"
    LOG_CONFLICT = (
        "{file} is in {store} with another content: two servers of one cluster write WAL; nothing is overwritten"
    )
    LOG_OTHER_TIMELINE = (
        "the server went on to timeline {timeline}, and the newest base with its WAL does not lead there: "
        "make a base backup"
    )
    LOG_NOT_RECEIVED = "WAL is not being received: {reason}"
    LOG_SILENT = "no WAL was received for {seconds:.0f} s"
    LOG_WAITS = "{count} WAL segments wait for {store}, the oldest for {seconds:.0f} s"
    LOG_NOT_SHIPPED = "WAL cannot be shipped to {store}: {reason}"
    LOG_NO_SPACE = "{free} MiB are left where WAL is received"
    LOG_SLOT = "the replication slot is {slot}: the server may remove WAL before it is received"
    SPOOL_LARGE = "the spool holds {size} MiB of WAL that some store lacks; at {limit} MiB receiving stops"
    SPOOL_FULL = "the spool is full, {size} of {limit} MiB: WAL is not received any more, and the server has to keep it"
    ARCHIVE_SILENT = "the WAL archive has said nothing for {minutes:.0f} min: WAL is not received"
    CLUSTER_NEW = (
        "cluster {system} writes here, where there are backups of {others}: is this the right server? "
        "If it is, say so with `backup accept {system}`"
    )
    AGENT_SILENT = "the agent has said nothing for {minutes:.0f} min: no backups are made"
    SERVICE_DOWN = "{service} does not run: {reason}"
    UNSEEN = "it cannot be seen how the backups are: {reason}"


MENDABLE = frozenset(
    {
        ProblemCode.DAMAGED,
        ProblemCode.FILES_MISSING,
        ProblemCode.IN_THE_FUTURE,
        ProblemCode.CLOCK_LEAPT,
        ProblemCode.PRUNE_HALTED,
        ProblemCode.STORE_SILENT,
        ProblemCode.COPY_ABSENT,
        ProblemCode.COPY_NOT_MADE,
        ProblemCode.COPY_LACKS_FILE,
        ProblemCode.COPY_SIZE,
        ProblemCode.COPY_CHANGED,
        ProblemCode.COPY_UNREADABLE,
        ProblemCode.LOG_ABSENT,
        ProblemCode.LOG_DAMAGED,
    }
)
"""What leaves a verified backup that is young enough; anything else, new codes included, is worse."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: `code` says which, `about` has the fields of its sentence; `str()` is the sentence."""

    code: ProblemCode
    about: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, code: ProblemCode, **about: Value) -> Problem:
        """With the fields by name."""
        return cls(code, tuple(about.items()))

    @property
    def fields(self) -> Mapping[str, Value]:
        """What it is about, by name."""
        return dict(self.about)

    @property
    def reason(self) -> str:
        """Why, without what it is about; the whole sentence where it has no reason of its own."""
        found = self.fields.get("reason", ())
        return together(found if isinstance(found, tuple) else (str(found),)) or str(self)

    def plain(self) -> dict[str, Any]:
        """For JSON; `from_plain` is its reverse."""
        return {
            "code": self.code.name,
            "text": str(self),
            "about": {name: plain(value) for name, value in self.about},
        }

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> Problem:
        """Read what `plain` made; KeyError or TypeError when it is anything else."""
        about = {name: from_plain(value) for name, value in given["about"].items()}
        return cls.of(ProblemCode[given["code"]], **about)

    def sentence(self, template: str, translated: Callable[[str], str] = str) -> str:
        """`template` with the fields filled in; those that are sentences themselves go through `translated`."""
        return filled(template, self.fields, translated)

    def __str__(self) -> str:
        return self.sentence(self.code.value)


def why(error: Exception) -> tuple[str, ...]:
    """The reason of an error, without what the problem says already: which store or backup it is about."""
    if isinstance(error, StoreError):
        return (error.reason, error.advice)
    if isinstance(error, AllStoresFailed):
        return tuple(reason for each in error.failures.values() for reason in why(each))
    if isinstance(error, ManifestError):
        return (error.problem,)
    said = getattr(error, "reason", None)
    return (said if isinstance(said, Detail) else detail_of(error),)


def brief(error: Exception) -> str:
    """As `why`, in one sentence."""
    return together(why(error))


def not_made(backup: str, failures: Mapping[str, Exception]) -> tuple[Problem, ...]:
    """Why a backup is not in stores, by their names."""
    return tuple(
        Problem.of(ProblemCode.COPY_NOT_MADE, backup=backup, store=store, reason=why(error))
        for store, error in failures.items()
    )


def silent_stores(failures: Mapping[str, Exception]) -> tuple[Problem, ...]:
    """That stores could not be asked, and why, by their names."""
    return tuple(
        Problem.of(ProblemCode.STORE_SILENT, store=store, reason=why(error)) for store, error in failures.items()
    )


WHOLE = ""


@dataclass(frozen=True, slots=True)
class CopyDefect:
    """`file` of a backup is not in `store` as it was written; `WHOLE` as the file means all of it.

    `right` names the stores that were read and have it as it was written.
    """

    store: str
    file: str
    problem: Problem
    right: tuple[str, ...] = ()


def defects_by_size(
    backup: str, wanted: Mapping[str, int], manifest: str, found: Mapping[str, Mapping[str, int]], stores: Sequence[str]
) -> tuple[CopyDefect, ...]:
    """Compare the sizes `found` (by file, then store) with the `wanted` ones in each of `stores`.

    A store without the file `manifest` never got a whole copy: that is one defect, whatever else lies there.
    """
    defects = []
    for store in stores:
        if store not in found.get(manifest, {}):
            defects.append(CopyDefect(store, WHOLE, Problem.of(ProblemCode.COPY_ABSENT, backup=backup, store=store)))
            continue
        for file, written in wanted.items():
            size = found.get(file, {}).get(store)
            if size is None:
                lacks = Problem.of(ProblemCode.COPY_LACKS_FILE, backup=backup, store=store, file=file)
                defects.append(CopyDefect(store, file, lacks))
            elif size != written:
                differs = Problem.of(
                    ProblemCode.COPY_SIZE, backup=backup, store=store, file=file, found=size, written=written
                )
                defects.append(CopyDefect(store, file, differs))
    return tuple(defects)
