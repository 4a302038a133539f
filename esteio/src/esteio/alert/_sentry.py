"""A notice as an event of Sentry, by its envelope endpoint: one request whose answer says whether it was taken.

Promises: the format and the signature are those of sentry-sdk (extra `sentry`); the request is our own, because the one of the
SDK is sent in the background, and nobody learns whether it arrived. Used within the process that speaks to channels, for
addresses that are a DSN after `sentry+`: `sentry+https://key@o1.ingest.sentry.io/2`.
"""

from __future__ import annotations

import urllib.request
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from esteio.extras import needs

if TYPE_CHECKING:
    from sentry_sdk.utils import Auth

__all__ = ["check", "send"]

_PREFIX = "sentry+"
_LEVELS = {"success": "info", "warning": "warning", "failure": "error"}
_TIMEOUT = 10.0  # seconds


def check(url: str) -> None:
    """ValueError when what follows the prefix is no DSN; ExtraMissing without sentry-sdk."""
    _auth(url)


def send(url: str, notice: dict[str, str], sender: str) -> None:
    """Send `notice` (subject, body, level); OSError, with the status of the answer, when it is not taken."""
    with needs("sentry"):
        from sentry_sdk.envelope import Envelope

    auth = _auth(url)
    event = _event(notice, sender)
    envelope = Envelope(headers={"event_id": event["event_id"], "sent_at": event["timestamp"]})
    envelope.add_event(event)  # type: ignore[arg-type] # an Event is a dictionary
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": str(auth.to_header())}
    request = urllib.request.Request(str(auth.get_api_url()), envelope.serialize(), headers)  # noqa: S310 - a DSN's
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
        answer.read(1024)


def _auth(url: str) -> Auth:
    with needs("sentry"):
        from sentry_sdk.utils import BadDsn, Dsn
    try:
        return Dsn(url.removeprefix(_PREFIX)).to_auth("esteio")
    except BadDsn as error:
        raise ValueError(f"it is no DSN of Sentry ({error})") from None


def _event(notice: dict[str, str], sender: str) -> dict[str, Any]:
    return {
        "event_id": uuid.uuid4().hex,
        "timestamp": datetime.now(UTC).isoformat(),
        "platform": "other",
        "level": _LEVELS[notice["level"]],
        "logger": sender,
        "message": {"formatted": f"{notice['subject']}\n{notice['body']}"},
        # One issue for each subject: the body has moments, which would make each notice an issue of its own.
        "fingerprint": ["esteio", notice["subject"]],
    }
