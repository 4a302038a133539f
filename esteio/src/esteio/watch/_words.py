"""What is said to people, in English and Portuguese. Pure."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace

from esteio.alert import NoticeWords
from esteio.alert.monitor import ALERT_ENGLISH, AlertWords
from esteio.alert.rules import Kind

__all__ = ["WORDS", "WatchWords", "alert_words"]


@dataclass(frozen=True, slots=True)
class WatchWords:
    """Texts of notices and of the page; names in braces are filled in."""

    alerts: AlertWords
    down: str = "{title} does not work"
    degraded: str = "{title} works, but not well"
    missing: str = "{title} did not report in time, or failed"
    silent: str = "{title} does not answer"
    isolated: str = "this watcher is isolated and knows nothing of the others"
    heading: str = "What is watched"
    all_up: str = "Everything works."
    some_down: str = "{count} of {all} do not work: {names}."
    all_unknown: str = "Nobody knows: nothing was looked at yet."
    some_unknown: str = "Of {names} nobody knows; all else works."
    cut_off: str = "This watcher is isolated: what it cannot reach is unknown."
    columns: tuple[str, str, str, str, str] = ("What", "State", "Since", "Last seen working", "Available")
    never: str = "never"
    now: str = "now"
    windows: tuple[str, str] = ("24 h", "90 days")
    strip: str = "{name}, last 90 days, one bar a day: {down} down, {unknown} not observed"
    kinds: tuple[tuple[str, str], ...] = (
        ("probes", "Services"), ("heartbeat", "Jobs that report"), ("watcher", "Other watchers"),
    )  # fmt: skip
    seen: str = "Seen by {name} at {moment}."
    observed: str = " of {length}"
    until: str = " until {moment}"


_PORTUGUESE = WatchWords(
    alerts=AlertWords(
        kinds={
            Kind.OPENED: "PROBLEMA",
            Kind.RECOVERED: "Voltou ao normal",
            Kind.REPEATED: "AINDA há um problema",
            Kind.ESCALATED: "NINGUÉM assumiu",
        },
        many="{kind}: {title}, e mais {more}",
        line="{title} ({name}), desde {since}",
        lasted=", por {duration}",
        absent="nada se sabe de: {title}",
        more="e mais {more}",
        seen="Visto por {host}, {at}.",
        todo="Veja a página do vigia, em {names}.",
        notice=NoticeWords(
            test="Isto é um teste", test_body="Enviado por {host}, {at}, para ver se os avisos chegam.",
            decimal=",", days="{amount} dias", moment="%d/%m/%Y %H:%M",
        ),
    ),
    down="{title} não funciona",
    degraded="{title} funciona, mas mal",
    missing="{title} não deu notícia a tempo, ou falhou",
    silent="{title} não responde",
    isolated="este vigia está isolado e nada sabe dos outros",
    heading="O que é vigiado",
    all_up="Tudo funciona.",
    some_down="{count} de {all} não funcionam: {names}.",
    all_unknown="Não se sabe: nada foi visto ainda.",
    some_unknown="De {names} nada se sabe; o resto funciona.",
    cut_off="Este vigia está isolado: do que ele não alcança nada se sabe.",
    columns=("O quê", "Estado", "Desde", "Visto funcionando", "Disponível"),
    never="nunca",
    now="agora",
    windows=("24 h", "90 dias"),
    strip="{name}, últimos 90 dias, um traço por dia: {down} fora, {unknown} sem observação",
    kinds=(("probes", "Serviços"), ("heartbeat", "Tarefas que dão notícia"), ("watcher", "Outros vigias")),
    seen="Visto por {name} em {moment}.",
    observed=" de {length}",
    until=" até {moment}",
)  # fmt: skip
_ENGLISH = WatchWords(
    alerts=replace(ALERT_ENGLISH, seen="Seen by {host}, {at}.", todo="Look at the watcher's page, under {names}.")
)
WORDS = {"pt-BR": _PORTUGUESE, "en": _ENGLISH}


def alert_words(words: WatchWords, watcher: str, timezone: str) -> AlertWords:
    """Those of notices, with the name of the watcher and its timezone."""
    host = f"{watcher} ({socket.gethostname()})"
    return replace(words.alerts, host=lambda: host, notice=replace(words.alerts.notice, timezone=timezone))
