"""What can be wrong with Redis, in one word each.

Promises: whatever a connection, a reply or a timer says becomes a `Trouble` whose `reason` is one of `REASONS`; a
decision made without Redis carries it. `RedisAddressError` is the only error a caller sees.
"""

from __future__ import annotations

import asyncio
import ssl

import hiredis

from esteio.errors import EsteioError

__all__ = ["REASONS", "RedisAddressError", "Trouble", "trouble"]

REASONS = {
    "gone": "no connection: refused, cut, or not to be found",
    "slow": "no answer within the time a decision may take",
    "readonly": "it is a replica, so it was demoted or the address is wrong",
    "full": "its memory is full and its policy is noeviction",
    "loading": "it reads its data from disk after a start",
    "masterdown": "it is a replica without its primary, or a node of a Cluster that has lost some",
    "moved": "the cluster hands slots to other nodes, or has none for this one",
    "refused": "wrong password, an ACL that does not allow what is needed, or a certificate that is not trusted",
    "corrupt": "what it sends is not an answer",
    "busy": "it answers, but more hits wait than it decides within the time of one, or than the store keeps waiting",
    "error": "it answers with an error that is none of these",
    "closed": "the store was closed",
}
"""Every `Decision.reason` of a `RedisStore`, and what it means."""

_BY_REPLY = (
    ("READONLY", "readonly"),
    ("OOM", "full"),
    ("LOADING", "loading"),
    ("MASTERDOWN", "masterdown"),
    ("MOVED", "moved"),
    ("ASK", "moved"),
    ("CLUSTERDOWN", "masterdown"),
    ("TRYAGAIN", "moved"),
    ("CROSSSLOT", "moved"),
    ("non local key", "moved"),
    ("NOAUTH", "refused"),
    ("WRONGPASS", "refused"),
    ("NOPERM", "refused"),
    ("invalid password", "refused"),
    ("MISCONF", "readonly"),
    ("NOREPLICAS", "readonly"),
)


class RedisAddressError(EsteioError, ValueError):
    """An address no Redis can be reached by: `part` of it has `value`, but `allowed` is something else."""

    def __init__(self, part: str, value: str, allowed: str) -> None:
        self.part = part
        self.value = value
        self.allowed = allowed
        super().__init__(f"Redis address: {part} is {value!r}; allowed: {allowed}")


class Trouble(Exception):
    """Redis can't be asked, for `reason`; `detail` in its own words."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail or REASONS[reason]}")


def trouble(error: BaseException) -> Trouble:
    """What `error` says about Redis."""
    if isinstance(error, Trouble):
        return error
    text = str(error) or repr(error)
    if isinstance(error, hiredis.ReplyError):
        return Trouble(next((reason for mark, reason in _BY_REPLY if mark in text), "error"), text)
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return Trouble("slow", text)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble("refused", text)
    if isinstance(error, OSError):
        return Trouble("gone", text)
    return Trouble("corrupt", text)
