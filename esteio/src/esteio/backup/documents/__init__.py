"""The documents that people uploaded, backed up with the database that refers to them.

Content-addressed: each content lies once in each store, named by its sha256, and what is there already costs nothing.
"""

from __future__ import annotations

from esteio.backup.documents._documents import SAMPLE, Documents
from esteio.backup.documents._restore import DocumentsRestore, Returned, Untouched

__all__ = ["SAMPLE", "Documents", "DocumentsRestore", "Returned", "Untouched"]
