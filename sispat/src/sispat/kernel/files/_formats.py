"""Which files are taken, told by what is in them; their names and the types that clients claim count for nothing.

Promises: `sniff` needs the first `HEAD` bytes. A magic number counts at the very beginning alone: a PDF or an archive that
begins with something else is a second kind of file as well (a polyglot), and is not taken.
"""

from __future__ import annotations

from enum import StrEnum

from sispat.kernel.files._errors import FileRefused, Reason

__all__ = ["ACCEPTED", "ARCHIVE", "HEAD", "IMAGES", "Format", "sniff"]

HEAD = 512  # bytes


class Format(StrEnum):
    """What a stored file is, by its usual extension."""

    JPEG = "jpg"
    PNG = "png"
    WEBP = "webp"
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    ODT = "odt"
    ODS = "ods"

    @property
    def media_type(self) -> str:
        """Of its content (RFC 2046)."""
        return _MEDIA_TYPES[self]

    @property
    def extensions(self) -> tuple[str, ...]:
        """Those that a name may end with."""
        return (".jpg", ".jpeg") if self is Format.JPEG else (f".{self}",)


_OFFICE = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"
_MEDIA_TYPES = {
    Format.JPEG: "image/jpeg",
    Format.PNG: "image/png",
    Format.WEBP: "image/webp",
    Format.PDF: "application/pdf",
    Format.DOCX: f"{_OFFICE}.wordprocessingml.document",
    Format.XLSX: f"{_OFFICE}.spreadsheetml.sheet",
    Format.ODT: f"{_ODF}.text",
    Format.ODS: f"{_ODF}.spreadsheet",
}
IMAGES = frozenset({Format.JPEG, Format.PNG, Format.WEBP})
ARCHIVE = "zip"
"""What DOCX, XLSX, ODT and ODS have in common: which of them it is, is known once it was looked into."""

ACCEPTED = ",".join((*_MEDIA_TYPES.values(), *(f".{each}" for each in Format)))
"""For `accept` of a file input. It names no HEIC, so that iOS converts its photos to JPEG by itself."""

_TAKEN: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"%PDF-", Format.PDF),
    (b"PK\x03\x04", ARCHIVE),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"MZ", "program"),
    (b"\x7fELF", "program"),
    (b"#!", "program"),
)
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_BLANKS = b"\xef\xbb\xbf \t\r\n\x00"


def sniff(head: bytes) -> str:
    """The `Format` that begins with `head`, or `ARCHIVE`; raises `FileRefused`, which says what else it is."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    for magic, format_ in _TAKEN:
        if head.startswith(magic):
            return format_
    raise FileRefused(Reason.EMPTY if not head else Reason.NOT_TAKEN, what=_guess(head))


def _guess(head: bytes) -> str:
    """What a file that is not taken seems to be, so that the person can be told what to do instead."""
    if head[4:8] == b"ftyp":
        return "heic" if head[8:12] in _HEIC else "video"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what
    return "markup" if head.lstrip(_BLANKS).startswith(b"<") else ""
