"""What the backups are there for, and they themselves."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime

import psycopg

from esteio.drill import Fault, Group
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]


async def _store_away(city: City) -> None:
    city.service.backups.rename(city.service.backups.with_name("away"))


async def _is_away(city: City) -> bool:
    return not city.service.backups.exists()


async def _store_back(city: City) -> None:
    away = city.service.backups.with_name("away")
    if away.exists():
        shutil.rmtree(city.service.backups, ignore_errors=True)
        away.rename(city.service.backups)


async def _delete_data(city: City) -> None:
    await asyncio.to_thread(shutil.rmtree, city.service.data / "postgres", ignore_errors=True)


async def _data_gone(city: City) -> bool:
    return not (city.service.data / "postgres" / "PG_VERSION").exists()


async def _restore_last(city: City) -> None:
    await city.service.command("backup", "restore", "cluster", "--replace", "--yes")


async def _drop_table(city: City) -> None:
    city.kept["before"] = datetime.now(UTC)
    await asyncio.sleep(0.05)  # the moment to come back to lies before the drop
    async with await psycopg.AsyncConnection.connect(city.service.owner().conninfo) as conn:
        await conn.execute("drop table patrimonio cascade")


async def _table_gone(city: City) -> bool:
    async with await psycopg.AsyncConnection.connect(city.service.owner().conninfo) as conn:
        row = await (await conn.execute("select to_regclass('patrimonio')")).fetchone()
        return row == (None,)


async def _restore_before(city: City) -> None:
    moment = city.kept["before"].isoformat(timespec="milliseconds")
    await city.service.command("backup", "restore", "cluster", "--target-time", moment, "--replace", "--yes")


FAULTS: tuple[Fault[City], ...] = (
    Fault(
        "store-away",
        lazy("O lugar das cópias some por 5 s"),
        _store_away,
        _is_away,
        _store_back,
        lasts=5.0,
    ),
    Fault(
        "data-deleted",
        lazy("A pasta do banco é apagada; uma pessoa restaura"),
        _delete_data,
        _data_gone,
        _restore_last,
        lasts=2.0,
        patience=60,
        may_cost=1.0,
        group=Group.SITE,
    ),
    Fault(
        "table-dropped",
        lazy("Uma pessoa apaga a tabela de bens; outra volta ao segundo anterior"),
        _drop_table,
        _table_gone,
        _restore_before,
        lasts=2.0,
        patience=60,
        may_cost=1.0,
        group=Group.CHANGES,
    ),
)
