"""What backups tell, as notices.

Promises: a run that ends, and backups that turn red or green, make one notice each; a run that was refused because
another one is at work, or that somebody interrupted at the keyboard, makes none. Only sizes, names and the error's own
text are in it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from esteio.alert._notice import Level, Notice
from esteio.alert._words import ENGLISH, NoticeWords
from esteio.clock import SYSTEM, Clock
from esteio.events import Event, subscribe

if TYPE_CHECKING:  # notices of other things need nothing of backups
    from esteio.alert._heartbeat import Heartbeat
    from esteio.alert._outbox import Outbox
    from esteio.backup import BackupRunEnded, Manifest
    from esteio.backup.watch import BackupsRed

__all__ = ["backup_notice", "backup_notices", "trial_notice"]

_PATIENCE = 30.0  # seconds
_MOST_NAMES = 10


@contextmanager
def backup_notices(
    outbox: Outbox | None, words: NoticeWords = ENGLISH, heartbeat: Heartbeat | None = None, clock: Clock = SYSTEM
) -> Iterator[None]:
    """Within the block each event of backups is put into `outbox`, and each end of a run moves `heartbeat`.

    At the end what is owed is delivered, for up to 30 s; the rest stays owed. A block that is interrupted ends at
    once. A block of a long life also starts the outbox as a service.
    """

    def hook(event: Event) -> None:
        notice = backup_notice(event, words, clock.time())
        if notice is None:
            return
        if outbox is not None:
            outbox.put(notice)
        if heartbeat is not None and _ends_run(event):
            if notice.level == "failure":
                heartbeat.failure(f"{notice.subject}\n{notice.body}")
            else:
                heartbeat.success()

    end = subscribe(hook)
    try:
        yield
    except BaseException as error:
        end()
        if isinstance(error, Exception):
            _deliver(outbox, heartbeat)
        raise
    end()
    _deliver(outbox, heartbeat)


def backup_notice(event: Event, words: NoticeWords = ENGLISH, at: float | None = None) -> Notice | None:
    """What `event` of `esteio.backup` has to tell at `at` (seconds since the epoch); None when nothing."""
    from esteio.backup import AlreadyRunning, BackupRunEnded
    from esteio.backup.watch import BackupsGreen, BackupsRed

    at = SYSTEM.time() if at is None else at
    if isinstance(event, BackupsRed):
        return _red(event, words, at)
    if isinstance(event, BackupsGreen):
        return Notice(words.green, _filled(words, words.well, at), "success", at)
    if not isinstance(event, BackupRunEnded) or isinstance(event.error, (AlreadyRunning, KeyboardInterrupt)):
        return None
    if event.error is not None or event.manifest is None:
        return _failed(event, words, at)
    return _made(event, event.manifest, words, at)


def trial_notice(words: NoticeWords = ENGLISH, at: float | None = None) -> Notice:
    """A notice that says that it is only a test."""
    at = SYSTEM.time() if at is None else at
    return Notice(words.test, _filled(words, words.test_body, at), "success", at)


def _deliver(outbox: Outbox | None, heartbeat: Heartbeat | None) -> None:
    if outbox is not None:
        outbox.deliver(_PATIENCE)
    if heartbeat is not None:
        heartbeat.wait(_PATIENCE)


def _ends_run(event: Event) -> bool:
    from esteio.backup import BackupRunEnded

    return isinstance(event, BackupRunEnded)


def _made(event: BackupRunEnded, manifest: Manifest, words: NoticeWords, at: float) -> Notice:
    level: Level = "success" if event.verification and not event.missing else "warning"
    subject = words.lacking if event.missing else words.proven if event.verification else words.unproven
    lines = [
        _filled(
            words,
            words.made,
            at,
            kind=event.kind,
            database=event.database or event.name,
            content=words.size(manifest.size),
            stored=words.size(manifest.stored),
            duration=words.duration(manifest.duration),
        ),
        words.stores.format(stores=", ".join(event.stores)),
    ]
    if event.missing:
        lines.append(words.missing.format(missing=", ".join(event.missing)))
    lines.append(_trial(event, words))
    if removed := _removed(event, words):
        lines.append(words.removed.format(removed=removed))
    return Notice(subject.format(id=event.name), "\n".join(lines), level, at)


def _trial(event: BackupRunEnded, words: NoticeWords) -> str:
    if event.verification is None:
        return words.no_trial
    checked = ", ".join(words.checks.get(each, each) for each in event.verification.checked)
    seconds = words.duration(event.verification.restore_seconds)
    return words.trial.format(duration=seconds, rows=event.verification.rows, checked=checked)


def _removed(event: BackupRunEnded, words: NoticeWords) -> str:
    gone = [decision for decision in event.decisions if not decision.keep]
    parts = {"wal": words.log, "documents": words.documents}
    names = [parts[each.id].format(count=each.about) if each.id in parts else each.id for each in gone]
    more = ["..."] if len(names) > _MOST_NAMES else []
    return ", ".join(names[:_MOST_NAMES] + more)


def _failed(event: BackupRunEnded, words: NoticeWords, at: float) -> Notice:
    error = words.error(event.error) if event.error is not None else ""
    error = error or type(event.error).__name__
    database = event.database or event.name
    reason = _filled(words, words.reason, at, kind=event.kind, database=database, error=error)
    left = words.nothing_left
    if event.newest_verified is not None:
        left = words.left.format(id=event.newest_verified, age=words.duration(event.newest_verified_age or 0.0))
    return Notice(words.failed.format(database=database), f"{reason}\n{left}\n{words.look}", "failure", at)


def _red(event: BackupsRed, words: NoticeWords, at: float) -> Notice:
    subject = words.red.format(problem=event.problems[0])
    problems = "".join(f"- {problem}\n" for problem in event.problems)
    return Notice(subject, f"{_filled(words, words.seen, at)}\n{problems}{words.look}", "failure", at)


def _filled(words: NoticeWords, text: str, at: float, **fields: object) -> str:
    return text.format(host=socket.gethostname(), at=words.when(at), **fields)
