"""Who is told when something is wrong, and in which words: what Esteio's alerts are, for this service.

Promises: what is decided and how is Esteio's (`esteio.alert.monitor`); here is what the settings make of it, in the language
of SISPAT_LANG, because who reads a notice is elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from datetime import time
from math import inf

from esteio.alert import NoticeWords, Outbox
from esteio.alert.monitor import (
    AlertMonitor,
    Alerts,
    AlertWords,
    BackupRecord,
    Watched,
    evidence_of,
    service_definitions,
)
from esteio.alert.rules import Kind, Pacing, QuietHours
from esteio.health import HistoryReader, HostMonitor, Measurements
from sispat.http.backup_state import history_file
from sispat.http.document_store import STORE_CHECK
from sispat.http.maintenance import maintenance_switch
from sispat.kernel.i18n import _, using
from sispat.operacao.monitor import cluster_certificates
from sispat.operacao.names import alert_titles
from sispat.settings import Settings

__all__ = ["alert_monitor", "alert_words", "alerts_of", "watched_checks"]

Problems = Callable[[], tuple[tuple[str, str], ...] | None]


def alerts_of(settings: Settings) -> Alerts:
    """What fires, the incidents, the budget; and silences and acknowledgements."""
    return Alerts(settings.data_dir / "alerts.sqlite")


def alert_monitor(
    settings: Settings, health: HostMonitor, outbox: Outbox | None, words: NoticeWords, problems: Problems,
    backups: Callable[[], Iterable[BackupRecord]] = lambda: (),
) -> AlertMonitor:  # fmt: skip
    """A service that decides every two seconds; `problems` are those of the backups, `backups` those that are known."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    switch = maintenance_switch(settings)
    history = HistoryReader(history_file(settings))
    watched = Watched(
        health.newest,
        Measurements.of_environment(),
        lambda: switch.state() is not None,
        problems,
        lambda since: evidence_of(history.marks(since)),
        backups,
    )
    definitions = service_definitions(watched_checks(settings), backups=settings.backup)
    return AlertMonitor(
        settings.data_dir,
        definitions,
        watched,
        outbox,
        alert_words(settings, words),
        quiet=_quiet(settings),
        pacing=Pacing(escalate_after=60.0 * settings.escalate_after or inf),
    )


def watched_checks(settings: Settings) -> tuple[str, ...]:
    """Names of the checks of this machine that have an alert."""
    found = [
        "web:responseTime",
        "postgres:responseTime",
        "disk:free",
        "clock:offset",
        "jobs:waiting",
        "replication:lag",
    ]
    if settings.redis_url is not None:
        found.append("redis:responseTime")
        found += [each.name for each in cluster_certificates(settings.redis_url.get_secret_value())]
    if settings.documents_store is not None:
        found.append(STORE_CHECK)
    if (settings.public_url or "").startswith("https://"):
        found.append("tls:certificate")
    if settings.backup:
        found += ["backup:directory", "backup:free"]
    return tuple(found)


def _quiet(settings: Settings) -> QuietHours | None:
    if settings.quiet_hours == "não":
        return None
    begin, end = (time.fromisoformat(each) for each in settings.quiet_hours.split("-"))
    return QuietHours(begin, end, settings.timezone)


def alert_words(settings: Settings, words: NoticeWords) -> AlertWords:
    """Every text of a notice of alerts."""
    with using(settings.lang):
        return AlertWords(
            kinds={
                Kind.OPENED: _("PROBLEMA"),
                Kind.RECOVERED: _("Voltou ao normal"),
                Kind.REPEATED: _("AINDA há um problema"),
                Kind.ESCALATED: _("NINGUÉM assumiu"),
            },
            titles=alert_titles(),
            many=_("{kind}: {title}, e mais {more}"),
            line=_("{title} ({name}), desde {since}"),
            lasted=_(", por {duration}"),
            absent=_("nada se sabe de: {title}"),
            more=_("e mais {more}"),
            seen=_("Visto em {host}, {at}."),
            todo=_("O que fazer: docs/how-to/plantao.md, em {names}."),
            notice=words,
            host=socket.gethostname,
        )
