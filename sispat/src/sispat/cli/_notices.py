"""Who is told, and in which words: WEBHOOK_URL, SISPAT_NOTIFY_URLS, SISPAT_ESCALATION_URLS, SISPAT_HEARTBEAT_URL.

Promises: notices wait beside the backups until every channel took them; an address that cannot be used is refused without
being shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from esteio.alert import Channels, Heartbeat, NoticeWords, Outbox
from esteio.cli import Notices
from esteio.cli.environment import notices_directory
from esteio.errors import EsteioError
from sispat.cli._backup_errors import in_portuguese
from sispat.cli._backup_words import words_in
from sispat.cli._backups import backup_variables
from sispat.kernel.i18n import Language
from sispat.settings import Settings, load_settings

__all__ = ["NOTICE_WORDS", "addresses", "backup_notices"]

_PORTUGUESE = NoticeWords(
    proven="Cópia {id}: feita e provada",
    unproven="Cópia {id}: feita, sem prova",
    lacking="Cópia {id}: falta em algum lugar",
    failed="A cópia de {database} FALHOU",
    made="{kind} de {database} em {host}, {at}: {content} em {duration}, {stored} guardados.",
    stores="Está em {stores}.",
    missing="Falta em {missing}.",
    trial="Restaurada para prova em {duration}: {rows} linhas como devem ser ({checked}).",
    no_trial="Não foi restaurada para prova, e nada antigo foi removido.",
    removed="Removidas: {removed}.",
    log="{count} segmentos de log",
    documents="{count} documentos de que nenhuma cópia precisa mais",
    reason="{kind} de {database} em {host}, {at}: {error}",
    left="A cópia mais nova com que se pode contar é {id}, de {age} atrás.",
    nothing_left="Não se conhece nenhuma cópia com que se possa contar.",
    red="As cópias precisam de alguém: {problem}",
    seen="Visto em {host}, {at}:",
    look="Veja com `sispat backup status`.",
    green="As cópias estão bem de novo",
    well="Em {host}, {at}: há uma cópia provada recente, em todos os lugares em que deve estar.",
    test="Isto é um teste",
    test_body="Enviado de {host}, {at}, para ver se os avisos chegam aqui.",
    decimal=",",
    minutes="{amount} minutos",
    hours="{amount} horas",
    days="{amount} dias",
    timezone="America/Sao_Paulo",
    moment="%d/%m/%Y %H:%M",
    error=lambda error: in_portuguese(error) if isinstance(error, EsteioError) else str(error),
)

NOTICE_WORDS: Mapping[Language, NoticeWords] = {
    "pt-BR": _PORTUGUESE,
    "en": NoticeWords(look="Look with `sispat backup status`."),
}
"""In the language of SISPAT_LANG, not of the terminal: who reads them is elsewhere."""


def backup_notices(settings: Settings | None = None) -> Notices:
    """Channels, heartbeat and words for what is told of backups; by default those of the settings in force."""
    settings = settings or load_settings()
    channels, heartbeat = _channels(settings), settings.heartbeat_url
    if channels is not None and settings.backup_dir is None:  # ours to make
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    checks = words_in(settings.lang).checks
    return Notices(
        Outbox(notices_directory(backup_variables(settings)), channels) if channels is not None else None,
        Heartbeat(heartbeat.get_secret_value(), what="SISPAT_HEARTBEAT_URL") if heartbeat else None,
        replace(NOTICE_WORDS[settings.lang], timezone=settings.timezone, checks=checks),
    )


def _channels(settings: Settings) -> Channels | None:
    urls, late = addresses(settings), settings.escalation_urls
    escalation = late.get_secret_value().split() if late is not None else []
    if not urls and not escalation:
        return None
    what = "WEBHOOK_URL / SISPAT_NOTIFY_URLS / SISPAT_ESCALATION_URLS / SENTRY_DSN"
    return Channels(urls, escalation=escalation, sender="SISPAT", what=what)


def addresses(settings: Settings) -> list[str]:
    """Of every channel but those of the escalation."""
    given = (settings.webhook_url, settings.notify_urls)
    found = [address for each in given if each is not None for address in each.get_secret_value().split()]
    return [*found, *([f"sentry+{settings.sentry_dsn.get_secret_value()}"] if settings.sentry_dsn else [])]
