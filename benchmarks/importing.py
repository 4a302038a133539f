"""Claim: 100,000 assets are imported from a spreadsheet, checked and saved, within 40 s, by a process of less than 300 MB.

The whole way: the spreadsheet is stored, one job checks it row by row, another checks it again and saves it, with the audit of
each asset and exact totals. Each job is the process that `sispat jobs` starts; what is counted is its own time and memory.
The peer is what a program without an import would do: the API's use case for 500 different assets, again and again.

    python -m benchmarks.importing [--rows 100000] [--format xlsx]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import xlsxwriter
from benchmarks.report import Claim, publish

from esteio.postgres import Database, Dsn
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.importacao import actions
from sispat.kernel.context import Context
from sispat.kernel.jobs import queue
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.schema import migrate
from sispat.patrimonios.actions import criar_lote
from sispat.patrimonios.fields import ItemDoLote

SECONDS, MEGABYTES = 40.0, 300.0
_HEADINGS = ("Descrição", "Marca", "Modelo", "Número de série", "Conta", "Valor", "Data de aquisição", "Nota fiscal",
             "Empenho", "Setor", "Local", "Matrícula", "Conservação", "Observação")  # fmt: skip
_LOT = 500


def _registers(dsn: Dsn) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(
            """select distinct c.conta, s.codigo, l.nome, a.matricula, c.id, s.id, l.id, a.id from patrimonio p
               join classe c on c.id = classe_id join setor s on s.id = p.setor_id join local l on l.id = local_id
               join agente a on a.id = agente_id limit 200"""
        ).fetchall()


def _rows(registers: list[tuple[Any, ...]], count: int) -> list[list[str]]:
    rows = []
    for n in range(count):
        conta, setor, local, matricula = registers[n % len(registers)][:4]
        rows.append([f"Cadeira giratória com braços nº {n}", "Flexform", f"M{n % 40}", f"SN-{n:08}", conta, f"{n % 5000},90",
                     f"{n % 28 + 1:02}/{n % 12 + 1:02}/20{n % 15 + 10}", f"NF {n // 50}", f"2026NE{n // 100:05}", setor, local,
                     matricula, "Bom", ""])  # fmt: skip
    return rows


def _spreadsheet(rows: list[list[str]], format_: str, path: Path) -> None:
    if format_ == "csv":
        lines = (";".join(row) for row in (_HEADINGS, *rows))
        path.write_text("\n".join(lines), "utf-8")
        return
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for y, row in enumerate((_HEADINGS, *rows)):
            sheet.write_row(y, 0, row)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


async def _job(db: Database, dsn: Dsn) -> tuple[float, float]:
    """Do the job that is due in a process of its own; its seconds, and its largest memory in MB."""
    async with db.connection() as conn:
        taken = await queue.claim(conn, "benchmark")
    assert taken is not None
    environment = {**os.environ, "DATABASE_URL": dsn.url}
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sispat", "job", str(taken.id), str(taken.turn), env=environment
    )
    await child.wait()
    seconds = time.perf_counter() - began
    async with db.connection() as conn:
        job = await queue.one(conn, taken.id)
    assert (job or {}).get("estado") == "concluida", job
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


async def _import(dsn: Dsn, path: Path, rows: int) -> tuple[float, float, float]:
    """Seconds of the check and of the saving, and the largest memory of either."""
    async with Database(dsn, settings={"role": "sispat_app"}, leak_after=None) as db:
        person: UUID = await db.fetch_value("select id from usuario where papel = 'gestor'")
        access = Access(person, "Gestor", "", Papel.GESTOR)
        async with db.transaction() as conn:
            ctx = Context(conn, access, "benchmark")
            size = path.stat().st_size  # noqa: ASYNC240 - nobody else waits here
            id_ = await actions.receber(ctx, path.name, size, _pieces(path))
        checked, memory = await _job(db, dsn)
        async with db.transaction() as conn:
            ctx = Context(conn, access, "benchmark")
            found = await actions.obter(ctx, id_)
            assert (found["erros"], found["resumo"]["novos"]) == (0, rows), found["resumo"]
            await actions.gravar(ctx, id_, found["versao"])
        saved, more = await _job(db, dsn)
    return checked, saved, max(memory, more)


async def _in_lots(dsn: Dsn, registers: list[tuple[Any, ...]], count: int) -> float:
    """Seconds for `count` assets by the API's use case, 500 at a time."""
    items = []
    for n in range(_LOT):
        classe, setor, local, agente = registers[n % len(registers)][4:]
        items.append(ItemDoLote(descricao=f"Mesa nº {n}", classe_id=classe, valor="10.00", data_aquisicao="2026-01-31",
                                setor_id=setor, local_id=local, agente_id=agente))  # fmt: skip
    async with Database(dsn.with_(statement_timeout=0), settings={"role": "sispat_app"}) as db:
        person = await db.fetch_value("select id from usuario where papel = 'gestor'")
        began = time.perf_counter()
        for _ in range(max(1, count // _LOT)):
            async with db.transaction() as conn:
                await criar_lote(Context(conn, Access(person, "Gestor", "", Papel.GESTOR), "benchmark"), items)
        return (time.perf_counter() - began) * count / (max(1, count // _LOT) * _LOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--format", choices=("csv", "xlsx"), default="xlsx")
    asked = parser.parse_args()
    server = PostgresServer()
    server.start()
    try:
        dsn = server.create_database("importing")
        migrate(dsn)
        populate(dsn, size=5000)
        registers = _registers(dsn)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"bens.{asked.format}")
            _spreadsheet(_rows(registers, asked.rows), asked.format, path)
            checked, saved, memory = asyncio.run(_import(dsn, path, asked.rows))
        part = max(_LOT, asked.rows // 10)
        lots = asyncio.run(_in_lots(dsn, registers, part)) * asked.rows / part
    finally:
        server.stop()
    print(f"{asked.rows} rows of {asked.format}: checked in {checked:.1f} s, saved in {saved:.1f} s, {memory:.0f} MB")
    whole = f"import {asked.rows} assets from {asked.format}: check and save"
    publish(
        "importing",
        [
            Claim(whole, "s", "lower", checked + saved, {"500 at a time by the API's use case": lots}, target=SECONDS),
            Claim(f"memory of the process, {asked.rows} rows", "MB", "lower", memory, target=MEGABYTES),
        ],
    )


if __name__ == "__main__":
    main()
