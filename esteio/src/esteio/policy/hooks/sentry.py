"""Sentry: an issue when retries are exhausted and when a circuit opens; nothing for what healed by itself.

Issues are grouped by the name of the pipeline, not by the text of the error. Needs the extra `sentry`.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("sentry"):
    import sentry_sdk

from collections.abc import Callable

import sentry_sdk

from esteio.events import Event, subscribe
from esteio.policy._events import CircuitChanged, RetriesGaveUp

__all__ = ["report_policies"]


def _report(event: Event) -> None:
    match event:
        case RetriesGaveUp(name, attempts, elapsed, reason, error):
            with sentry_sdk.new_scope() as scope:
                scope.fingerprint = ["esteio", "retries", name]
                scope.set_tag("esteio.pipeline", name)
                scope.set_extra("esteio.attempts", attempts)
                scope.set_extra("esteio.elapsed", elapsed)
                scope.set_extra("esteio.reason", reason)
                if error is not None:
                    sentry_sdk.capture_exception(error)
                else:
                    sentry_sdk.capture_message(f"{name}: gave up after {attempts} attempts ({reason})", level="error")
        case CircuitChanged(name, before, "open", reason, _):
            with sentry_sdk.new_scope() as scope:
                scope.fingerprint = ["esteio", "circuit", name]
                scope.set_tag("esteio.pipeline", name)
                sentry_sdk.capture_message(f"{name}: circuit {before} -> open: {reason}", level="error")


def report_policies() -> Callable[[], None]:
    """Report to Sentry from now on; the returned function ends that."""
    return subscribe(_report)
