"""Where backups are kept: directories, S3 and its friends, Google Cloud, Azure; several at once.

Promises: an object appears under its name only when it is whole and durable, and its size was asked back; what
fails for a moment is tried again; a store that fails leaves the others unharmed and is named. Every failure is a
`StoreError` with the store, the object and what to do; no secret is in it.
"""

from __future__ import annotations

from esteio.backup.store._several import Placement, StoreFailed, Stores
from esteio.backup.store._store import (
    AllStoresFailed,
    DirectoryMissing,
    Download,
    Exclusive,
    InvalidKeyName,
    ObjectLocked,
    ObjectMissing,
    Ranged,
    Store,
    Stored,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreNotInitialised,
    StoreRejected,
    StoreUnavailable,
    StoreUrlError,
    Sweeping,
    Upload,
    UploadTruncated,
)
from esteio.backup.store._url import open_store, store_urls, stores_from_settings

__all__ = [
    "AllStoresFailed",
    "DirectoryMissing",
    "Download",
    "Exclusive",
    "InvalidKeyName",
    "ObjectLocked",
    "ObjectMissing",
    "Placement",
    "Ranged",
    "Store",
    "StoreDenied",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreNotInitialised",
    "StoreRejected",
    "StoreUnavailable",
    "StoreUrlError",
    "Stored",
    "Stores",
    "Sweeping",
    "Upload",
    "UploadTruncated",
    "open_store",
    "store_urls",
    "stores_from_settings",
]
