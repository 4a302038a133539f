"""The jobs of imports: check, save, undo.

Promises: checking and saving read the spreadsheet by the same lines of code, so that what was checked is what is saved; saving
is one transaction, with the audit of each asset, exact totals and numbers that nobody else gets; an error found while saving
saves nothing. How many rows there are does not change how much is in memory: they pass in lots.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import errors as pg

from sispat.cadastros.references import references
from sispat.importacao import rules, sql
from sispat.importacao.columns import FIELDS, NUMERO, guessed
from sispat.importacao.reading import CellError, Parsed, Reader, checked
from sispat.importacao.sheets import Row, Sheet, open_sheet
from sispat.kernel.constraints import explained
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.jobs.work import Job, JobContext
from sispat.patrimonios.bulk import OWN_NUMBERS, Batch, Change, New, changes_of, registered, reserve
from sispat.patrimonios.fields import PATRIMONIO, ItemDoLote

__all__ = ["CONFERIR", "CONSTRAINTS", "DESFAZER", "GRAVAR"]

_LOT = 500  # rows that pass at once

CONSTRAINTS = {
    "importacao_gravada": ("estado", lazy("A importação não está gravada, ou já foi desfeita.")),
    "importacao_intacta": (
        "bens",
        lazy("Há bens desta importação que alguém já alterou ou movimentou. Ela não pode mais ser desfeita inteira."),
    ),
}


@dataclass(slots=True)
class _Found:
    """What reading a spreadsheet comes to. Of errors the first are kept, and all counted."""

    rows: int = 0
    error_count: int = 0
    errors: list[CellError] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    same: int = 0
    written_off: int = 0
    highest: int = 0
    unnumbered: int = 0
    seen: dict[int, int] = field(default_factory=dict)

    def add(self, errors: list[CellError]) -> None:
        self.error_count += len(errors)
        self.errors += errors[: max(0, rules.ERROS_GUARDADOS - len(self.errors))]

    def summary(self) -> dict[str, Any]:
        return {
            "novos": self.new,
            "alterados": self.changed,
            "iguais": self.same,
            "baixados": self.written_off,
            "maior_numero": self.highest,
            "sem_numero": self.unnumbered,
        }


async def _check(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read all rows, and write down what is wrong."""
    row = await _import_of(ctx, arguments)
    async with _sheet(ctx, row) as sheet:
        columns = await _columns(ctx, row, sheet)
        found = await _pass(ctx, row, sheet, columns, None)
    await sql.replace_errors(ctx.conn, row["id"], found.errors)
    await sql.note_checked(ctx.conn, row["id"], sheet.format, columns, found.rows, found.error_count, found.summary())
    return {"linhas": found.rows, "erros": found.error_count}


