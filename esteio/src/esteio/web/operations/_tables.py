"""The page's tables: what all workers together say of routes, circuits, limits, the pool, statements, themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from esteio.health.series import CANCELLED, HTTP, Family, Latency
from esteio.web._health_metrics import circuits
from esteio.web.operations._facts import Facts
from esteio.web.operations._words import Words

__all__ = ["circuit_table", "limit_table", "pool_table", "route_table", "statement_table", "table", "worker_table"]

_MOST_ROWS = 15

Row = Sequence[str]


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


def circuit_table(facts: Facts, words: Words) -> str:
    """The state of each circuit."""
    rows = [
        [
            f"<code>{escape(name)}</code>", escape(circuit["state"]),
            escape(", ".join(f"{state}: {workers}" for state, workers in circuit["workers"].items())),
        ]
        for name, circuit in circuits(facts.reading.families).items()
    ]  # fmt: skip
    heads = [words[key] for key in ("circuit", "state", "circuit_workers")]
    return table(words["circuits"], heads, rows, words["none"])


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
    return table(words["limits"], heads, rows, words["none"])


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


def _by_label(families: Iterable[Family], name: str, outer: str, inner: str) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for family in families:
        if family.name == name:
            for (sample, labels), value in family.samples.items():
                label = dict(labels)
                if not sample.endswith("_created"):
                    found.setdefault(label[outer], {})[label[inner]] = value
    return found
