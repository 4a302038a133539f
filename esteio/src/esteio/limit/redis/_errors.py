"""What can be wrong with Redis, in one word each.

Promises: whatever a connection, a reply or a timer says becomes a `RedisFailure` whose `reason` is one of `REASONS`; a
decision made without Redis carries it. `RedisAddressError` is the only error a caller sees.
"""

from __future__ import annotations

import ssl

from redis import exceptions

from esteio.errors import EsteioError

__all__ = ["REASONS", "RedisAddressError", "RedisFailure", "classify"]

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

_KINDS: tuple[tuple[str, tuple[type[BaseException], ...], tuple[str, ...]], ...] = (
    ("readonly", (exceptions.ReadOnlyError,), ("READONLY", "MISCONF", "NOREPLICAS")),
    ("full", (exceptions.OutOfMemoryError,), ("OOM",)),
    ("loading", (exceptions.BusyLoadingError,), ("LOADING",)),
    ("masterdown", (exceptions.ClusterDownError,), ("MASTERDOWN", "CLUSTERDOWN")),
    (
        "moved",
        (exceptions.AskError, exceptions.TryAgainError, exceptions.ClusterCrossSlotError),
        ("MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "non local key"),
    ),
    (
        "refused",
        (exceptions.AuthenticationError, exceptions.NoPermissionError, ssl.SSLCertVerificationError),
        ("NOAUTH", "WRONGPASS", "NOPERM", "invalid password"),
    ),
    ("slow", (TimeoutError, exceptions.TimeoutError), ()),
)
"""Reasons, by redis-py's class of an error, and by the code in the text of an error that a command in the script met:
Redis up to 6 wraps that into an error of the script."""


class RedisAddressError(EsteioError, ValueError):
    """An address no Redis can be reached by: `part` of it has `value`, but `allowed` is something else."""

    def __init__(self, part: str, value: str, allowed: str) -> None:
        self.part = part
        self.value = value
        self.allowed = allowed
        super().__init__(f"Redis address: {part} is {value!r}; allowed: {allowed}")


class RedisFailure(Exception):
    """Redis can't be asked, for `reason`, one of `REASONS`; `detail` in its own words."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail or REASONS[reason]}")


def classify(error: BaseException) -> RedisFailure:
    """What `error`, of redis-py, a timer or the system, says about Redis."""
    if isinstance(error, RedisFailure):
        return error
    if isinstance(error.__context__, ssl.SSLCertVerificationError):  # redis-py makes a ConnectionError of it
        error = error.__context__
    text = str(error) or repr(error)
    said = text if isinstance(error, exceptions.ResponseError) else ""
    for reason, kinds, marks in _KINDS:
        if isinstance(error, kinds) or any(mark in said for mark in marks):
            return RedisFailure(reason, text)
    if isinstance(error, exceptions.ResponseError):
        return RedisFailure("error", text)
    if isinstance(error, exceptions.ConnectionError | OSError):
        return RedisFailure("gone", text)
    return RedisFailure("corrupt", text)
