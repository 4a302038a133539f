"""Files that people attach to records: received, looked into, kept, given out again.

Promises: whatever is sent, no worker holds more than a megabyte of it in memory, and no process that answers requests reads
a picture, PDF or archive. `attachable` says which records have documents, `FileStore` where contents lie.
"""

from __future__ import annotations

from sispat.kernel.files._errors import ContentMissing, FileRefused, InspectionBusy, NoRoom, Reason
from sispat.kernel.files._formats import ACCEPTED, IMAGES, Format
from sispat.kernel.files._incoming import Incoming
from sispat.kernel.files._inspection import Inspected
from sispat.kernel.files._store import FileStore
from sispat.kernel.files.attachable import Attachable

__all__ = [
    "ACCEPTED", "IMAGES", "Attachable", "ContentMissing", "FileRefused", "FileStore", "Format", "Incoming", "Inspected",
    "InspectionBusy", "NoRoom", "Reason",
]  # fmt: skip
