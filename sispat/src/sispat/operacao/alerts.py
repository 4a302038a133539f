"""Who is told when something is wrong, and in which words: what Esteio's alerts are, for this service.

Promises: what is decided and how is Esteio's (`esteio.alert.monitor`); here is what the settings make of it, in the language
of SISPAT_LANG, because who reads a notice is elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import time

from esteio.alert import NoticeWords, Outbox
from esteio.alert.monitor import AlertMonitor, Alerts, AlertWords, Watched, evidence_of, service_definitions
from esteio.alert.rules import Kind, QuietHours
from esteio.health import HistoryReader, HostMonitor, Measurements
from sispat.http.backup_state import history_file
from sispat.http.maintenance import maintenance_switch
from sispat.kernel.i18n import _, using
from sispat.settings import Settings

__all__ = ["alert_monitor", "alert_titles", "alert_words", "alerts_of", "watched_checks"]

Problems = Callable[[], tuple[tuple[str, str], ...] | None]


def alerts_of(settings: Settings) -> Alerts:
    """What fires, the incidents, the budget; and silences and acknowledgements."""
    return Alerts(settings.data_dir / "alerts.sqlite")


def alert_monitor(
    settings: Settings, health: HostMonitor, outbox: Outbox | None, words: NoticeWords, problems: Problems
) -> AlertMonitor:
    """A service that decides every two seconds; `problems` are those of the backups."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    switch = maintenance_switch(settings)
    history = HistoryReader(history_file(settings))
    watched = Watched(
        health.newest,
        Measurements.of_environment(),
        lambda: switch.state() is not None,
        problems,
        lambda since: evidence_of(history.marks(since)),
    )
    definitions = service_definitions(watched_checks(settings), backups=settings.backup)
    return AlertMonitor(
        settings.data_dir, definitions, watched, outbox, alert_words(settings, words), quiet=_quiet(settings)
    )


def watched_checks(settings: Settings) -> tuple[str, ...]:
    """Names of the checks of this machine that have an alert."""
    found = ["web:responseTime", "postgres:responseTime", "disk:free", "clock:offset", "jobs:waiting"]
    if settings.redis_url is not None:
        found.append("redis:responseTime")
    if (settings.public_url or "").startswith("https://"):
        found.append("tls:certificate")
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


def alert_titles() -> dict[str, str]:
    """What each alert says, in the language in use, by its name."""
    burn = _("a margem de falhas está sendo gasta depressa demais")
    slow = _("pedidos demais demoram mais de 1 s")
    return {
        "web:down": _("o SISPAT não responde"),
        "postgres:down": _("o banco de dados não responde"),
        "postgres:slow": _("o banco de dados responde devagar"),
        "redis:down": _("o Redis não responde"),
        "disk:full": _("o disco está quase cheio"),
        "disk:low": _("o disco está enchendo"),
        "clock:offset": _("o relógio desta máquina está errado"),
        "jobs:stuck": _("tarefas esperam e ninguém as faz"),
        "tls:certificate": _("o certificado vence logo"),
        "memory:high": _("um processo usa memória demais"),
        "cpu:high": _("um processo está sempre ocupado"),
        "circuit:open": _("um disjuntor está aberto"),
        "process:crash-loop": _("um processo morre repetidamente"),
        "process:died": _("algo morreu e foi substituído"),
        "worker:died": _("um processo de atendimento morreu e foi substituído"),
        "operator:died": _("o operador morreu e foi substituído"),
        "postgresql:died": _("o PostgreSQL embutido morreu e foi iniciado de novo"),
        "statements:slow": _("comandos ao banco levam mais de 3 s"),
        "requests:errors": _("pedidos demais falham"),
        **{f"availability:burn-{window}": burn for window in ("1h", "6h", "1d", "3d")},
        **{f"latency:burn-{window}": slow for window in ("1h", "6h", "1d", "3d")},
        "backup:failing": _("as cópias de segurança precisam de alguém"),
        "wal:failing": _("o log do banco não está sendo arquivado"),
    }
