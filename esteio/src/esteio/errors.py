"""The root of every error Esteio raises.

Promises: each error derives from `EsteioError`, carries what happened as fields, and makes its
message from those fields - the object, what was tried, the limit that was hit, the next step. All of them survive
pickling and copying with all that they carry, so they may be raised in another process.
"""

from __future__ import annotations

__all__ = ["EsteioError"]


class EsteioError(Exception):
    """Base of all errors of the toolkit.

    `retry_after` is the number of seconds after which trying again can make sense, or None where
    waiting does not help or nobody knows.
    """

    retry_after: float | None = None

    def __reduce__(self) -> tuple[object, ...]:
        # Python's own way calls the class with `args`, which is the message, and not what __init__ takes.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[EsteioError], args: tuple[object, ...], fields: dict[str, object]) -> EsteioError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error
