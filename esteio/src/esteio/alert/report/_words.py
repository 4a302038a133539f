"""The report's words, in Portuguese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from esteio.health.series import State

__all__ = ["REPORT_WORDS", "ReportWords"]


@dataclass(frozen=True, slots=True)
class ReportWords:
    """`texts` by key, `months` from January on."""

    tag: str
    decimal: str
    month: str
    """How a month is written, of its `name` and `year`."""
    months: tuple[str, ...]
    states: Mapping[State, str]
    marks: Mapping[str, str]
    texts: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.texts[key]

    def number(self, value: float, digits: int = 0, unit: str = "") -> str:
        """With its unit, thousands apart."""
        written = f"{value:,.{digits}f}"
        if self.decimal == ",":
            written = written.translate(str.maketrans(",.", ".,"))
        return f"{written} {unit}" if unit else written


_PT = ReportWords(
    "pt-BR",
    ",",
    "{name} de {year}",
    (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
        "dezembro",
    ),
    {
        State.UP: "no ar", State.DEGRADED: "com ressalvas", State.DOWN: "fora do ar", State.MAINTENANCE: "em manutenção",
        State.UNKNOWN: "sem observação",
    },
    {
        "start": "O serviço começou", "roll": "Processos trocados em ordem: {name}", "kill": "Processos mortos: {name}",
        "circuit": "Circuito {name}: {detail}", "service": "Morreu e foi reiniciado: {name}",
        "version": "Nova versão: {name}", "setting": "Configuração mudada: {name}",
    },
    {
        "title": "Relatório mensal: {month}",
        "made": "Do início do mês até {moment}.",
        "partial": "O mês ainda não terminou: até {moment}.",
        "availability": "Disponibilidade",
        "available": "Do tempo observado, fora de manutenção, o serviço esteve {share} no ar.",
        "nothing": "Ninguém observou o serviço neste mês.",
        "unknown": "Em {duration} ({share} do mês) ninguém observou: esse tempo não conta nem a favor nem contra.",
        "state": "Estado",
        "time": "Tempo",
        "share": "Parte do mês",
        "checks": "O que foi verificado",
        "check": "Verificação",
        "up": "No ar",
        "down": "Fora do ar",
        "unseen": "Sem observação",
        "budget": "Margem de falhas",
        "objective": "Objetivo",
        "counted": "Contado",
        "bad": "Falhas",
        "allowed": "Permitido",
        "left": "Resta",
        "objective_availability": "{target} dos pedidos sem erro",
        "objective_latency": "{target} dos pedidos em até 1 s",
        "objective_time": "{target} do tempo observado no ar",
        "incidents": "Incidentes",
        "no_incidents": "Nenhum incidente.",
        "reliability": "{count} terminados: duração média (MTTR) {mttr}; tempo no ar para cada um (MTBF) {mtbf}; vistos em "
        "média {detection} depois do primeiro sinal.",
        "began": "Início",
        "lasted": "Duração",
        "open": "em curso",
        "cause": "Causa provável",
        "seen_by": "Visto por",
        "delay": "Visto depois de",
        "evidence": "Indícios",
        "in_maintenance": "em manutenção",
        "maintenance": "Manutenções",
        "no_maintenance": "Nenhuma.",
        "ended": "Fim",
        "why": "Motivo",
        "backups": "Cópias de segurança",
        "no_backups": "Não se sabe de nenhuma cópia.",
        "proven": "{made} feitas, {proven} provadas por restauração.",
        "backup": "Cópia",
        "kind": "Tipo",
        "size": "Tamanho",
        "proof": "Provada em",
        "restore": "A restauração durou",
        "unproven": "sem prova",
        "unsound": "a prova falhou",
        "marks": "Publicações e mudanças",
        "no_marks": "Nenhuma.",
        "forgotten": "Disto só se guardam os últimos 90 dias.",
        "when": "Quando",
        "what": "O quê",
        "more": "e mais {more}",
        "page": "Página",
    },
)  # fmt: skip

_EN = ReportWords(
    "en",
    ".",
    "{name} {year}",
    (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    {
        State.UP: "up", State.DEGRADED: "degraded", State.DOWN: "down", State.MAINTENANCE: "maintenance",
        State.UNKNOWN: "not observed",
    },
    {
        "start": "The service began", "roll": "Processes replaced in order: {name}", "kill": "Processes killed: {name}",
        "circuit": "Circuit {name}: {detail}", "service": "Died and was restarted: {name}",
        "version": "New version: {name}", "setting": "Setting changed: {name}",
    },
    {
        "title": "Monthly report: {month}",
        "made": "From the beginning of the month to {moment}.",
        "partial": "The month is not over: until {moment}.",
        "availability": "Availability",
        "available": "Of the observed time outside of maintenance the service was up for {share}.",
        "nothing": "Nobody observed the service in this month.",
        "unknown": "For {duration} ({share} of the month) nobody observed it: that time counts neither for nor against it.",
        "state": "State",
        "time": "Time",
        "share": "Share of the month",
        "checks": "What was checked",
        "check": "Check",
        "up": "Up",
        "down": "Down",
        "unseen": "Not observed",
        "budget": "Error budget",
        "objective": "Objective",
        "counted": "Counted",
        "bad": "Bad",
        "allowed": "Allowed",
        "left": "Left",
        "objective_availability": "{target} of the requests without an error",
        "objective_latency": "{target} of the requests within 1 s",
        "objective_time": "{target} of the observed time up",
        "incidents": "Incidents",
        "no_incidents": "No incident.",
        "reliability": "{count} ended: mean duration (MTTR) {mttr}; time up for each (MTBF) {mtbf}; seen on average "
        "{detection} after the first sign.",
        "began": "Began",
        "lasted": "Lasted",
        "open": "goes on",
        "cause": "Likeliest cause",
        "seen_by": "Seen by",
        "delay": "Seen after",
        "evidence": "Evidence",
        "in_maintenance": "in maintenance",
        "maintenance": "Maintenance",
        "no_maintenance": "None.",
        "ended": "Ended",
        "why": "Reason",
        "backups": "Backups",
        "no_backups": "No backup is known.",
        "proven": "{made} made, {proven} proven by a restore.",
        "backup": "Backup",
        "kind": "Kind",
        "size": "Size",
        "proof": "Proven at",
        "restore": "The restore took",
        "unproven": "not proven",
        "unsound": "the proof failed",
        "marks": "Deploys and changes",
        "no_marks": "None.",
        "forgotten": "Of this only the last 90 days are kept.",
        "when": "When",
        "what": "What",
        "more": "and {more} more",
        "page": "Page",
    },
)  # fmt: skip

REPORT_WORDS: Mapping[str, ReportWords] = {"pt-BR": _PT, "en": _EN}
"""By language."""
