"""What can go wrong with telling somebody, and what to do about it."""

from __future__ import annotations

from esteio.errors import EsteioError

__all__ = ["AlertError", "ChannelRefused", "NotDelivered"]


class AlertError(EsteioError):
    """Base of the errors of notices; none of them shows more of an address than its beginning."""


class ChannelRefused(AlertError, ValueError):
    """An address that cannot be used."""

    def __init__(self, what: str, shown: str, reason: str) -> None:
        self.what = what
        self.shown = shown
        self.reason = reason
        super().__init__(
            f"{what} {shown!r}: {reason}; allowed: https://... of Slack, Discord or any receiver of JSON, "
            "mailtos://user:password@smtp.city.gov.br?to=..., and what else apprise reads"
        )


class NotDelivered(AlertError):
    """A channel did not take a notice, this time."""

    def __init__(self, channel: str, subject: str, reason: str) -> None:
        self.channel = channel
        self.subject = subject
        self.reason = reason
        super().__init__(f"notice {subject!r} was not taken by {channel}: {reason}; it is kept and tried again")
