"""An object store behind obstore: S3 and what speaks its protocol, Google Cloud, Azure.

Promises: each part of an upload is retried by itself, and its checksum goes with it where the protocol has one
(S3); after the last one the size is asked back. Reading goes by ranges, so a broken connection costs one range.
Whole operations go through a pipeline of `esteio.policy`. An upload that dies leaves invisible parts in a bucket:
set a lifecycle rule that removes them.
"""

from __future__ import annotations

import builtins
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from esteio.backup._details import DetailCode
from esteio.backup.store._store import (
    CHUNK,
    Download,
    ObjectLocked,
    ObjectMissing,
    Stored,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreRejected,
    StoreUnavailable,
    Upload,
    UploadBlock,
    UploadTruncated,
    checked_key,
    pieces,
)
from esteio.clock import SYSTEM, Clock
from esteio.policy import Exponential, Pipeline, Retry

__all__ = ["ATTEMPTS", "PARALLEL", "ObjectStore"]

R = TypeVar("R")

PARALLEL = 2
"""Parts of one upload under way: with CHUNK this bounds its memory; a dump has several uploads."""
ATTEMPTS = 4
"""Of one operation, where another can help; obstore repeats each request of one by itself, too."""
# What S3, Google Cloud and Azure say when an object is retained.
_LOCKED = ("object lock", "objectlock", "worm", "retention", "immutab", "legal hold", "active event-based hold")
_FULL = ("quota", "insufficientstorage", "507 insufficient", "entitytoolarge", "storagefull")
# obstore has no field for it. What went wrong in an upload, or in a list of Azure's, is a plain OSError or GenericError.
_STATUS = re.compile(r"status code: (\d{3})")
_DENIED = (401, 403)
_NOT_IMPLEMENTED = 501
# Of the answers 4xx those that another attempt can change: too slow, in the way of another request, too early, too many.
_PASSING = (408, 409, 425, 429)


class ObjectStore:
    """Objects of one bucket, below the prefix that obstore's `inner` store was made with.

    Each upload sends `parallel` parts at a time; all together send at most `rate` bytes a second (None: no limit). What fails
    for a moment is done again, `attempts` times in all.
    """

    def __init__(
        self, name: str, inner: Any, *, parallel: int = PARALLEL, rate: float | None = None,
        attempts: int = ATTEMPTS, clock: Clock = SYSTEM,
    ) -> None:  # fmt: skip
        self.parallel = parallel
        self.pacer = Pacer(rate, clock)
        self.name = name
        self._inner = inner
        retry = Retry(attempts, Exponential(0.5, 2.0, cap=8.0), idempotent=True, on=(StoreUnavailable, UploadTruncated))
        self._pipeline = Pipeline(f"backup store {name}", retry, clock=clock)

    def open(self, key: str) -> Upload:
        """Begin an upload: nothing is seen of it before its commit."""
        return _PartsUpload(self, self._inner, checked_key(key))

    def put(self, key: str, source: Path | bytes) -> Stored:
        """Upload a file or bytes, as a whole again when it failed."""
        return self._pipeline.call(self._put_once, key, source)

    def create(self, key: str, content: bytes) -> bool:
        """Put on the condition that there is none; `content` tells whose it is, where the answer was lost.

        A server that does not know conditions gets it by a look and a put: of two at the same moment the later counts.
        """
        made = self._pipeline.call(self._create_once, checked_key(key), content)
        with self.get(key) as source:
            found = source.read()
        if made and len(found) != len(content):
            self.delete(key)
            raise UploadTruncated(self.name, key, sent=len(content), kept=len(found))
        return found == content

    @contextmanager
    def get(self, key: str) -> Iterator[Download]:
        """Read by ranges."""
        found = self.head(key)
        if found is None:
            raise ObjectMissing(self.name, key, DetailCode.NO_OBJECT())
        yield _RangesDownload(self, found)

    def head(self, key: str) -> Stored | None:
        """Ask for size and time."""
        try:
            return self._retried(checked_key(key), lambda: _stored(obstore.head(self._inner, key)))
        except ObjectMissing:
            return None

    def list(self, prefix: str = "") -> list[Stored]:
        """Page through the names."""
        return self._retried(prefix, lambda: self._listed(prefix))

    def delete(self, key: str) -> None:
        """Remove an object."""
        with suppress(ObjectMissing):
            self._retried(checked_key(key), lambda: obstore.delete(self._inner, key))

    def range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes of an object from `start` on."""
        return self._retried(key, lambda: bytes(obstore.get_range(self._inner, key, start=start, length=length)))

    def once(self, key: str, call: Callable[[], R]) -> R:
        """Call obstore; what it raises becomes a StoreError."""
        try:
            return call()
        except (BaseError, OSError) as error:
            raise _translated(self.name, key, error) from error

    def _retried(self, key: str, call: Callable[[], R]) -> R:
        return self._pipeline.call(self.once, key, call)

    def _put_once(self, key: str, source: Path | bytes) -> Stored:
        with self.open(key) as upload:
            for data in pieces(source):
                upload.write(data)
            return upload.commit()

    def _create_once(self, key: str, content: bytes) -> bool:
        """Whether it is known to be ours."""
        try:
            obstore.put(self._inner, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            if not isinstance(error, NotSupportedError) and _status(error) != _NOT_IMPLEMENTED:
                raise _translated(self.name, key, error) from error
            if self.head(key) is None:
                self._put_once(key, content)
            return False
        return True

    def _listed(self, prefix: str) -> builtins.list[Stored]:
        pages = obstore.list(self._inner, prefix or None, chunk_size=1000)
        return sorted((_stored(meta) for page in pages for meta in page), key=lambda stored: stored.key)


class Pacer:
    """Lets through at most `rate` bytes a second (None: no limit) of several threads together."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._mutex = threading.Lock()
        self._free = float("-inf")  # when what was let through will have been sent

    def wait(self, size: int) -> None:
        """Return when `size` bytes more may be sent."""
        if self._rate is None:
            return
        with self._mutex:  # a place in the queue; the wait itself is without the lock
            now = self._clock.monotonic()
            begins = max(now, self._free)
            self._free = begins + size / self._rate
        if begins > now:
            self._clock.sleep(begins - now)


