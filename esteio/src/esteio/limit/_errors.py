"""What can be wrong with a limit or with the call that uses it.

Promises: `LimitError` names the field, the value and what is allowed, and is a `ValueError` too. A denial is
never an error: it is a `Decision`.
"""

from __future__ import annotations

from esteio.errors import EsteioError

__all__ = ["HostStoreError", "LimitError"]


class LimitError(EsteioError, ValueError):
    """A value no limit can work with; `field` names it, `allowed` says what to pass instead."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(field, value, allowed)

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        return f"{self.field}={shown} can't be used; pass {self.allowed}"


class HostStoreError(EsteioError):
    """The file that the workers of a host share can't be used; `path` names it, `cause` says why, `remedy` what to do."""

    def __init__(self, path: str, cause: str, remedy: str) -> None:
        self.path = path
        self.cause = cause
        self.remedy = remedy
        super().__init__(path, cause, remedy)

    def __str__(self) -> str:
        return f"limits can't be shared through {self.path}: {self.cause}; {self.remedy}"
