"""The root of every error Esteio raises.

Promises: each error derives from `EsteioError`, carries what happened as fields, and makes its
message from those fields - the object, what was tried, the limit that was hit, the next step.
"""

from __future__ import annotations

__all__ = ["EsteioError"]


class EsteioError(Exception):
    """Base of all errors of the toolkit.

    `retry_after` is the number of seconds after which trying again can make sense, or None where
    waiting does not help or nobody knows.
    """

    retry_after: float | None = None
