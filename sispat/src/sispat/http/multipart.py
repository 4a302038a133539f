"""multipart/form-data (RFC 7578), read as it comes.

Promises: of a file nothing is held but the chunk that just came, which goes to who takes it; of texts at most `MOST_TEXT`
bytes, all together. Raises `InvalidData` where the body is no such form or holds too much text, `BodyTooLarge` past the limit
of the route. A file part without a name and without content is a file input that was left empty, and passed over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _

__all__ = ["MOST_TEXT", "FilePart", "read_multipart"]

MOST_TEXT = 1 << 20  # bytes
_MOST_PARTS = 400


class FilePart(Protocol):
    """Who takes a file."""

    async def write(self, data: bytes) -> None:
        """The next bytes of it."""

    async def close(self) -> None:
        """It is whole."""


async def read_multipart(request: Request, take: Callable[[str, str], FilePart | None]) -> list[tuple[str, str]]:
    """The texts of the form that `request` brings; `take(field, filename)` gives who takes a file, None: nobody does."""
    _type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise _malformed()
    reader = _Reader(take)
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        async for chunk in _body(request):
            parser.write(chunk)
            await reader.catch_up()
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise _malformed() from error
    if not reader.ended:  # cut in the middle by who sent it, with a length that says otherwise
        raise _malformed()
    return reader.texts


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _malformed() -> InvalidData:
    return InvalidData({"corpo": _("O formulário enviado está malformado.")})


class _Reader:
    """What the parser tells, kept in order until it can be waited for: its callbacks are not asynchronous."""

    def __init__(self, take: Callable[[str, str], FilePart | None]) -> None:
        self.texts: list[tuple[str, str]] = []
        self.ended = False
        self._take = take
        self._told: list[tuple[str, bytes]] = []
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._field = self._filename = ""
        self._is_file = False
        self._file: FilePart | None = None
        self._text = bytearray()
        self._parts = self._length = 0

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """For the parser."""
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": lambda: self._told.append(("begin", self._disposition)),
            "on_part_data": lambda data, start, end: self._told.append(("data", data[start:end])),
            "on_part_end": lambda: self._told.append(("end", b"")),
            "on_end": self._ends,
        }

    async def catch_up(self) -> None:
        """Hand on what was told."""
        told, self._told = self._told, []
        for kind, data in told:
            if kind == "begin":
                self._begin(data)
            elif kind == "data":
                await self._continue(data)
            else:
                await self._end()

    def _part_begins(self) -> None:
        self._disposition = b""
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidData({"corpo": _("Campos demais: o limite é %(most)s.", most=_MOST_PARTS)})

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _ends(self) -> None:
        self.ended = True

    def _begin(self, disposition: bytes) -> None:
        _kind, options = parse_options_header(disposition)
        if b"name" not in options:
            raise _malformed()
        self._field = _decoded(options[b"name"])
        self._is_file = b"filename" in options
        self._filename = _decoded(options.get(b"filename", b""))
        self._file = self._take(self._field, self._filename) if self._filename else None
        self._text.clear()

    async def _continue(self, data: bytes) -> None:
        if self._is_file:
            if self._file is None and not self._filename and data:  # a file, only without a name
                self._filename = "?"
                self._file = self._take(self._field, "")
            if self._file is not None:
                await self._file.write(data)
            return
        self._length += len(data)
        if self._length > MOST_TEXT:
            raise InvalidData({"corpo": _("O texto enviado passa do limite de %(limit)s KiB.", limit=MOST_TEXT >> 10)})
        self._text += data

    async def _end(self) -> None:
        if not self._is_file:
            self.texts.append((self._field, _decoded(bytes(self._text))))
        elif self._file is not None:
            file, self._file = self._file, None
            await file.close()


def _decoded(sent: bytes) -> str:
    return sent.decode("utf-8", "replace")
