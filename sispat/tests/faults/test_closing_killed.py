"""A month is closed once or not at all, whatever is killed at whatever moment: its process, or PostgreSQL.

SISPAT_CLOSING_KILLS sets how many months (`make rounds`: 50).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from esteio.postgres import Database, Dsn
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.depreciacao.actions import FECHAR_MES
from sispat.depreciacao.rules import Regra, first_day
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import perform
from sispat.kernel.schema import migrate

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(1200)]

KILLS = int(os.environ.get("SISPAT_CLOSING_KILLS", "3"))
SIZE = 3000
START = 2018 * 12


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be killed, with a city."""
    server = PostgresServer()
    server.start()
    dsn = server.create_database("fechamentos")
    migrate(dsn)
    populate(dsn, size=SIZE)
    yield server
    server.stop()


def ask_for(dsn: Dsn, month: int) -> None:
    arguments = {"competencia": first_day(month).isoformat(), "regra": Regra.MES.value}
    with psycopg.connect(dsn.conninfo) as conn:
        conn.execute(
            "insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)"
            " select %s, %s, id, 'r', 'pt-BR', 5, 600 from usuario where papel = 'gestor'",
            [FECHAR_MES.name, Jsonb(arguments)],
        )


async def claim(dsn: Dsn) -> queue.Claim:
    """Take the job, as if who had it was not seen any more."""
    async with Database(dsn, min_size=1) as db, db.connection() as conn:
        await conn.execute("update tarefa set vista_em = now() - interval '1 hour' where estado = 'executando'")
        taken = await queue.claim(conn, "teste")
    assert taken is not None
    return taken


async def close(dsn: Dsn) -> float:
    """Do the job that waits, undisturbed; the seconds that it took."""
    taken = await claim(dsn)
    began = time.monotonic()
    async with Database(dsn, min_size=1, settings={"role": "sispat_app"}, leak_after=None) as db:
        await perform(db, {FECHAR_MES.name: FECHAR_MES}, taken.id, taken.turn)
    return time.monotonic() - began


def closed(dsn: Dsn, month: int) -> tuple[Any, ...]:
    """How often the month is closed, and whether its lines, its accounts and its sums say the same; lines without a month."""
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute(
            """select (select count(*) from fechamento where competencia = %(month)s),
                      (select count(*) from tarefa where estado = 'concluida' and argumentos ->> 'competencia' = %(text)s),
                      coalesce((select (f.bens, f.bruto, f.acumulada) = (
                           select count(*) filter (where not d.saiu), sum(d.bruto), sum(d.acumulada) from depreciacao d
                           where d.fechamento = f.numero) from fechamento f where competencia = %(month)s), true),
                      (select count(*) from depreciacao d
                       where not exists (select from fechamento f where f.numero = d.fechamento))""",
            {"month": first_day(month), "text": first_day(month).isoformat()},
        ).fetchone()
    assert row is not None
    return row


async def test_a_month_whose_closing_is_killed_at_any_moment_is_closed_once_or_not(server: PostgresServer) -> None:
    dsn, rnd = server.dsn("fechamentos"), Random(20)
    ask_for(dsn, START)
    lasts, undone = await close(dsn), 0
    for kill in range(1, KILLS + 1):
        month = START + kill
        ask_for(dsn, month)
        taken = await claim(dsn)
        script = str(Path(__file__).with_name("closing_process.py"))
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, script, dsn.url, str(taken.id), str(taken.turn)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"begins\n"
        time.sleep(rnd.uniform(0, lasts * 1.2))  # noqa: ASYNC251 - the moment
        if kill % 5 == 3:
            server.kill()
            server.start()
        child.kill()
        child.wait(10)
        child.stdout.close()
        times, done, whole, loose = closed(dsn, month)
        assert (times, whole, loose) in ((0, True, 0), (1, True, 0))
        assert times == done, "that it is done commits with it"
        if not times:
            undone += 1
            await close(dsn)
        assert closed(dsn, month) == (1, 1, True, 0)
    print(f"{undone} of {KILLS} killed before they were done")
