"""SENTRY_DSN: errors of the processes that serve, as issues of Sentry.

Promises: what is logged as an error, retries that are exhausted, circuits that open and statements above 3 s; with the id of
the request where there was one. No body, no cookie, no address of a person, no value of a variable or of a statement leaves
this machine. Without SENTRY_DSN nothing of it is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from esteio.events import Event, subscribe
from esteio.postgres import SlowQuery
from sispat import __version__
from sispat.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event as SentryEvent
    from sentry_sdk.types import Hint

__all__ = ["report_errors"]

_FLUSH = 2.0  # seconds at the end for what is still on its way


def report_errors(settings: Settings) -> Callable[[], None]:
    """Report from now on; the returned function ends that, after what is on its way was sent."""
    if settings.sentry_dsn is None:
        return lambda: None
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    from esteio.policy.hooks.sentry import report_policies

    sentry_sdk.init(
        settings.sentry_dsn.get_secret_value(),
        release=f"sispat@{__version__}",
        # The log alone: other integrations would read requests, and what people typed.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        include_local_variables=False,
        before_send=_with_request_id,
    )
    ends = (report_policies(), subscribe(_report_slow))

    def end() -> None:
        for each in ends:
            each()
        sentry_sdk.get_client().close(timeout=_FLUSH)

    return end


def _with_request_id(event: SentryEvent, _: Hint) -> SentryEvent:
    extra: dict[str, Any] = dict(event.get("extra") or {})
    if request_id := extra.pop("request_id", None):
        event["extra"] = extra
        event["tags"] = {**dict(event.get("tags") or {}), "request_id": request_id}
    return event


def _report_slow(event: Event) -> None:
    if not isinstance(event, SlowQuery):
        return
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.fingerprint = ["sispat", "slow", event.fingerprint]
        scope.set_tag("route", event.route)
        scope.set_extra("seconds", round(event.seconds, 1))
        scope.set_extra("caller", event.caller)
        scope.set_extra("statement", event.statement)
        sentry_sdk.capture_message("a statement took more than 3 s", level="warning")
