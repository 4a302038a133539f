"""Publishing open data by a job, daily (`dados_abertos.daily`) or when somebody asks.

Promises: all files are of one publication and appear together, or none does; each is the same bytes for everybody until the
next. While the city does not publish (`SISPAT_OPEN_DATA`), nothing of it is read or made. Publishing is audited.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection

from sispat.dados_abertos import rules, sql
from sispat.dados_abertos.datasets import CATALOGUE, DATASETS, DICTIONARY, Dataset, data_package, dictionary
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.csv_lines import BOM, csv_lines
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import SOURCE, _, lazy, using
from sispat.kernel.jobs.work import Job, JobContext, ask_for
from sispat.settings import load_settings

__all__ = ["PUBLICAR", "publicar"]

_LOT = 2000
_PART = 256 * 1024  # compressed bytes in a row of their own


async def publicar(ctx: Context, *, open_data: bool) -> UUID:
    """Ask for the job that publishes all files anew; its id."""
    ctx.access.require(rules.PUBLICAR)
    if not open_data:
        raise InvalidData({"publicacao": _("A cidade não publica dados abertos: SISPAT_OPEN_DATA é não.")})
    return await ask_for(ctx, PUBLICAR, {})


async def _work(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make all files."""
    del arguments
    ctx.access.require(rules.PUBLICAR)
    city = load_settings().city_name
    publication, when = await sql.begin(ctx.conn)
    files: dict[str, dict[str, Any]] = {}
    with using(SOURCE):  # what is published is in Portuguese, whoever asked for it
        for step, dataset in enumerate(DATASETS):
            await ctx.job.progress("gravando", step, len(DATASETS))
            files |= await _dataset(ctx, publication, when, dataset)
        counted = {each.name: files[f"{each.name}.csv"]["linhas"] for each in DATASETS}
        lines = [("conjunto", "campo", "tipo", "significado", "valores"), *dictionary()]
        for name, content, rows in (
            (DICTIONARY, BOM + csv_lines(lines), len(lines) - 1),
            (CATALOGUE, orjson.dumps(data_package(city, when, counted), option=orjson.OPT_INDENT_2), None),
        ):
            file = _File(ctx.conn, publication, name)
            await file.write(content)
            files[name] = await file.close(rows)
    await sql.finish(ctx.conn, publication, files)
    await sql.forget_old(ctx.conn)
    told = {name: counted[name] for name in sorted(counted)}
    await audit.record(
        ctx.conn, actor=ctx.job.taken.person, key_id=ctx.key_id, request_id=ctx.request_id, entidade="publicacao",
        entidade_id=publication, acao="publicar_dados_abertos", depois=told,
    )  # fmt: skip
    await ctx.job.progress("gravando", len(DATASETS), len(DATASETS))
    return told


PUBLICAR = Job(
    "dados_abertos.publicar",
    lazy("Publicar dados abertos"),
    _work,
    {"gravando": lazy("Gravando os arquivos")},
    lambda _: "/dados-abertos",
    unattended=True,
)


def _exact(value: object) -> object:
    """A decimal as a number of JSON, digit by digit."""
    if not isinstance(value, Decimal):
        raise TypeError(type(value))
    return orjson.Fragment(str(value))


class _File:
    """A file that is being written: compressed, stored part by part, summed up."""

    def __init__(self, conn: AsyncConnection[Any], publication: UUID, name: str) -> None:
        self._conn, self._publication, self._name = conn, publication, name
        self._zip, self._digest = zlib.compressobj(6, zlib.DEFLATED, 31), hashlib.sha256()
        self._held, self._parts, self._size, self._zipped = bytearray(), 0, 0, 0

    async def write(self, content: bytes) -> None:
        """Add to it."""
        self._digest.update(content)
        self._size += len(content)
        self._held += self._zip.compress(content)
        if len(self._held) >= _PART:
            await self._store()

    async def _store(self) -> None:
        await sql.add_part(self._conn, self._publication, self._name, self._parts, bytes(self._held))
        self._zipped += len(self._held)
        self._parts += 1
        self._held.clear()

    async def close(self, rows: int | None) -> dict[str, Any]:
        """What is told of it."""
        self._held += self._zip.flush()
        await self._store()
        return {
            "linhas": rows, "bytes": self._size, "comprimido": self._zipped, "sha256": self._digest.hexdigest(),
        }  # fmt: skip


async def _dataset(
    ctx: JobContext, publication: UUID, when: dt.datetime, dataset: Dataset
) -> dict[str, dict[str, Any]]:
    names = [each.name for each in dataset.columns]
    table, records = (_File(ctx.conn, publication, f"{dataset.name}.{form}") for form in ("csv", "json"))
    head = {"conjunto": dataset.name, "publicado_em": when.isoformat(timespec="seconds")}
    await table.write(BOM + csv_lines([names]))
    await records.write(orjson.dumps(head)[:-1] + b',"itens":[')
    count = 0
    async for columns, lot in sql.rows(ctx.conn, dataset.name, _LOT):
        assert columns == names, (columns, names)
        await table.write(csv_lines([["" if cell is None else cell for cell in row] for row in lot]))
        items = b",\n".join(orjson.dumps(dict(zip(names, row, strict=True)), default=_exact) for row in lot)
        await records.write((b",\n" if count else b"\n") + items)
        count += len(lot)
        await ctx.job.progress("gravando", DATASETS.index(dataset), len(DATASETS))
    await records.write(b"\n]}\n")
    return {f"{dataset.name}.csv": await table.close(count), f"{dataset.name}.json": await records.close(count)}
