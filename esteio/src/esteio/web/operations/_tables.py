"""The page's tables: what all workers together say of routes, circuits, limits, the pool, statements, themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple
from zoneinfo import ZoneInfo

from esteio.health.series import CANCELLED, HTTP, Family, Latency, Mark
from esteio.web._health_metrics import circuits
from esteio.web.operations._facts import Facts
from esteio.web.operations._words import Words

__all__ = [
    "Orders",
    "circuit_table",
    "host_table",
    "limit_table",
    "mark_table",
    "mark_text",
    "pool_table",
    "route_table",
    "statement_table",
    "table",
    "worker_table",
]

_MOST_ROWS = 15
_MOST_CHANGES = 5

Row = Sequence[str]


class Orders(NamedTuple):
    """Below which address the forms of buttons lead, and what a form of ours carries so that no other site can send it."""

    path: str
    token: str


def table(caption: str, heads: Row, rows: Iterable[Row], none: str) -> str:
    """The first column heads its row; cells are HTML. `none` is said in place of an empty table."""
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    if not body:
        return f"<p>{escape(none)}</p>"
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    # A table that is wider than the screen is scrolled by itself, also with the keyboard.
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f'<caption class="hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def route_table(facts: Facts, words: Words) -> str:
    """Routes since the start of the service, those first that took the most time in all."""
    routes: dict[tuple[str, str], dict[str, Latency]] = {}
    for key, latency in facts.reading.series.items():
        if key.kind == HTTP:
            routes.setdefault((key.method, key.route), {})[key.outcome] = latency
    by_time = sorted(routes.items(), key=lambda route: -sum(each.seconds for each in route[1].values()))
    rows = []
    for (method, route), outcomes in by_time[:_MOST_ROWS]:
        together = Latency(
            sum(each.seconds for each in outcomes.values()),
            [sum(buckets) for buckets in zip(*(each.buckets for each in outcomes.values()), strict=True)],
        )
        failed, cancelled = (outcomes[name].count if name in outcomes else 0 for name in ("5xx", CANCELLED))
        quantiles = [words.number(1000 * (together.quantile(part) or 0), 1, "ms") for part in (0.5, 0.95, 0.99)]
        rows.append(
            [
                f"<code>{escape(method)} {escape(route)}</code>", words.number(together.count), words.number(failed),
                words.number(cancelled), *quantiles,
            ]
        )  # fmt: skip
    heads = [words[key] for key in ("route", "count", "failed", "cancelled", "median", "p95", "p99")]
    return table(words["routes"], heads, rows, words["nothing"])


def circuit_table(facts: Facts, words: Words, zone: ZoneInfo, orders: Orders | None = None) -> str:
    """The state of each circuit and its last changes; with `orders`, buttons."""
    rows = [
        [
            f"<code>{escape(name)}</code>", escape(words[f"circuit_{worst}"]),
            escape(", ".join(f"{state}: {workers}" for state, workers in circuit["workers"].items())),
            _changes(facts, words, zone, name), *([_buttons(words, orders, name)] if orders is not None else ()),
        ]
        for name, circuit in circuits(facts.reading.families).items()
        for worst in [circuit["state"].lower().replace("_", "-" if circuit["state"] == "HALF_OPEN" else " ")]
    ]  # fmt: skip
    heads = [words[key] for key in ("circuit", "state", "circuit_workers", "history")]
    return table(words["circuits"], [*heads, *([words["orders"]] if orders is not None else ())], rows, words["none"])


def _changes(facts: Facts, words: Words, zone: ZoneInfo, name: str) -> str:
    found = [mark for mark in facts.marks if mark.kind == "circuit" and mark.name == name][-_MOST_CHANGES:]
    return "".join(
        f"<small>{escape(words.at(mark.at, zone))} {escape(words[f'circuit_{mark.detail}'])}</small>"
        for mark in reversed(found)
    )


def _buttons(words: Words, orders: Orders, name: str) -> str:
    pressed = "".join(
        f'<button name="order" value="{order}" aria-label="{escape(words["order_label"].format(order=said, name=name))}">'
        f"{escape(said)}</button>"
        for order in ("isolate", "reset")
        for said in [words[f"order_{order}"]]
    )
    return (
        f'<form class="orders" method="post" action="{escape(orders.path)}/circuits">'
        f'<input type="hidden" name="circuit" value="{escape(name)}">'
        f'<input type="hidden" name="token" value="{escape(orders.token)}">{pressed}</form>'
    )


def mark_table(facts: Facts, words: Words, zone: ZoneInfo, since: float) -> str:
    """What happened, the newest first."""
    shown = [mark for mark in facts.marks if mark.at >= since][-_MOST_ROWS:]
    rows = [[escape(words.at(mark.at, zone)), escape(mark_text(mark, words))] for mark in reversed(shown)]
    return table(words["marks"], [words["when"], words["what"]], rows, words["no_marks"])


def mark_text(mark: Mark, words: Words) -> str:
    """In words."""
    state = words[f"circuit_{mark.detail}"] if mark.kind == "circuit" else ""
    return words[f"mark_{mark.kind}"].format(name=mark.name, state=state)


def limit_table(facts: Facts, words: Words) -> str:
    """What each limit decided since the start of the service."""
    decided = _by_label(facts.reading.families, "esteio_limit_decisions", "rule", "decision")
    rows = [
        [
            f"<code>{escape(rule)}</code>",
            *(words.number(values.get(name)) for name in ("allowed", "denied", "degraded")),
        ]
        for rule, values in sorted(decided.items())
    ]
    heads = [words[key] for key in ("limit", "allowed", "denied", "degraded")]
    return table(words["limits"], heads, rows, words["none"]) + _denied_keys(facts, words)


def _denied_keys(facts: Facts, words: Words) -> str:
    """Who was denied the most, without saying who that is."""
    denied = _by_label(facts.reading.families, "esteio_limit_denied_keys", "rule", "key")
    found = sorted(((count, rule, key) for rule, keys in denied.items() for key, count in keys.items()), reverse=True)
    rows = [[f"<code>{escape(key)}</code>", f"<code>{escape(rule)}</code>", words.number(n)] for n, rule, key in found]
    if not rows:
        return ""
    heads = [words[key] for key in ("key", "limit", "denied")]
    shown = table(words["denied_keys"], heads, rows[:_MOST_ROWS], words["none"])
    return f"<h3>{escape(words['denied_keys'])}</h3><p>{escape(words['denied_keys_note'])}</p>{shown}"


def pool_table(facts: Facts, words: Words) -> str:
    """The pools of all workers together."""
    shown = ("in_use", "idle", "waiting", "max_size", "timeouts", "lost")
    pools: dict[str, dict[str, float]] = {}
    for family in facts.reading.families:
        name = family.name.removeprefix("esteio_postgres_")
        if name in shown:
            for (_, labels), value in family.samples.items():
                pools.setdefault(dict(labels)["database"], {})[name] = value
    rows = [
        [f"<code>{escape(pool)}</code>", *(words.number(values.get(name)) for name in shown)]
        for pool, values in sorted(pools.items())
    ]
    heads = [words[key] for key in ("database", "in_use", "idle", "waiting", "most", "timeouts", "lost")]
    return table(words["pool"], heads, rows, words["none"])


def statement_table(facts: Facts, words: Words) -> str:
    """Statements since the start of the service, those first that took the most time in all."""
    found: dict[str, dict[str, float]] = {}
    texts: dict[str, str] = {}
    for family in facts.reading.families:
        for (name, labels), value in family.samples.items():
            label = dict(labels)
            if family.name == "esteio_postgres_statement_seconds" and name.endswith(("_sum", "_count")):
                found.setdefault(label["fingerprint"], {})[name.rpartition("_")[2]] = value
            elif family.name == "esteio_postgres_statement_text":
                texts[label["fingerprint"]] = label["text"]
    by_time = sorted(found.items(), key=lambda each: -each[1].get("sum", 0.0))
    rows = [
        [
            f"<code>{escape(texts.get(fingerprint, fingerprint))}</code>", words.number(values.get("count")),
            words.number(1000 * values.get("sum", 0.0) / max(1.0, values.get("count", 0.0)), 1, "ms"),
            words.span(values.get("sum")),
        ]
        for fingerprint, values in by_time[:_MOST_ROWS]
    ]  # fmt: skip
    heads = [words[key] for key in ("statement", "times", "mean", "total")]
    return table(words["statements"], heads, rows, words["none"])


def worker_table(facts: Facts, words: Words) -> str:
    """Each process."""
    rows = [
        [
            str(worker.slot), str(worker.pid), words.span(facts.now - worker.started), words.number(worker.active),
            words.number(worker.memory / 1e6, 0, "MB"), words.number(worker.cpu_percent, 0, "%"),
            words.number(1000 * worker.lag, 0, "ms"), words.span(facts.now - worker.updated),
        ]
        for worker in facts.reading.workers
    ]  # fmt: skip
    heads = [words[key] for key in ("worker", "pid", "uptime", "active", "memory", "cpu", "lag", "silent")]
    return table(words["workers"], heads, rows, words["none"])


_HOST_UNITS = {"host.cpu": (0, "%"), "host.memory": (0, "%"), "host.swap": (0, "%"), "host.load": (2, "")}
_LAG, _DAYS, _CLOCK, _TLS = "replication:lag", "days left", "clock:offset", "tls:certificate"


def host_table(facts: Facts, words: Words, names: Mapping[str, str]) -> str:
    """What whoever watches the host measured last: the machine, who is how far behind, what will be full when."""
    latest = {name: point.average for name, point in facts.latest.items()}
    rows = [
        [escape(words[name]), words.number(latest[name], digits, unit)]
        for name, (digits, unit) in _HOST_UNITS.items() if name in latest
    ]  # fmt: skip
    for name, value in sorted(latest.items()):
        check, _, part = name.partition("/")
        if part == _DAYS:
            rows.append([escape(words[_DAYS].format(name=names.get(check, check))), words.number(value, 1)])
        elif check == _LAG and part:
            rows.append(
                [f"<code>{escape(words['lag_of'].format(name=part))}</code>", words.number(value / 1e6, 1, "MB")]
            )
        elif check == _CLOCK:
            rows.append([escape(names.get(check, check)), words.number(value, 2, "s")])
        elif check == _TLS:
            rows.append([escape(names.get(check, check)), words.number(value, 0, "d")])
    return table(words["host"], [words["what"], words["value"]], rows, words["no_host"])


def _by_label(families: Iterable[Family], name: str, outer: str, inner: str) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for family in families:
        if family.name == name:
            for (sample, labels), value in family.samples.items():
                label = dict(labels)
                if not sample.endswith("_created"):
                    found.setdefault(label[outer], {})[label[inner]] = value
    return found
