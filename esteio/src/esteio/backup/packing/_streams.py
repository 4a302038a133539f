"""Both ends of a stream: counted, looked at, and honest about who failed.

Promises: an error of a source or sink reaches the caller as it was raised, even through a library that only
passes on its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["CHUNK", "Failures", "Readable", "Reading", "Writable", "Writing"]

CHUNK = 256 * 1024


class Readable(Protocol):
    """What can be read: a file, a pipe, a download."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class Writable(Protocol):
    """What can be written: a file, a pipe, an upload."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


def _unseen(_data: bytes) -> None:
    """Look at nothing."""


class Failures:
    """The first error that a source or sink raised."""

    def __init__(self) -> None:
        self.first: BaseException | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember what is raised inside, and let it pass."""
        try:
            yield
        except BaseException as error:
            self.first = self.first or error
            raise

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Raise the remembered error in place of the one a library made of it."""
        try:
            yield
        except BaseException as error:
            if self.first is not None and error is not self.first:
                raise self.first from None
            raise


class Reading:
    """A source that counts what is read from it, and shows it to `seen`."""

    def __init__(self, source: Readable, failures: Failures, seen: Callable[[bytes], object] = _unseen) -> None:
        self._source = source
        self._failures = failures
        self._seen = seen
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        """As the source does."""
        with self._failures.noted():
            data = self._source.read(size)
        self.size += len(data)
        self._seen(data)
        return data


class Writing:
    """A sink that counts what is written to it, and shows it to `seen`."""

    def __init__(self, sink: Writable, failures: Failures, seen: Callable[[bytes], object] = _unseen) -> None:
        self._sink = sink
        self._failures = failures
        self._seen = seen
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """Hand all of `data` on."""
        data = bytes(data)
        with self._failures.noted():
            self._sink.write(data)
        self.size += len(data)
        self._seen(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""
