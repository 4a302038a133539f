"""What can go wrong with a store, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from esteio.errors import EsteioError

__all__ = [
    "AllStoresFailed",
    "DirectoryMissing",
    "InvalidKeyName",
    "ObjectLocked",
    "ObjectMissing",
    "StoreDenied",
    "StoreError",
    "StoreFull",
    "StoreNotInitialised",
    "StoreRejected",
    "StoreUnavailable",
    "StoreUrlError",
    "UploadTruncated",
]


class StoreError(EsteioError):
    """Base of the errors of stores: `store` is the name of the one that failed, `key` the object."""

    advice = "see the reason"

    def __init__(self, store: str, key: str, reason: str) -> None:
        self.store = store
        self.key = key
        self.reason = reason
        what = f"object {key!r}: " if key else ""
        super().__init__(f"backup store {store}: {what}{reason}; {self.advice}")


class StoreUnavailable(StoreError):
    """It does not answer, or answers that it cannot now."""

    advice = "try again when it answers; what others have is not lost"


class DirectoryMissing(StoreUnavailable):
    """The directory is not there: a disk that is not mounted, a wrong address, or nothing was ever kept there."""

    advice = "mount the disk it is on, or correct the address; `backup init` makes it where its parent exists"


class StoreNotInitialised(StoreError):
    """It has no marker, or that of another set of backups: nothing is written there."""

    advice = (
        "mount the disk that belongs there, or correct the address; for a new place, type `backup init` once "
        "(`sispat backup init`)"
    )


class StoreDenied(StoreError):
    """It does not know us, or does not let us."""

    advice = "check the credentials and the permissions (list, read, write, delete)"


class StoreRejected(StoreError):
    """It does not take the request as we make it (an answer 4xx); the same again would be answered the same."""

    advice = (
        "see the reason: the region or another option of its address is wrong, or it does not know a header we send"
    )


class StoreFull(StoreError):
    """No space or quota is left."""

    advice = "make room or prune; nothing that is complete was removed"


class ObjectMissing(StoreError):
    """There is no such object, or no such bucket."""

    advice = "look at what `list` shows, and check the bucket's name"


class ObjectLocked(StoreError):
    """It may not be removed before its retention ends: as wanted, and no failure of the store."""

    advice = "it is kept until its retention ends, and removed by a later prune"


class UploadTruncated(StoreError):
    """The store has less, or more, than was sent."""

    advice = "it was removed again where that was possible; check what is between us and the store"

    def __init__(self, store: str, key: str, *, sent: int, kept: int) -> None:
        self.sent = sent
        self.kept = kept
        super().__init__(store, key, f"{sent} bytes were sent, it has {kept}")


class AllStoresFailed(EsteioError):
    """Not one store has it, or takes it; `failures` says why, by the store's name. `key` is "" for all objects."""

    def __init__(self, key: str, failures: Mapping[str, Exception]) -> None:
        self.key = key
        self.failures = dict(failures)
        reasons = "; ".join(str(error) for error in failures.values())
        which = f"for object {key!r}" if key else "of the backup stores"
        super().__init__(reasons if len(failures) == 1 else f"not one store can be used {which}: {reasons}")


class StoreUrlError(EsteioError, ValueError):
    """A store's address that cannot be used."""

    def __init__(self, part: str, value: str, allowed: str) -> None:
        self.part = part
        self.value = value
        self.allowed = allowed
        super().__init__(
            f"backup store: {part} is {value!r}; allowed: {allowed}. "
            "Examples: /srv/backup, s3://bucket/folder?endpoint=http://minio:9000, gs://bucket, az://account/container"
        )


class InvalidKeyName(EsteioError, ValueError):
    """An object's name that could leave its store."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"object name {key!r} cannot be used; allowed: parts of 1 to 200 bytes joined by /, none of them . or .. "
            "or beginning with a dot, no control characters and no backslash"
        )
