"""A callable that fails on cue."""

from __future__ import annotations

from typing import Any

__all__ = ["Flaky", "flaky"]


class Flaky:
    """Plays a script, one entry a call: exceptions are raised, other values returned; the last entry repeats.

    `calls` counts. `asynchronous` is the same script as a coroutine function.
    """

    def __init__(self, script: tuple[Any, ...]) -> None:
        if not script:
            msg = "flaky: no script; pass what each call does, such as flaky(OSError(), 'ok')"
            raise ValueError(msg)
        self._script = script
        self.calls = 0

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        entry = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        if isinstance(entry, BaseException):
            raise entry
        if isinstance(entry, type) and issubclass(entry, BaseException):
            raise entry
        return entry

    async def asynchronous(self, *_args: Any, **_kwargs: Any) -> Any:
        """The next entry, from a coroutine."""
        return self()


def flaky(*script: Any) -> Flaky:
    """`flaky(OSError, OSError, "ok")` fails twice and answers from then on."""
    return Flaky(script)
