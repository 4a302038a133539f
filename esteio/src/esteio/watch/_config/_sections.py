"""The sections of the file, as tables: what each option may be, its default and what it means.

Promises: a `Config` that was made by `load` is consistent: names are unique, and what depends on something finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any

from esteio.alert.rules import Severity
from esteio.watch._config._kinds import (
    Address,
    Choice,
    Conditions,
    Moment,
    Number,
    Option,
    QuietTimes,
    SeverityKind,
    Statuses,
    Text,
    Texts,
    Timezone,
    Url,
)

__all__ = [
    "MOST",
    "SECTIONS",
    "Config",
    "DnsProbe",
    "Group",
    "Heartbeat",
    "HttpProbe",
    "Maintenance",
    "Notify",
    "Peer",
    "PostgresProbe",
    "Probe",
    "Section",
    "TcpProbe",
    "TlsProbe",
    "Watch",
]

MOST = 500  # of probes, heartbeats and watchers together: the history keeps as many series
_DAY = 86_400.0
_NAME = Text(
    "1 to 60 small letters, digits, dots, dashes, underscores; a letter or digit first", r"[a-z0-9][a-z0-9._-]{0,59}"
)
_NAMES = Texts(_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Section):
    """The watcher itself."""

    name: Annotated[str, Option(_NAME, "of this watcher, among all of them")]
    title: Annotated[str, Option(Text(), "heading of the status page")] = ""
    language: Annotated[str, Option(Choice(("pt-BR", "en")), "of the page and of notices")] = "en"
    timezone: Annotated[str, Option(Timezone(), "of times on the page and in notices, and of schedules")] = "UTC"
    listen: Annotated[tuple[str, int], Option(Address(), "where the page, heartbeats and other watchers are answered")] = (
        "127.0.0.1", 8090,
    )  # fmt: skip
    directory: Annotated[str, Option(Text("a path"), "what is remembered: history, alerts, notices on their way")] = (
        "/var/lib/esteio-watch"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Section):
    """Who is told."""

    urls: Annotated[
        tuple[str, ...],
        Option(
            Texts(Text("an address as apprise writes it, or https://"), 20),
            "channels; without one, only the log",
            secret=True,
        ),
    ] = ()
    escalation: Annotated[
        tuple[str, ...],
        Option(
            Texts(Text("as `urls`"), 20), "told, too, of a page that nobody acknowledged for 15 minutes", secret=True
        ),
    ] = ()
    quiet: Annotated[tuple[time, time] | None, Option(QuietTimes(), "hours in which tickets wait")] = None
    clear: Annotated[float, Option(Number(0, 3600), "up for so long, and it is told; what flips is told once")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Section):
    """What several watchers have in common."""

    secret: Annotated[
        str, Option(Text("16 to 200 characters without blanks", r"\S{16,200}"), "the same in all watchers", secret=True)
    ] = ""
    quorum: Annotated[
        int | None,
        Option(Number(1, 100, "watchers", whole=True), "how many have to see something down; without it, most"),
    ] = None
    anchors: Annotated[
        tuple[tuple[str, int], ...],
        Option(
            Texts(Address(), 10),
            "what surely answers, if this machine has a network: while one does, this watcher is not isolated",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer(Section):
    """Another watcher."""

    name: Annotated[str, Option(_NAME, "its `name`")]
    url: Annotated[str, Option(Url(), "where it listens, from here")]
    interval: Annotated[float, Option(Number(0.5, 60), "between two questions")] = 5.0
    timeout: Annotated[float, Option(Number(0.5, 30), "then it did not answer")] = 3.0
    severity: Annotated[Severity, Option(SeverityKind(), "when it does not answer")] = Severity.TICKET


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Section):
    """What all probes have."""

    name: Annotated[str, Option(_NAME, "of the alert, in the history, among the watchers")]
    title: Annotated[
        str, Option(Text("text of 1 to 80 characters", r".{1,80}"), "what people read; without it, the name")
    ] = ""
    interval: Annotated[float, Option(Number(1, _DAY), "between two looks")] = 30.0
    timeout: Annotated[float, Option(Number(0.1, 60), "then it failed")] = 10.0
    failures: Annotated[int, Option(Number(1, 20, "answers", whole=True), "as many have to fail")] = 3
    of: Annotated[int, Option(Number(1, 40, "answers", whole=True), "among the last so many, and it is down")] = 3
    retry: Annotated[float, Option(Number(0.5, 3600), "until the next look while it is not confirmed")] = 5.0
    recover: Annotated[int, Option(Number(1, 20, "answers", whole=True), "good ones in a row, and it is up")] = 1
    severity: Annotated[Severity, Option(SeverityKind(), "when it is down")] = Severity.PAGE
    depends_on: Annotated[tuple[str, ...], Option(_NAMES, "probes: while one is down, nobody is told of this one")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe(Probe):
    """An answer over HTTP; redirects are not followed, no proxy is asked."""

    url: Annotated[str, Option(Url(), "what is asked for")]
    status: Annotated[tuple[str, ...], Option(Statuses(), "else it failed")] = ("2xx",)
    contains: Annotated[str, Option(Text(), "the body has to have this text")] = ""
    lacks: Annotated[str, Option(Text(), "the body must not have it")] = ""
    json: Annotated[
        Mapping[str, tuple[Any, ...]], Option(Conditions(), "fields of the body, and the values that they may have")
    ] = field(default_factory=dict)
    headers: Annotated[Mapping[str, tuple[Any, ...]], Option(Conditions(
        'a table of names and values, such as { Authorization = "Bearer ${TOKEN}" }'), "sent with the request", secret=True,
    )] = field(default_factory=dict)  # fmt: skip
    slow: Annotated[float, Option(Number(0.001, 60), "an answer that takes longer is degraded")] = 60.0
    authority: Annotated[str, Option(Text("a path"), "a file of certificates to trust in place of the system's")] = ""
    certificate: Annotated[float, Option(Number(0, 1000, "days"), "of https: valid for less is degraded")] = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe(Probe):
    """Whether a connection is accepted."""

    address: Annotated[tuple[str, int], Option(Address(), "where to")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProbe(Probe):
    """Whether a certificate is accepted by those who check it, and for how long."""

    address: Annotated[tuple[str, int], Option(Address(), "where to")]
    server_name: Annotated[
        str, Option(Text("a host name"), "that the certificate has to be for; without it, the host")
    ] = ""
    authority: Annotated[str, Option(Text("a path"), "a file of certificates to trust in place of the system's")] = ""
    warn: Annotated[float, Option(Number(0, 1000, "days"), "valid for less is degraded")] = 21.0
    fail: Annotated[float, Option(Number(0, 1000, "days"), "valid for less is down")] = 3.0
    interval: Annotated[float, Option(Number(1, _DAY), "between two looks")] = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProbe(Probe):
    """What a name server answers."""

    query: Annotated[str, Option(Text("a name"), "the name that is asked for")]
    type: Annotated[str, Option(Choice(("A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT")), "of the record")] = "A"
    server: Annotated[tuple[str, int] | None, Option(Address(
        '"IP:PORT", such as "9.9.9.9:53"'), "who is asked; without it, those of this machine")] = None  # fmt: skip
    expect: Annotated[tuple[str, ...], Option(Texts(), "each of these has to be among the answers")] = ()
    timeout: Annotated[float, Option(Number(0.1, 60), "then it failed")] = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresProbe(Probe):
    """A query over a new connection, read only."""

    url: Annotated[str, Option(Url(("postgresql", "postgres")), "the database", secret=True)]
    role: Annotated[str, Option(Choice(("any", "primary", "standby")), "what the server has to be")] = "any"
    query: Annotated[str, Option(Text(), "what is asked")] = "select 1"
    expect: Annotated[str, Option(Text(), "the first column of the first row, as text; without it, any row")] = ""
    slow: Annotated[float, Option(Number(0.001, 60), "an answer that takes longer is degraded")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Section):
    """A job that says that it ran: `GET` or `POST` of `/ping/KEY` and, behind it, `/start`, `/fail` or `/EXIT-CODE`."""

    name: Annotated[str, Option(_NAME, "of the alert, and in the history")]
    key: Annotated[
        str, Option(Text("16 to 100 letters, digits, - and _", r"[A-Za-z0-9_-]{16,100}"), "of its address", secret=True)
    ]
    title: Annotated[
        str, Option(Text("text of 1 to 80 characters", r".{1,80}"), "what people read; without it, the name")
    ] = ""
    schedule: Annotated[str, Option(Text("five fields as in crontab"), "when it runs")] = ""
    timezone: Annotated[str, Option(Timezone(), "of the schedule; without it, the watcher's")] = ""
    every: Annotated[float, Option(Number(10, 366 * _DAY), "instead: at the latest so long after the last success")] = (
        0.0
    )
    grace: Annotated[float, Option(Number(1, 31 * _DAY), "how late the success may be")] = 600.0
    severity: Annotated[Severity, Option(SeverityKind(), "when it is missing or failed")] = Severity.TICKET
    depends_on: Annotated[tuple[str, ...], Option(_NAMES, "probes: while one is down, nobody is told of this one")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance(Section):
    """Announced work: measured apart, and nobody is told of what opens."""

    probes: Annotated[
        tuple[str, ...], Option(Texts(Text('a name, or a pattern such as "db-*"', r"\S{1,60}")), "of which")
    ]
    begin: Annotated[datetime | None, Option(Moment(), "once: from")] = None
    end: Annotated[datetime | None, Option(Moment(), "once: to")] = None
    schedule: Annotated[str, Option(Text("five fields as in crontab"), "again and again: when it begins")] = ""
    lasts: Annotated[float, Option(Number(60, 7 * _DAY), "again and again: for how long")] = 0.0
    reason: Annotated[str, Option(Text(), "why, for people")] = ""


SECTIONS: Mapping[str, type[Section]] = {
    "watch": Watch, "notify": Notify, "group": Group, "peer": Peer, "http": HttpProbe, "tcp": TcpProbe, "tls": TlsProbe,
    "dns": DnsProbe, "postgres": PostgresProbe, "heartbeat": Heartbeat, "maintenance": Maintenance,
}  # fmt: skip
"""By their names in the file; `watch`, `notify` and `group` come once, the others as often as wanted."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    path: Path
    watch: Watch
    notify: Notify = Notify()
    group: Group = Group()
    peers: tuple[Peer, ...] = ()
    probes: tuple[Probe, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    @property
    def directory(self) -> Path:
        """What is remembered; relative to the file."""
        return self.path.parent / self.watch.directory
