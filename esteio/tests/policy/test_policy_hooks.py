"""Events reach logs, Prometheus, OpenTelemetry and Sentry, each imported only by who uses it."""

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from esteio import CircuitBreaker, CircuitOpen, Fallback, Pipeline, Registry, Retry
from esteio.policy.hooks.logs import log_policies
from esteio.testing import ManualClock, flaky


def exercise(registry: Registry | None = None) -> Pipeline:
    """A recovery, an exhaustion, an opening, a rejection."""
    policies = (Retry(2, 1.0, idempotent=True, jitter="none"), CircuitBreaker(failures=3, jitter=0))
    pipe = Pipeline("viacep", *policies, clock=ManualClock(), registry=registry)
    pipe.call(flaky(OSError("one"), "ok"))
    with pytest.raises(OSError, match="two"):
        pipe.call(flaky(OSError("two")))
    with pytest.raises(OSError, match="three"):
        pipe.call(flaky(OSError("three")))
    with pytest.raises(CircuitOpen):
        pipe.call(flaky("never"))
    return pipe


def test_each_attempt_the_exhaustion_the_recovery_and_the_circuit_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    end = log_policies()
    try:
        with caplog.at_level(logging.DEBUG, "esteio.policy"):
            exercise()
            Pipeline("cep", Fallback("x"), registry=None).call(flaky(OSError("four")))
    finally:
        end()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "viacep: attempt 1 of 2 failed (OSError('one')), next one in 1.00 s"),
        ("INFO", "viacep: recovered at attempt 2 after 1.00 s"),
        ("WARNING", "viacep: attempt 1 of 2 failed (OSError('two')), next one in 1.00 s"),
        ("ERROR", "viacep: gave up after 2 attempts in 1.00 s (attempts): OSError('two')"),
        ("WARNING", "viacep: circuit closed -> open: 3 failures in a row"),
        ("ERROR", "viacep: gave up after 1 attempts in 0.00 s (rejected): OSError('three')"),
        ("WARNING", "cep: fallback used: OSError('four')"),
    ]


def test_prometheus_reads_every_state_when_scraped() -> None:
    prometheus = pytest.importorskip("prometheus_client")
    from esteio.policy.hooks.prometheus import export_policies

    books, to = Registry(), prometheus.CollectorRegistry()
    end = export_policies(books, to)
    pipe = exercise(books)
    text = prometheus.generate_latest(to).decode()
    assert 'esteio_policy_breaker_state{pipeline="viacep",policy="viacep",state="open"} 1.0' in text
    assert 'esteio_policy_breaker_failed_total{pipeline="viacep",policy="viacep"} 4.0' in text
    assert 'esteio_policy_retry_retries_total{pipeline="viacep",policy="viacep"} 2.0' in text
    end()
    assert prometheus.generate_latest(to) == b""
    assert pipe.name == "viacep"


def test_opentelemetry_spans_and_counter() -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from esteio.policy.hooks.opentelemetry import trace_policies

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    end = trace_policies()
    try:
        with trace.use_span(provider.get_tracer("test").start_span("request"), end_on_exit=True):
            exercise()
    finally:
        end()
    (span,) = exporter.get_finished_spans()
    names = [event.name for event in span.events]
    assert names[:2] == ["AttemptFailed", "Recovered"]
    assert "CircuitChanged" in names
    first = dict(span.events[0].attributes or {})
    assert first == {
        "esteio.name": "viacep",
        "esteio.attempt": 1,
        "esteio.attempts": 2,
        "esteio.wait": 1.0,
        "esteio.error": "OSError('one')",
    }


@pytest.fixture
def sentry_events() -> Iterator[list[dict[str, object]]]:
    sentry_sdk = pytest.importorskip("sentry_sdk")
    sent: list[dict[str, object]] = []

    def keep(event: dict[str, object], _hint: object) -> None:
        sent.append(event)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1", before_send=keep, default_integrations=False, auto_session_tracking=False
    )
    yield sent
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.init()


def test_sentry_hears_of_exhaustion_and_opening_and_of_nothing_that_healed(
    sentry_events: list[dict[str, object]],
) -> None:
    from esteio.policy.hooks.sentry import report_policies

    end = report_policies()
    try:
        exercise()
    finally:
        end()
    assert [event.get("fingerprint") for event in sentry_events] == [
        ["esteio", "retries", "viacep"],
        ["esteio", "circuit", "viacep"],
        ["esteio", "retries", "viacep"],
    ]
    assert sentry_events[1]["message"] == "viacep: circuit closed -> open: 3 failures in a row"


def test_importing_esteio_imports_neither_policies_nor_vendors() -> None:
    lines = (
        "import sys, esteio",
        "assert 'esteio.policy' not in sys.modules",
        "esteio.Pipeline",
        "vendors = {'prometheus_client', 'opentelemetry', 'sentry_sdk', 'redis'} & set(sys.modules)",
        "assert not vendors, vendors",
        "assert all(getattr(esteio, name) for name in esteio.__all__)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert done.returncode == 0
