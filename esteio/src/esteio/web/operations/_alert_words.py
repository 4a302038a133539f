"""The words of the page's part on alerts, in Portuguese and English."""

from __future__ import annotations

from collections.abc import Mapping

from esteio.alert.incidents import CAUSE_WORDS, SOURCE_WORDS

__all__ = ["ENGLISH", "PORTUGUESE"]


def _named(language: str) -> Mapping[str, str]:
    """Causes and sources of incidents."""
    causes = {f"cause_{code}": said for code, said in CAUSE_WORDS[language].items()}
    return causes | {f"source_{source}": said for source, said in SOURCE_WORDS[language].items()}


PORTUGUESE: Mapping[str, str] = {
    **_named("pt-BR"),
    "alerts": "Alertas e incidentes",
    "firing": "Alertas em aberto",
    "alert": "Alerta",
    "calm": "Nenhum alerta.",
    "never_decided": "Ninguém decide ainda se há alertas.",
    "undecided": "Ninguém decide se há alertas desde {since}.",
    "evidence": "Indícios",
    "acknowledged": "assumido por {by}",
    "told": "avisado",
    "untold": "aberto",
    "held_inhibited": "explicado por outro",
    "held_silenced": "em silêncio",
    "held_maintenance": "em manutenção",
    "held_quiet": "espera a manhã",
    "held_settling": "aguarda confirmação",
    "acknowledge": "Assumir",
    "silence": "Silenciar",
    "silence_for": "Por quanto tempo silenciar: {name}",
    "alert_order": "{order}: {name}",
    "silences": "Silêncios",
    "until": "Até",
    "by": "Quem",
    "why": "Por quê",
    "end_silence": "Encerrar",
    "budget": "Margem de falhas de 30 dias",
    "objective": "Objetivo",
    "left": "Resta",
    "unseen": "não se sabe",
    "burn": "Gasto em {window}",
    "objective_availability": "{target} dos pedidos sem erro",
    "objective_latency": "{target} dos pedidos em até 1 s",
    "incidents": "Incidentes de 90 dias",
    "no_incidents": "Nenhum incidente.",
    "cause": "Causa provável",
    "seen_by": "Visto por",
    "delay": "Demora até ser visto",
    "goes_on": "em curso há {duration}",
    "lasted": "durou {duration}",
    "in_maintenance": "em manutenção",
    "more": "e mais {more}",
    "absent": "nada se sabe de: {title}",
    "report": "Relatório mensal",
    "no_month": "Informe um mês que já começou, como ?month=2026-11.",
    "no_pdf": "O PDF não pôde ser feito agora; a página tem o mesmo, e o navegador a imprime.",
}

ENGLISH: Mapping[str, str] = {
    **_named("en"),
    "alerts": "Alerts and incidents",
    "firing": "Alerts that fire",
    "alert": "Alert",
    "calm": "No alert fires.",
    "never_decided": "Nobody decides yet whether there are alerts.",
    "undecided": "Nobody has decided whether there are alerts since {since}.",
    "evidence": "Evidence",
    "acknowledged": "acknowledged by {by}",
    "told": "told",
    "untold": "open",
    "held_inhibited": "explained by another one",
    "held_silenced": "silenced",
    "held_maintenance": "in maintenance",
    "held_quiet": "waits for the morning",
    "held_settling": "waits to be confirmed",
    "acknowledge": "Acknowledge",
    "silence": "Silence",
    "silence_for": "For how long to silence: {name}",
    "alert_order": "{order}: {name}",
    "silences": "Silences",
    "until": "Until",
    "by": "By",
    "why": "Why",
    "end_silence": "End",
    "budget": "Error budget of 30 days",
    "objective": "Objective",
    "left": "Left",
    "unseen": "unknown",
    "burn": "Burn in {window}",
    "objective_availability": "{target} of the requests without an error",
    "objective_latency": "{target} of the requests within 1 s",
    "incidents": "Incidents of 90 days",
    "no_incidents": "No incident.",
    "cause": "Likeliest cause",
    "seen_by": "Seen by",
    "delay": "Until it was seen",
    "goes_on": "going on for {duration}",
    "lasted": "lasted {duration}",
    "in_maintenance": "in maintenance",
    "more": "and {more} more",
    "absent": "nothing is known of: {title}",
    "report": "Monthly report",
    "no_month": "Give a month that has begun, such as ?month=2026-11.",
    "no_pdf": "The PDF could not be made now; the page has the same, and the browser prints it.",
}
