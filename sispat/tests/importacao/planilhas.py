"""Spreadsheets of the tests, and imports done without processes."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID
from xml.sax.saxutils import escape

import psycopg
import xlsxwriter

from esteio.postgres import Database, DiskRoom, Dsn
from sispat.importacao import actions
from sispat.importacao.fields import Conferencia, ListaDeErros
from sispat.importacao.work import CONFERIR, DESFAZER, GRAVAR
from sispat.kernel.context import Context
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.runner import settled
from sispat.kernel.jobs.work import Ending, perform
from sispat.kernel.permissions import Access, Papel

JOBS = {job.name: job for job in (CONFERIR, GRAVAR, DESFAZER)}
Rows = Sequence[Sequence[Any]]


def csv_bytes(rows: Rows, delimiter: str = ";", encoding: str = "utf-8") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_bytes(rows: Rows, **options: Any) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out, {"default_date_format": "dd/mm/yyyy", "strings_to_numbers": False, **options}
    ) as book:
        sheet = book.add_worksheet()
        for y, row in enumerate(rows):
            for x, cell in enumerate(row):
                sheet.write(y, x, cell)
    return out.getvalue()


def ods_bytes(rows: Rows) -> bytes:
    lines = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            if isinstance(cell, int | float)
            else f'<table:table-cell office:value-type="string"><text:p>{escape(str(cell))}</text:p></table:table-cell>'
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
            f'<table:table table:name="A">{lines}</table:table></office:spreadsheet></office:body></office:document-content>',
        )
    return out.getvalue()


class Importer:
    """The gestor, who imports; jobs are done at once, in this process."""

    def __init__(self, db: Database, person: UUID) -> None:
        self.db = db
        self.room: DiskRoom | None = None
        self._access = Access(person, "Gestor", "gestor@demo.local", Papel.GESTOR)

    @asynccontextmanager
    async def context(self) -> AsyncIterator[Context]:
        async with self.db.transaction() as conn:
            yield Context(conn, self._access, "pedido")

    async def work(self) -> None:
        """Do what is in the queue."""
        while True:
            async with self.db.connection() as conn:
                taken = await queue.claim(conn, "teste")
            if taken is None:
                return
            code = await perform(self.db, JOBS, taken.id, taken.turn, self.room)
            if code is Ending.NO_ROOM:  # as whoever looks after its process does
                async with self.db.connection() as conn:
                    await queue.settle(conn, taken, settled(taken, code))

    async def send(self, content: bytes, name: str = "bens.csv", **wanted: Any) -> dict[str, Any]:
        """Send a spreadsheet and have it checked; with `wanted`, read as that says."""

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 1 << 20):
                yield content[start : start + (1 << 20)]

        async with self.context() as ctx:
            id_ = await actions.receber(ctx, name, len(content), pieces())
        await self.work()
        return await self.check(id_, **wanted) if wanted else await self.row(id_)

    async def check(self, id_: UUID, **wanted: Any) -> dict[str, Any]:
        async with self.context() as ctx:
            await actions.conferir(ctx, id_, Conferencia.parse(wanted))
        await self.work()
        return await self.row(id_)

    async def save(self, row: dict[str, Any]) -> dict[str, Any]:
        async with self.context() as ctx:
            await actions.gravar(ctx, row["id"], row["versao"])
        await self.work()
        return await self.row(row["id"])

    async def undo(self, row: dict[str, Any]) -> dict[str, Any]:
        async with self.context() as ctx:
            await actions.desfazer(ctx, row["id"])
        await self.work()
        return await self.row(row["id"])

    async def row(self, id_: UUID) -> dict[str, Any]:
        """The import, with the job it waited for."""
        async with self.context() as ctx:
            row = await actions.obter(ctx, id_)
            return {**row, "tarefa": await queue.one(ctx.conn, row["tarefa_id"])}

    async def errors(self, row: dict[str, Any]) -> list[tuple[int, str, str, str]]:
        async with self.context() as ctx:
            found, _following = await actions.erros(ctx, row["id"], ListaDeErros(limit=200))
            return [tuple(each) for each in found]


def registers(cidade: Dsn) -> dict[str, str]:
    """Names and codes of one asset's registers."""
    with psycopg.connect(cidade.conninfo) as conn:
        cursor = conn.execute(
            """select c.nome as classe, c.conta, s.codigo as setor, s.nome as setor_nome, l.nome as local, a.matricula,
                      a.nome as agente, c.id::text as classe_id, l.id::text as local_id, a.id::text as agente_id
               from patrimonio p join classe c on c.id = classe_id join setor s on s.id = p.setor_id
               join local l on l.id = local_id join agente a on a.id = agente_id order by p.numero limit 1"""
        )
        row = cursor.fetchone()
        assert row is not None
        return dict(zip([column.name for column in cursor.description or ()], row, strict=True))
