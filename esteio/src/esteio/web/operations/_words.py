"""The page's words, in Portuguese and English, and how numbers and times are written in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from esteio.health import Status
from esteio.health.series import State
from esteio.web.operations._alert_words import ENGLISH, PORTUGUESE

__all__ = ["LANGUAGES", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """`texts` by key; `decimal` is the mark in numbers, `moment` how strftime writes a time."""

    tag: str
    decimal: str
    moment: str
    texts: dict[str, str]
    statuses: dict[Status, str]
    states: dict[State, str]

    def __getitem__(self, key: str) -> str:
        return self.texts[key]

    def number(self, value: float | None, digits: int = 0, unit: str = "") -> str:
        """With its unit; a dash where there is none."""
        if value is None:
            return "–"
        written = f"{value:,.{digits}f}"
        if self.decimal == ",":
            written = written.translate(str.maketrans(",.", ".,"))
        return f"{written} {unit}" if unit else written

    def span(self, seconds: float | None) -> str:
        """A time between two moments, in the unit that suits it."""
        if seconds is None:
            return "–"
        for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
            if seconds >= 2 * size:
                return self.number(seconds / size, 0 if seconds >= 10 * size else 1, unit)
        return self.number(max(0.0, seconds), 0 if seconds >= 1 else 1, "s")

    def at(self, moment: float, zone: ZoneInfo) -> str:
        """A moment, Unix seconds, as clocks of `zone` show it."""
        return datetime.fromtimestamp(moment, zone).strftime(self.moment)


_PT = Words(
    "pt-BR", ",", "%d/%m/%Y %H:%M",
    {
        "title": "Operação",
        "skip": "Ir para o conteúdo",
        "well": "Tudo funciona.",
        "warn": "Funciona, mas precisa de atenção: {causes}.",
        "fail": "Não funciona: {causes}.",
        "closed": "Fechado para manutenção.",
        "unknown": "Não se sabe: {causes}.",
        "seen": "Visto há {age}; a página se atualiza sozinha.",
        "unwatched": "Ninguém observa desde {since}: o histórico está parado.",
        "never": "Ainda não há histórico.",
        "off": "O histórico está desligado.",
        "services": "Serviços",
        "service": "Serviço",
        "whole": "O serviço inteiro",
        "state": "Estado",
        "since": "desde {moment}",
        "availability": "Disponível, em {window}",
        "strip": "{name}, {window}: {share} disponível; {outages} interrupções, {down} fora; {unknown} sem observação",
        "window": "Período",
        "requests": "Pedidos",
        "rate": "Pedidos por segundo",
        "errors": "Erros (5xx), em %",
        "latency": "Tempo de resposta, em ms",
        "median": "metade até",
        "p95": "95 % até",
        "p99": "99 % até",
        "chart": "{title}, {window}: por último {last}, no máximo {most}",
        "nothing": "Nada foi medido neste período.",
        "routes": "Rotas que mais tempo tomam",
        "route": "Rota",
        "count": "Pedidos",
        "failed": "5xx",
        "cancelled": "Desistências",
        "circuits": "Circuitos",
        "circuit": "Circuito",
        "circuit_workers": "Processos em cada estado",
        "limits": "Limites",
        "limit": "Limite",
        "allowed": "Permitidos",
        "denied": "Negados",
        "degraded": "Sem o armazenamento",
        "pool": "Conexões com o banco",
        "database": "Banco",
        "in_use": "Em uso",
        "idle": "Livres",
        "waiting": "Esperam",
        "most": "No máximo",
        "timeouts": "Esperaram em vão",
        "lost": "Perdidas",
        "workers": "Processos",
        "worker": "Processo",
        "pid": "PID",
        "uptime": "Vive há",
        "active": "Respondendo",
        "memory": "Memória",
        "cpu": "Processador",
        "lag": "Atraso do laço",
        "silent": "Sem notícia há",
        "statements": "Comandos que mais tempo tomam",
        "statement": "Comando",
        "times": "Vezes",
        "mean": "Média",
        "total": "Total",
        "backups": "Cópias de segurança",
        "what": "O quê",
        "when": "Quando",
        "which": "Qual",
        "newest": "Mais nova",
        "proven": "Provada por restauração",
        "restore": "A restauração durou",
        "behind": "Log ainda não guardado",
        "ago": "há {age}",
        "no_backups": "Ninguém diz nada das cópias.",
        "elsewhere": "Outra máquina as faz.",
        "none": "Não há.",
        "circuit_closed": "fechado: as chamadas passam",
        "circuit_open": "aberto: nada passa",
        "circuit_half-open": "meio aberto: à prova",
        "circuit_forced open": "isolado por uma pessoa",
        "circuit_disabled": "desligado",
        "circuit_metrics only": "só conta",
        "circuit_unknown": "não se sabe",
        "order_isolate": "Isolar",
        "order_reset": "Restabelecer",
        "orders": "Ações",
        "order_label": "{order} o circuito {name}",
        "history": "Últimas mudanças",
        "marks": "Acontecimentos",
        "mark_start": "O serviço começou",
        "mark_roll": "{name} processos trocados em ordem",
        "mark_kill": "{name} processos mortos",
        "mark_circuit": "Circuito {name}: {state}",
        "mark_service": "Morreu e foi reiniciado: {name}",
        "mark_version": "Nova versão: {name}",
        "mark_setting": "Configuração mudada: {name}",
        "no_marks": "Nada aconteceu neste período.",
        "denied_keys": "Mais negados",
        "denied_keys_note": "Cada chave (endereço, pessoa) aparece embaralhada: a mesma até o próximo início do serviço.",
        "key": "Chave",
        "host": "Máquina, réplicas e arquivo do log",
        "value": "Agora",
        "host.cpu": "Processador",
        "host.memory": "Memória em uso",
        "host.swap": "Swap em uso",
        "host.load": "Carga por processador",
        "days left": "{name}: dias até encher",
        "lag_of": "Atraso de {name}",
        "waits": "Log à espera de {name}",
        "no_host": "Nada foi medido nos últimos minutos.",
        "window_reach": "Restaurável",
        "reach": "de {begin} a {end}",
        **PORTUGUESE,
    },
    {Status.PASS: "bem", Status.WARN: "atenção", Status.FAIL: "falha", Status.UNKNOWN: "não se sabe"},
    {
        State.UP: "no ar", State.DEGRADED: "com ressalvas", State.DOWN: "fora do ar", State.MAINTENANCE: "manutenção",
        State.UNKNOWN: "não se sabe",
    },
)  # fmt: skip

_EN = Words(
    "en", ".", "%Y-%m-%d %H:%M",
    {
        "title": "Operations",
        "skip": "Skip to content",
        "well": "Everything works.",
        "warn": "It works, but needs attention: {causes}.",
        "fail": "It does not work: {causes}.",
        "closed": "Closed for maintenance.",
        "unknown": "Nobody knows: {causes}.",
        "seen": "Seen {age} ago; the page renews itself.",
        "unwatched": "Nobody has watched since {since}: the history stands still.",
        "never": "There is no history yet.",
        "off": "The history is turned off.",
        "services": "Services",
        "service": "Service",
        "whole": "The whole service",
        "state": "State",
        "since": "since {moment}",
        "availability": "Available, {window}",
        "strip": "{name}, {window}: {share} available; {outages} outages, {down} down; {unknown} not observed",
        "window": "Window",
        "requests": "Requests",
        "rate": "Requests a second",
        "errors": "Errors (5xx), %",
        "latency": "Response time, ms",
        "median": "half within",
        "p95": "95 % within",
        "p99": "99 % within",
        "chart": "{title}, {window}: last {last}, at most {most}",
        "nothing": "Nothing was measured in this window.",
        "routes": "Routes that take the most time",
        "route": "Route",
        "count": "Requests",
        "failed": "5xx",
        "cancelled": "Cancelled",
        "circuits": "Circuits",
        "circuit": "Circuit",
        "circuit_workers": "Workers in each state",
        "limits": "Limits",
        "limit": "Limit",
        "allowed": "Allowed",
        "denied": "Denied",
        "degraded": "Without the store",
        "pool": "Database connections",
        "database": "Database",
        "in_use": "In use",
        "idle": "Idle",
        "waiting": "Waiting",
        "most": "At most",
        "timeouts": "Waited in vain",
        "lost": "Lost",
        "workers": "Workers",
        "worker": "Worker",
        "pid": "PID",
        "uptime": "Up for",
        "active": "Answering",
        "memory": "Memory",
        "cpu": "Processor",
        "lag": "Loop lag",
        "silent": "Silent for",
        "statements": "Statements that take the most time",
        "statement": "Statement",
        "times": "Times",
        "mean": "Mean",
        "total": "Total",
        "backups": "Backups",
        "what": "What",
        "when": "When",
        "which": "Which",
        "newest": "Newest",
        "proven": "Proven by a restore",
        "restore": "The restore took",
        "behind": "Log not archived yet",
        "ago": "{age} ago",
        "no_backups": "Nobody says anything of the backups.",
        "elsewhere": "Another machine makes them.",
        "none": "There are none.",
        "circuit_closed": "closed: calls pass",
        "circuit_open": "open: nothing passes",
        "circuit_half-open": "half-open: on trial",
        "circuit_forced open": "isolated by a person",
        "circuit_disabled": "disabled",
        "circuit_metrics only": "counts only",
        "circuit_unknown": "unknown",
        "order_isolate": "Isolate",
        "order_reset": "Reset",
        "orders": "Orders",
        "order_label": "{order} the circuit {name}",
        "history": "Last changes",
        "marks": "What happened",
        "mark_start": "The service began",
        "mark_roll": "{name} processes replaced in order",
        "mark_kill": "{name} processes killed",
        "mark_circuit": "Circuit {name}: {state}",
        "mark_service": "Died and was restarted: {name}",
        "mark_version": "New version: {name}",
        "mark_setting": "Setting changed: {name}",
        "no_marks": "Nothing happened in this window.",
        "denied_keys": "Denied most",
        "denied_keys_note": "Each key (address, person) is shown hashed: the same one until the service is started anew.",
        "key": "Key",
        "host": "Machine, replicas and log archive",
        "value": "Now",
        "host.cpu": "Processor",
        "host.memory": "Memory in use",
        "host.swap": "Swap in use",
        "host.load": "Load for each processor",
        "days left": "{name}: days until it is full",
        "lag_of": "{name} is behind by",
        "waits": "Log that waits for {name}",
        "no_host": "Nothing was measured in the last minutes.",
        "window_reach": "Restorable",
        "reach": "from {begin} to {end}",
        **ENGLISH,
    },
    {Status.PASS: "well", Status.WARN: "attention", Status.FAIL: "failure", Status.UNKNOWN: "unknown"},
    {
        State.UP: "up", State.DEGRADED: "degraded", State.DOWN: "down", State.MAINTENANCE: "maintenance",
        State.UNKNOWN: "unknown",
    },
)  # fmt: skip

LANGUAGES = {"pt-BR": _PT, "en": _EN}