class _PartsUpload(UploadBlock):
    """Parts that become one object at the commit."""

    def __init__(self, store: ObjectStore, inner: Any, key: str) -> None:
        self._store = store
        self._inner = inner
        self._key = key
        self._sent = 0
        self._writer: Any = obstore.open_writer(inner, key, buffer_size=CHUNK, max_concurrency=store.parallel)

    def write(self, data: bytes, /) -> int:
        """Buffer, and send each full part."""
        self._store.pacer.wait(len(data))
        self._store.once(self._key, lambda: self._writer.write(data))
        self._sent += len(data)
        return len(data)

    def commit(self) -> Stored:
        """Send the rest, join the parts, compare the sizes."""
        self._store.once(self._key, self._writer.close)
        found = self._store.head(self._key)
        if found is None or found.size != self._sent:
            with suppress(StoreError):
                self._store.delete(self._key)
            raise UploadTruncated(self._store.name, self._key, sent=self._sent, kept=found.size if found else 0)
        self._done = True
        return found

    def abort(self) -> None:
        """Drop the parts: they are never joined."""
        self._done = True
        self._writer = None


class _RangesDownload:
    """An object read range by range."""

    def __init__(self, store: ObjectStore, found: Stored) -> None:
        self._store = store
        self._found = found
        self._next = 0
        self._buffer = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        if not self._buffer and self._next < self._found.size:
            length = min(CHUNK, self._found.size - self._next)
            self._buffer = memoryview(self._store.range(self._found.key, self._next, length))
            self._next += len(self._buffer)
        data, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
        return data


def _stored(meta: Any) -> Stored:
    return Stored(meta["path"], meta["size"], meta["last_modified"].timestamp())


def _translated(store: str, key: str, error: BaseError | OSError) -> StoreError:
    reason = _reason(error)
    said = str(error).lower()
    if any(mark in said for mark in _LOCKED):
        return ObjectLocked(store, key, DetailCode.RETAINED())
    status = _status(error)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or "accessdenied" in said or status in _DENIED:
        return StoreDenied(store, key, reason)
    if isinstance(error, FileNotFoundError):
        bucket = "nosuchbucket" in said or "containernotfound" in said
        return ObjectMissing(store, key, DetailCode.NO_BUCKET() if bucket else DetailCode.NO_OBJECT())
    if any(mark in said for mark in _FULL):
        return StoreFull(store, key, reason)
    if 400 <= status < 500 and status not in _PASSING and "requesttimeout" not in said:  # which S3 sends as a 400
        return StoreRejected(store, key, reason)
    return StoreUnavailable(store, key, reason)


def _status(error: Exception) -> int:
    """The code of the answer that `error` is about; 0 where there was none."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _reason(error: Exception) -> str:
    """The first line of what obstore says; what follows is its own structure."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
