"""The documents of one backup, as its files tell.

Promises: the list and the key come out of the backup's own folder, compared with its manifest to the byte; where the
objects are is in the manifest. A backup made without documents has none of this, and `listed` says None.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from esteio.backup._errors import BackupDamaged
from esteio.backup._folder import Folder
from esteio.backup._manifest import Manifest, Part
from esteio.backup.documents._document import Document, parse
from esteio.backup.documents._place import Key
from esteio.backup.packing import Decryption, PackUnreadable, Writable, WrongKey, unpack
from esteio.backup.store import ObjectMissing, Store

__all__ = ["DETAILS", "KEY", "LIST", "NAMES", "Listed", "has_documents", "listed", "names"]

LIST = "documents"
"""The role of the list of documents."""
NAMES = "document names"
"""The role of the list of objects, which is not encrypted: who thins out backups need not be able to open them."""
KEY = "document key"
"""The role of the key file for the objects; only with a passphrase."""
DETAILS = "documents"
"""Under which name the manifest's details say where the objects are, and how many documents there are."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The documents of backup `manifest`, and what opens them."""

    manifest: Manifest
    documents: tuple[Document, ...]
    opens: Decryption | None = field(repr=False)

    @property
    def files(self) -> tuple[Document, ...]:
        """Those that have content."""
        return tuple(document for document in self.documents if document.sha256 is not None)

    def object(self, document: Document) -> str:
        """The name of the object with the content of `document`."""
        about = self.manifest.details[DETAILS]
        assert document.sha256 is not None
        return f"{about['folder']}/{document.sha256[:2]}/{document.sha256}{about['suffix']}"

    def read(self, document: Document, store: Store, sink: Writable) -> None:
        """Write the content of `document`, as `store` has it, to `sink`; BackupDamaged names it when that is another."""
        name = self.object(document)
        digest = hashlib.sha256()

        class Both:
            def write(self, data: bytes, /) -> int:
                digest.update(data)
                sink.write(data)
                return len(data)

        try:
            with store.get(name) as source:
                unpack(source, Both(), self.opens if name.endswith(".age") else None)
        except ObjectMissing as error:
            raise self._damaged(document, f"is missing in {store.name}") from error
        except PackUnreadable as error:
            raise self._damaged(document, f"{error.reason}, in {store.name}") from error
        except WrongKey as error:
            if self.opens is None:
                raise
            raise self._damaged(document, f"{error.reason}, in {store.name}") from error
        if digest.hexdigest() != document.sha256:
            raise self._damaged(document, f"its content is another, in {store.name}")

    def _damaged(self, document: Document, problem: str) -> BackupDamaged:
        return BackupDamaged(self.manifest.id, self.object(document), f"document {document.path!r}: {problem}")


def has_documents(manifest: Manifest) -> bool:
    """Whether a backup has documents, be it none at all in a directory that was there."""
    return _part(manifest, LIST) is not None


def listed(folder: Folder, key: Key) -> Listed | None:
    """Read the list; BackupDamaged when it was changed, WrongKey when it cannot be opened."""
    part = _part(folder.manifest, LIST)
    if part is None:
        return None
    try:
        documents = parse(folder.content(part))
    except ValueError as error:
        raise BackupDamaged(folder.manifest.id, part.name, str(error)) from error
    opens = None
    if folder.manifest.encryption:
        key_part = _part(folder.manifest, KEY)
        opens = key(folder.kept(key_part) if key_part else None)
    return Listed(folder.manifest, documents, opens)


def names(folder: Folder) -> set[str]:
    """The objects a backup needs, read without any key; BackupDamaged when the list of them was changed."""
    part = _part(folder.manifest, NAMES)
    return set() if part is None else set(folder.content(part).decode().splitlines())


def _part(manifest: Manifest, role: str) -> Part | None:
    return next((part for part in manifest.parts if part.role == role), None)