async def _save(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read all rows again, and make and change what they say."""
    row = await _import_of(ctx, arguments)
    checked = row["resumo"]
    # What an earlier release has checked says nothing of those without a number: all new ones may be.
    batch = Batch(ctx, await _reserved(ctx, row), checked.get("sem_numero", checked["novos"]))
    await batch.open()
    try:
        async with _sheet(ctx, row) as sheet:
            found = await _pass(ctx, row, sheet, row["colunas"], batch)
        if found.error_count:
            first = found.errors[0]
            text = _(
                "A planilha foi conferida, e agora tem erros: confira-a de novo. Linha %(row)s, %(column)s: %(message)s",
                row=first.row, column=first.column, message=first.message,
            )  # fmt: skip
            raise InvalidData({"planilha": text})
        await batch.make()
    finally:
        await batch.close()
    done = found.rows - batch.changed

    async def told(count: int) -> None:
        nonlocal done
        done += count
        await ctx.job.progress("gravando", done, found.rows)

    await batch.change(told)
    await sql.note_written(ctx.conn, row["id"], {"novos": found.new, "alterados": found.changed, "iguais": found.same})
    return found.summary()


async def _undo(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove what it made and give back what it changed."""
    ctx.access.require(rules.IMPORTAR)
    id_ = UUID(arguments["importacao"])
    await ctx.job.progress("desfazendo")
    try:
        count = await sql.undo(ctx.conn, id_, ctx.author)
        await sql.revert(ctx.conn, id_, PATRIMONIO.columns, ctx.author)
    except pg.ForeignKeyViolation:  # a movement or a document refers to one of them
        raise InvalidData(dict([CONSTRAINTS["importacao_intacta"]])) from None
    except pg.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
    await sql.note_undone(ctx.conn, id_)
    return {"bens": count}


async def _import_of(ctx: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    ctx.access.require(rules.IMPORTAR)
    row = await sql.one(ctx.conn, UUID(arguments["importacao"]))
    if row is None or row["estado"] not in ("recebida", "conferida"):
        raise NotFound(_("A importação"), arguments["importacao"])
    return row


@asynccontextmanager
async def _sheet(ctx: JobContext, row: Mapping[str, Any]) -> AsyncIterator[Sheet]:
    """The spreadsheet, in a temporary file for as long as the block lasts."""
    await ctx.job.progress("lendo")
    with tempfile.TemporaryDirectory(prefix="sispat-") as folder:
        path = Path(folder, "planilha")
        with path.open("wb") as file:  # noqa: ASYNC230 - this process does nothing else meanwhile
            async for piece in sql.content(ctx.conn, row["id"]):
                file.write(piece)
        with open_sheet(path) as sheet:
            yield sheet


async def _columns(ctx: JobContext, row: Mapping[str, Any], sheet: Sheet) -> list[dict[str, str]]:
    """The columns with their fields: as they were chosen, or else guessed."""
    chosen = row["colunas"]
    if [column["titulo"] for column in chosen] == [heading[:200] for heading in sheet.headings]:
        return list(chosen)
    fields = guessed(sheet.headings, await sql.remembered(ctx.conn, row["por"]))
    return [{"titulo": h[:200], "campo": name} for h, name in zip(sheet.headings, fields, strict=True)]


async def _pass(
    ctx: JobContext, row: Mapping[str, Any], sheet: Sheet, columns: list[dict[str, str]], batch: Batch | None
) -> _Found:
    """Read the spreadsheet once; what is right of it goes into `batch`, up to the first row that is not."""
    found = _Found()
    fields = [column["campo"] for column in columns]
    if not any(fields):
        found.add([CellError(1, "", "", _("Nenhuma coluna tem um título conhecido. Diga abaixo o que é cada uma."))])
        return found
    options = row["opcoes"]
    defaults = {
        name: UUID(value) if name.endswith("_id") else value for name, value in options.items() if name in FIELDS
    }
    reader = Reader([column["titulo"] for column in columns], fields, defaults, await references(ctx))
    update = options.get("existentes") == rules.Existentes.ATUALIZAR
    for lot in _lots(sheet.rows):
        await ctx.job.progress("conferindo" if batch is None else "gravando", found.rows, sheet.rows_at_most)
        parsed = [reader.read(each) for each in lot]
        stored = await registered(ctx, [each.number for each in parsed if each.number is not None])
        new, changes = list[New](), list[Change]()
        for each in parsed:
            _judge(found, reader, each, stored.get(each.number or 0), new, changes, update=update)
        if batch is not None:
            if found.error_count:
                return found
            await batch.add(new, changes)
    return found


def _judge(
    found: _Found, reader: Reader, parsed: Parsed, stored: Mapping[str, Any] | None, new: list[New],
    changes: list[Change], *, update: bool,
) -> None:  # fmt: skip
    """What becomes of one row."""
    found.rows += 1
    number = parsed.number
    if parsed.written_off and not (stored and update):
        found.written_off += 1  # its history would be lost: it is left out, and told
        return
    if number is not None and found.seen.setdefault(number, parsed.row) != parsed.row:
        text = _("O mesmo número está na linha %(row)s.", row=found.seen[number])
        found.add([reader.error(parsed.row, NUMERO, parsed.cells[NUMERO], text)])
        return
    if stored is not None and not update:
        text = _("Este número já existe. Para corrigir os bens que existem, escolha “Atualizam o bem”.")
        found.add([reader.error(parsed.row, NUMERO, parsed.cells[NUMERO], text)])
        return
    wanted = checked(reader, parsed, stored)
    if isinstance(wanted, list):
        found.add(wanted)
    elif stored is None:
        found.new += 1
        if number is None:
            found.unnumbered += 1
        elif number < OWN_NUMBERS:
            found.highest = max(found.highest, number)
        new.append(New(parsed.row, number, wanted.columns()))
    else:
        _change(found, reader, parsed, stored, wanted, changes)


def _change(
    found: _Found, reader: Reader, parsed: Parsed, stored: Mapping[str, Any], wanted: ItemDoLote, changes: list[Change]
) -> None:
    try:
        columns = changes_of(stored, wanted)
    except InvalidData as error:
        found.add(
            [reader.error(parsed.row, name, parsed.cells.get(name, ""), text) for name, text in error.fields.items()]
        )
        return
    if columns:
        found.changed += 1
        changes.append(Change(parsed.row, stored["id"], stored["versao"], columns))
    else:
        found.same += 1


async def _reserved(ctx: JobContext, row: Mapping[str, Any]) -> int:
    """The first plate number for assets without one; an attempt after a crash takes those that were reserved before.

    In a transaction of its own: whoever registers an asset meanwhile waits for the counter no longer than that.
    """
    if row["primeiro_numero"] is not None:
        return int(row["primeiro_numero"])
    checked = row["resumo"]
    async with ctx.job.db.transaction() as conn:
        first = await reserve(conn, checked.get("sem_numero", checked["novos"]), checked["maior_numero"])
        await sql.note_reserved(conn, row["id"], first)
    return first


def _lots(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while lot := list(islice(rows, _LOT)):
        yield lot


def _path(arguments: Mapping[str, Any]) -> str:
    return f"/importacoes/{arguments['importacao']}"


_STEPS = {
    "lendo": lazy("Lendo a planilha"),
    "conferindo": lazy("Conferindo as linhas"),
    "gravando": lazy("Gravando os bens"),
    "desfazendo": lazy("Desfazendo"),
}
CONFERIR = Job("importacao.conferir", lazy("Conferir a planilha"), _check, _STEPS, _path)
GRAVAR = Job("importacao.gravar", lazy("Gravar a importação"), _save, _STEPS, _path)
DESFAZER = Job("importacao.desfazer", lazy("Desfazer a importação"), _undo, _STEPS, _path)
