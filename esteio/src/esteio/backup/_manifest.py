"""What a backup is: the record that is written last and makes it one, sealed so that a changed byte is noticed.

Promises: pure values; `Manifest.to_json` and `from_json` are each other's reverse, and the text is what people and
other programs read too. A manifest of a later format is refused, never guessed at. The seal is the field `seal`: the
sha256 of the whole text with that field as 64 zeros. Other programs can ignore it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from esteio.backup._details import DetailCode, detail_of
from esteio.backup._errors import ManifestError

__all__ = ["FORMAT", "Database", "Grant", "Manifest", "Part", "TableDigest", "backup_id", "seal", "taken_at", "unseal"]

_BLANK = '"seal": "' + "0" * 64 + '"'
_SEAL = re.compile(r'"seal": "([0-9a-f]{64})"(?=\n}\n\Z)')


def seal(content: Mapping[str, Any]) -> str:
    """`content` as text with its seal at the end."""
    text = json.dumps({**content, "seal": "0" * 64}, ensure_ascii=False, indent=1) + "\n"
    return text.replace(_BLANK, f'"seal": "{_digest(text)}"')


def unseal(text: str | bytes) -> dict[str, Any]:
    """What was sealed; ValueError when it is not exactly as it was."""
    text = text if isinstance(text, str) else text.decode()
    found = _SEAL.search(text)
    if found is None:
        raise ValueError(DetailCode.NO_SEAL())
    if _digest(_SEAL.sub(_BLANK, text)) != found[1]:
        raise ValueError(DetailCode.SEAL_WRONG())
    content: dict[str, Any] = json.loads(text)
    del content["seal"]
    return content


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


FORMAT = 2
"""The newest that is known; 2 has the tablespaces of a base."""
_ID = re.compile(r".+_(\d{8}_\d{6})(?:_\d+)?")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup. `role` says what is in it: database, schema, data, globals, documents, base, wal ..."""

    name: str
    role: str
    size: int
    """Bytes of the content, before it was packed."""
    stored: int
    """Bytes of the file as it lies in the store."""
    sha256: str
    """Of the file as it lies in the store, so that `sha256sum` checks it without any key."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows a table had, and the sum of the hashes of a sample: of about one row in `one_in`."""

    rows: int
    one_in: int
    hash: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A right on the database itself, which a dump of its content does not hold. '' as `role` is PUBLIC."""

    role: str
    privilege: str
    grantable: bool


@dataclass(frozen=True, slots=True)
class Database:
    """What has to be true of a database before its content can be put into it."""

    name: str
    owner: str
    encoding: str
    provider: str
    """Of its collation: libc, icu or builtin."""
    collate: str
    ctype: str
    locale: str | None
    size: int
    """Bytes on the server's disk."""
    settings: tuple[tuple[str, str], ...] = ()
    """Pairs of a role ('' for all) and `name=value`, as ALTER DATABASE SET made them."""
    grants: tuple[Grant, ...] | None = None
    """None when they are as PostgreSQL makes them."""
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One complete backup. Times are UTC in ISO 8601, sizes bytes, durations seconds."""

    id: str
    kind: str
    """dump, base, incremental or wal."""
    began: str
    duration: float
    server_version: str
    tool_version: str
    parts: tuple[Part, ...]
    compression: str = "zstd"
    encryption: str | None = None
    """None, or `age`."""
    database: Database | None = None
    roles: tuple[str, ...] = ()
    """Those the content needs: owners, and who was granted something."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, TableDigest] = field(default_factory=dict)
    lsn: str | None = None
    """Where the write-ahead log was when the content was looked at."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What only one kind has: the base of an incremental backup, start and end of its log."""
    format: int = 1

    @property
    def major(self) -> int:
        """The major version of the server."""
        return int(self.server_version.split(".")[0])

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return sum(part.size for part in self.parts)

    @property
    def stored(self) -> int:
        """Bytes in the store."""
        return sum(part.stored for part in self.parts)

    def part(self, role: str) -> Part:
        """The one file with this role; ManifestError when there is none."""
        for part in self.parts:
            if part.role == role:
                return part
        raise ManifestError(self.id, DetailCode.ROLE_MISSING(role=role), DetailCode.RESTORE_AS_KIND(kind=self.kind))

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return seal(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, *, backup: str = "?") -> Manifest:
        """Read what `to_json` wrote; ManifestError when it is anything else."""
        try:
            given = unseal(text)
        except ValueError as error:
            raise ManifestError(backup, detail_of(error), DetailCode.USE_OTHER_COPY()) from error
        try:
            if (found := given["format"]) in range(1, FORMAT + 1):
                return _manifest(given)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            garbled = DetailCode.FIELD_GARBLED(error=repr(error))
            raise ManifestError(backup, garbled, DetailCode.USE_OTHER_BACKUP()) from error
        unknown = DetailCode.FORMAT_UNKNOWN(found=repr(found), known=FORMAT)
        raise ManifestError(backup, unknown, DetailCode.USE_WRITERS_VERSION())


def _manifest(given: dict[str, Any]) -> Manifest:
    database = given["database"]
    return Manifest(
        **{
            **given,
            "parts": tuple(Part(**part) for part in given["parts"]),
            "roles": tuple(given["roles"]),
            "tables": {name: TableDigest(**digest) for name, digest in given["tables"].items()},
            "database": None if database is None else _database(database),
        }
    )


def _database(given: dict[str, Any]) -> Database:
    grants = given["grants"]
    return Database(
        **{
            **given,
            "settings": tuple((role, setting) for role, setting in given["settings"]),
            "grants": None if grants is None else tuple(Grant(**grant) for grant in grants),
        }
    )


def backup_id(prefix: str, at: float, taken: Collection[str] = ()) -> str:
    """A name for the backup begun `at` (seconds since the epoch) that is not `taken`, in the order of time."""
    stamp = f"{prefix}_{datetime.fromtimestamp(int(at), UTC):%Y%m%d_%H%M%S}"
    name, number = stamp, 1
    while name in taken:
        number += 1
        name = f"{stamp}_{number:02d}"
    return name


def taken_at(backup: str) -> datetime | None:
    """When a backup of this name was begun, UTC; None for a name that `backup_id` did not make."""
    match = _ID.fullmatch(backup)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
