"""A spreadsheet as rows of cells: CSV, XLSX or ODS, told apart by content, never by name.

Promises: rows come one after the other, each with its number as the program of the spreadsheet shows it. What is too large
is refused before it is read, by what it becomes when it is decompressed, not by what it says. A formula is never computed: of
one there is the value that was stored with it, and in a CSV its text. Raises `UnreadableSheet` with what to do.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sispat.importacao.rules import BYTES_ABERTOS, LINHAS_MAXIMO
from sispat.kernel.errors import SispatError
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _

__all__ = ["Cell", "Row", "Sheet", "UnreadableSheet", "open_sheet"]

Cell = str | int | float | bool | dt.date | dt.datetime | dt.time | dt.timedelta
Row = tuple[int, Sequence[Cell]]
"""Its number, counted from 1 with the heading, and its cells."""

_CHUNK = 1 << 20
_DELIMITERS = ";\t,|"
_LONGEST_CELL = 131_072  # characters, of the csv module: a quote that is never closed swallows the rest of the file


class UnreadableSheet(SispatError):
    """The file is no spreadsheet that can be read; the message says why, and what to do."""

    code = "planilha-ilegivel"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Its first sheet that holds anything: `headings`, and the rows below them. `rows_at_most` is how many there may be."""

    format: str
    headings: Sequence[str]
    rows: Iterator[Row]
    rows_at_most: int


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """The spreadsheet in the file `path`, which is open for as long as the block lasts."""
    with ExitStack() as stack:
        yield _opened(path, stack)


def _opened(path: Path, stack: ExitStack) -> Sheet:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith(b"PK\x03\x04"):
        return _open_workbook(path)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableSheet(_("É uma planilha antiga (.xls) ou com senha. Abra-a e salve como .xlsx, sem senha."))
    if not head.strip():
        raise UnreadableSheet(_("O arquivo está vazio."))
    text = stack.enter_context(path.open("r", encoding=_encoding(path, head), newline=""))
    return _open_csv(path, text)


def _too_many() -> UnreadableSheet:
    most = decimal(LINHAS_MAXIMO)
    return UnreadableSheet(
        _("A planilha tem mais de %(most)s linhas, o limite de cada vez. Divida-a em partes.", most=most)
    )


# CSV


def _open_csv(path: Path, text: io.TextIOWrapper) -> Sheet:
    rows = _csv_rows(csv.reader(text, delimiter=_delimiter(text)))
    first = next(rows, None)
    if first is None:
        raise UnreadableSheet(_("O arquivo está vazio."))
    return Sheet("csv", [str(cell).strip() for cell in first[1]], rows, _lines_in(path))


def _encoding(path: Path, head: bytes) -> str:
    """What its beginning says, else UTF-8 if all of it is, else what Windows in Brazil writes."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        raise UnreadableSheet(_("O arquivo não é uma planilha CSV, XLSX nem ODS."))
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _is_cp1252(path) else "latin-1"
    return "utf-8"


def _is_cp1252(path: Path) -> bool:
    """Whether none of the five bytes is there that Windows-1252 does not have."""
    with path.open("rb") as file:
        return not any(re.search(rb"[\x81\x8d\x8f\x90\x9d]", chunk) for chunk in iter(lambda: file.read(_CHUNK), b""))


def _delimiter(file: io.TextIOWrapper) -> str:
    """The one that the first line has most of, outside of quotes."""
    line = re.sub(r'"[^"]*"', "", file.readline(_LONGEST_CELL))
    file.seek(0)
    return max(_DELIMITERS, key=lambda each: (line.count(each), -_DELIMITERS.index(each)))


def _csv_rows(reader: Iterator[list[str]]) -> Iterator[Row]:
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if number > LINHAS_MAXIMO + 1:
                raise _too_many()
            if any(cells):
                yield number, cells
    except csv.Error as error:
        place = number + 1
        text = _("A linha %(line)s não pode ser lida: falta fechar aspas, ou a célula é grande demais.", line=place)
        raise UnreadableSheet(text) from error
    except UnicodeError as error:
        raise UnreadableSheet(_("O arquivo não é um texto válido. Salve-o de novo como CSV UTF-8.")) from error


def _lines_in(path: Path) -> int:
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
    return lines + 1


# XLSX and ODS


def _open_workbook(path: Path) -> Sheet:
    format_, rows_at_most = _inspected(path)
    from python_calamine import CalamineError, PasswordError, load_workbook

    try:
        workbook = load_workbook(str(path))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            if sheet.height:
                start = (sheet.start or (0, 0))[0]
                return _sheet_of(format_, start, sheet.iter_rows(), rows_at_most)
    except PasswordError as error:
        raise UnreadableSheet(_("A planilha tem senha. Salve-a sem senha e envie de novo.")) from error
    except CalamineError as error:
        raise _damaged() from error
    raise UnreadableSheet(_("O arquivo está vazio."))


def _sheet_of(format_: str, start: int, rows: Iterator[list[Cell]], rows_at_most: int) -> Sheet:
    numbered = ((number, cells) for number, cells in enumerate(rows, start + 1) if any(cell != "" for cell in cells))
    first = next(numbered, None)
    if first is None:
        raise UnreadableSheet(_("O arquivo está vazio."))
    return Sheet(format_, [str(cell).strip() for cell in first[1]], _at_most(numbered), rows_at_most)


def _at_most(rows: Iterator[Row]) -> Iterator[Row]:
    for count, row in enumerate(rows):
        if count >= LINHAS_MAXIMO:
            raise _too_many()
        yield row


def _damaged() -> UnreadableSheet:
    return UnreadableSheet(_("O arquivo está danificado ou incompleto. Abra-o, salve de novo e envie outra vez."))


def _inspected(path: Path) -> tuple[str, int]:
    """The format and how many rows there are; everything in the archive is decompressed once, piece by piece, and counted.

    What the archive says of its sizes may be a lie; the library would believe it until the memory is full.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            format_ = _format_of(archive, names)
            left, rows = BYTES_ABERTOS, 0
            for name in names:
                counted = re.fullmatch(r"xl/worksheets/[^/]+\.xml|content\.xml", name) is not None
                mark = b"<table:table-row" if format_ == "ods" else b"<row "
                with archive.open(name) as member:
                    left, found = _measured(member, left, mark)
                if counted:
                    rows = max(rows, found)
                if rows > LINHAS_MAXIMO + 1:
                    raise _too_many()
    # What zipfile raises for what is cut, made up, encrypted (RuntimeError) or packed in a way it does not know.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _damaged() from error
    return format_, rows


def _format_of(archive: zipfile.ZipFile, names: Sequence[str]) -> str:
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "mimetype" in names:
        with archive.open("mimetype") as member:
            if member.read(100).startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
                return "ods"
    raise UnreadableSheet(_("O arquivo não é uma planilha CSV, XLSX nem ODS."))


def _measured(member: IO[bytes], left: int, mark: bytes) -> tuple[int, int]:
    """What is left of the allowance after `member`, and how often `mark` is in it; one cut by two chunks may be missed."""
    found = 0
    while chunk := member.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            most = BYTES_ABERTOS >> 20
            text = _("Descompactada, a planilha passa de %(most)s MB. Divida-a em partes.", most=most)
            raise UnreadableSheet(text)
        found += chunk.count(mark)
    return left, found
