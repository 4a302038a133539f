"""Files that people attach to records: received, looked into, kept, given out again.

Promises: whatever is sent, no worker holds more than a megabyte of it in memory, and no process that answers requests reads
a picture, PDF or archive. `attachable` says which records have documents, `FileStore` where contents lie: in a folder
(`FolderStore`), or in an object store that several machines share (`files.objects`, imported where it is used).
"""

from __future__ import annotations

from sispat.kernel.files._errors import ContentMissing, FileRefused, InspectionBusy, NoRoom, Reason, StoreAway
from sispat.kernel.files._folder import FolderStore
from sispat.kernel.files._formats import ACCEPTED, IMAGES, Format
from sispat.kernel.files._incoming import Incoming
from sispat.kernel.files._inspection import Inspected
from sispat.kernel.files._store import FileStore, LocalContent, RemoteContent
from sispat.kernel.files.attachable import Attachable

__all__ = [
    "ACCEPTED", "IMAGES", "Attachable", "ContentMissing", "FileRefused", "FileStore", "FolderStore", "Format", "Incoming",
    "Inspected", "InspectionBusy", "LocalContent", "NoRoom", "Reason", "RemoteContent", "StoreAway",
]  # fmt: skip
