"""Who is told of what a command did, and `backup notify`.

Promises: a command that makes backups tells how it ended whatever happened, also before there were any backups to speak
of; whoever is told, nothing of the backup waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from esteio import events
from esteio.cli._words import Words
from esteio.clock import SYSTEM

if TYPE_CHECKING:
    from esteio.alert import Heartbeat, NoticeWords, Outbox
    from esteio.events import Event

__all__ = ["Notices", "Notified", "nobody", "notify", "notify_test", "told"]


def _english() -> NoticeWords:
    from esteio.alert import ENGLISH

    return ENGLISH


@dataclass(frozen=True, slots=True)
class Notices:
    """Notices go to `outbox`, in `words`, and runs to `heartbeat`; None where there is nobody."""

    outbox: Outbox | None = None
    heartbeat: Heartbeat | None = None
    words: NoticeWords = field(default_factory=_english)


Notified = Callable[[], Notices]
"""Asked when a command needs it: it starts a process to look at the addresses."""


def nobody() -> Notices:
    """Tell nobody."""
    return Notices()


@contextmanager
def told(notified: Notified, kind: str) -> Iterator[Notices]:
    """Within the block notices are written, at its end they are delivered; `kind` is what the block is to make."""
    notices = notified()
    if notices.outbox is None and notices.heartbeat is None:
        yield notices
        return
    from esteio.alert import backup_notices
    from esteio.backup import BackupRunEnded

    ended: list[Event] = []
    with ExitStack() as stack:
        stack.enter_context(backup_notices(notices.outbox, notices.words, notices.heartbeat))
        stack.callback(
            events.subscribe(lambda event: ended.append(event) if isinstance(event, BackupRunEnded) else None)
        )
        try:
            yield notices
        except Exception as error:
            if not ended:
                events.emit(BackupRunEnded("PostgreSQL", kind, "", error=error))
            raise


def notify(notified: Notified, words: Words) -> bool:
    """Deliver what is owed; whether nothing is any more."""
    outbox = notified().outbox
    if outbox is None:
        typer.echo(words.nobody, err=True)
        return False
    done = outbox.deliver(60.0)
    typer.echo(words.delivered.format(sent=done.sent, owed=done.owed))
    return done.owed == 0


def notify_test(notified: Notified, words: Words) -> bool:
    """Send a notice through each channel, and say what came of it; whether all took it."""
    from esteio.alert import NotDelivered, trial_notice

    notices = notified()
    if notices.outbox is None:
        typer.echo(words.nobody, err=True)
        return False
    notice = trial_notice(notices.words, SYSTEM.time())
    arrived = True
    for channel in notices.outbox.channels.channels:
        try:
            notices.outbox.channels.send(channel, notice)
        except NotDelivered as error:
            arrived = False
            typer.echo(words.not_arrived.format(channel=channel.name, reason=error.reason), err=True)
        else:
            typer.echo(words.arrived.format(channel=channel.name))
    return arrived
