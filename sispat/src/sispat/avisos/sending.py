"""Sends the mails that tell people what waits for them: once a day, and at once where somebody asked for that.

Promises: at least once - that a mail was taken is written after the server took it, so a process killed between the two
leaves at most one mail twice. What it says is made when it is sent: a server that was away for days is told of the present
once, not of each day. A person's mail is sent by one process at a time, over all machines. Somebody whose address is
refused keeps nobody waiting: after three refusals in a row the round ends, and each is tried again later and later, at
most every quarter of an hour.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from esteio import EsteioError
from esteio.alert import Channel, Channels, NotDelivered, Notice
from esteio.clock import SYSTEM, Clock
from esteio.cron import Cron
from esteio.outage_log import OutageLog
from esteio.postgres import Database
from sispat.avisos import sql
from sispat.avisos.digest import Mail, compose
from sispat.avisos.rules import Subject, asked_again_after, due, worth_a_mail
from sispat.kernel.context import Context
from sispat.kernel.i18n import Language, is_language, using
from sispat.kernel.permissions import Access
from sispat.kernel.sessions import access_of_user
from sispat.movimentacoes.actions.pending import CEILING
from sispat.painel.pending import Group, pending
from sispat.settings import Settings

__all__ = ["City", "MailSender", "Post", "subjects"]

_logger = logging.getLogger("sispat.avisos")

_EVERY = 60.0  # seconds between two rounds
_LEASE = 120.0  # seconds; an attempt takes 17 at most
_REFUSALS = 3
_AGAIN = 2.0  # seconds between two attempts to write down that a mail was taken
_REQUEST = "avisos"


@dataclass(frozen=True, slots=True)
class City:
    """What the mails need to know of the settings; `base` is the address of the service, `digest` a cron expression or ""."""

    name: str
    base: str
    timezone: str
    language: Language
    click_signing: bool
    digest: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        digest = "" if settings.mail_digest == "não" else settings.mail_digest
        base = (settings.public_url or "").rstrip("/")
        return cls(settings.city_name, base, settings.timezone, settings.lang, settings.click_signing, digest)

    def slot(self, now: float) -> float | None:
        """The last moment at which the digest was due."""
        return Cron(self.digest, self.timezone).previous(now) if self.digest else None

    def next_slot(self, now: float) -> float | None:
        """The next one."""
        return Cron(self.digest, self.timezone).next(now) if self.digest else None

    def language_of(self, chosen: str | None) -> Language:
        """What a person chose, else that of the city."""
        return chosen if chosen is not None and is_language(chosen) else self.language

    async def groups(self, ctx: Context, now: float, shown: int = CEILING) -> list[Group]:
        """What waits for whoever asks."""
        today = dt.datetime.fromtimestamp(now, ZoneInfo(self.timezone)).date()
        return await pending(ctx, today, click_signing=self.click_signing, shown=shown)

    def mail(self, groups: list[Group], name: str) -> Mail:
        """The mail about `groups`, in the language in force."""
        return compose(groups, name=name, city=self.name, base=self.base)


class Post:
    """The mail server at `url`, as apprise reads it, without the addressee."""

    def __init__(self, url: str, sender: str = "SISPAT") -> None:
        self._url = url
        self._channels = Channels((), sender=sender)

    def send(self, address: str, mail: Mail, at: float) -> None:
        """Hand one mail over, within 15 s; NotDelivered when it is not taken."""
        sign = "&" if "?" in self._url else "?"  # in a password it is %3F
        url = f"{self._url}{sign}to={quote(address, safe='')}&format=text"
        self._channels.send(Channel("mail", "", url), Notice(mail.subject, mail.text, "warning", at))


class MailSender:
    """Tells everybody through `send(address, mail, at)`, which may block; see the module."""

    def __init__(
        self, db: Database, city: City, send: Callable[[str, Mail, float], None], clock: Clock = SYSTEM
    ) -> None:
        self._db, self._city, self._send, self._clock = db, city, send, clock
        self._outages = OutageLog(_logger, every=3600.0, quiet=1800.0, clock=clock)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; nothing that goes wrong ends it."""
        while not stop.is_set():
            try:
                await self.round(stop)
            except EsteioError as error:
                self._outages.failed("avisos", error)
            except Exception:
                _logger.exception("os avisos por e-mail falharam; tentam de novo")
            await _pause(stop, _EVERY * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def round(self, stop: asyncio.Event | None = None) -> int:
        """Look at everybody once; how many mails were taken."""
        now, taken, refusals = self._clock.time(), 0, 0
        async with self._db.connection() as conn:
            await sql.enter(conn, _moment(now))
            people = await sql.people(conn, _moment(now))
        for person in people:
            if refusals == _REFUSALS or (stop is not None and stop.is_set()):
                break
            outcome = await self._tell(person, stop)
            taken += outcome is True
            refusals = refusals + 1 if outcome is False else 0 if outcome else refusals
        return taken

    async def _tell(self, person: sql.Person, stop: asyncio.Event | None) -> bool | None:
        """Whether a mail to this person was taken; None: there was nothing to say, or somebody else says it."""
        now = self._clock.time()
        slot = self._city.slot(now)
        last = person.enviado_em.timestamp() if person.enviado_em else None
        digest = due(person.quando, person.resumo_de.timestamp(), slot, last, now)
        if digest is None:
            return None
        async with self._db.connection() as conn:
            access = await access_of_user(conn, person.usuario_id)
            if access is None:
                return None
            with using(self._city.language_of(person.idioma)):
                groups = await self._city.groups(Context(conn, access, _REQUEST), now)
                told = {str(each) for each in person.ditos}
                if not worth_a_mail(subjects(groups), told, digest=digest):
                    if digest and slot is not None:
                        await sql.done(conn, person.usuario_id, _moment(slot))
                    return None
                shown = groups if digest else _new(groups, told)
                mail = self._city.mail(shown, access.nome)
            if not await sql.claim(conn, person, _moment(now), _moment(now + _LEASE)):
                return None
        # No connection is held while the server is spoken to.
        waiting = {line.id for group in groups for line in group.lines}
        named = {line.id for group in shown for line in group.lines} | (told & waiting)
        return await self._deliver(person, access, mail, slot if digest else None, named, stop)

    async def _deliver(
        self, person: sql.Person, access: Access, mail: Mail, slot: float | None, named: set[str],
        stop: asyncio.Event | None,
    ) -> bool:  # fmt: skip
        at = self._clock.time()
        try:
            await asyncio.to_thread(self._send, access.email, mail, at)
        except NotDelivered as error:
            self._outages.failed("mail", error)
            reason = error.reason
            until = _moment(self._clock.time() + asked_again_after(person.falhas + 1))
            await self._write(lambda conn: sql.refused(conn, person.usuario_id, until, reason), stop)
            return False
        done = None if slot is None else _moment(slot)
        await self._write(lambda conn: sql.sent(conn, person.usuario_id, _moment(at), done, named), stop)
        return True

    async def _write(
        self, write: Callable[[AsyncConnection[object]], Awaitable[None]], stop: asyncio.Event | None
    ) -> None:
        """Write down what became of a mail, however long the database is away: else it would be sent again."""
        while True:
            try:
                async with self._db.connection() as conn:
                    await write(conn)
                return
            except EsteioError as error:
                self._outages.failed("avisos", error)
                if stop is None or stop.is_set():
                    raise
            await _pause(stop, _AGAIN)


def subjects(groups: list[Group]) -> list[Subject]:
    """As the rules look at groups."""
    return [Subject([line.id for line in group.lines], group.to_decide, group.lasting) for group in groups]


def _new(groups: list[Group], told: set[str]) -> list[Group]:
    """The groups that wait for an answer, those with something new only, the new lines first."""
    found = []
    for group in groups:
        new = [line for line in group.lines if line.id not in told]
        if group.to_decide and new:
            found.append(group._replace(lines=[*new, *(line for line in group.lines if line.id in told)]))
    return found


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
