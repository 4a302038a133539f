"""Jobs: taken by one process at a time, done once or not at all, and what became of each is in its row."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from job_process import FALL, HALF, JOBS, database

from esteio.postgres import Database, Dsn
from sispat.kernel.audit import Author
from sispat.kernel.i18n import using
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.queue import Claim, Estado, Settled
from sispat.kernel.jobs.runner import settled
from sispat.kernel.jobs.work import Ending, perform


@pytest.fixture
async def db(cidade: Dsn) -> AsyncIterator[Database]:
    """As the application's role."""
    async with database(cidade.url) as db:
        yield db


async def put(db: Database, kind: str = HALF.name, language: str = "pt-BR", **arguments: Any) -> UUID:
    person = await db.fetch_value("select id from usuario where papel = 'gestor'")
    async with db.connection() as conn:
        return await queue.put(conn, kind, arguments, Author(person, None, "pedido-1"), language, attempts=3, limit=60)


async def take(db: Database, name: str = "um") -> Claim:
    async with db.connection() as conn:
        taken = await queue.claim(conn, name)
    assert taken is not None
    return taken


async def row(db: Database, id_: UUID) -> dict[str, Any]:
    async with db.connection() as conn:
        found = await queue.one(conn, id_)
    assert found is not None
    return found


async def written(db: Database, id_: UUID) -> int:
    return int(await db.fetch_value("select count(*) from evento where entidade_id = %s", [id_]))


async def half_done(db: Database, id_: UUID) -> None:
    async with asyncio.timeout(30):
        while (await row(db, id_))["etapa"] != "metade":  # noqa: ASYNC110 - another process would not set an event either
            await asyncio.sleep(0.01)


async def expire(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update tarefa set vista_em = now() - interval '1 hour'")


async def test_of_many_who_ask_each_job_goes_to_one_and_the_oldest_first(db: Database) -> None:
    ids = [await put(db, gate="/") for _ in range(3)]
    taken = await asyncio.gather(*(take(db, str(i)) for i in range(3)))
    assert {each.id for each in taken} == set(ids)
    async with db.connection() as conn:
        assert await queue.claim(conn, "mais um") is None
        assert (await queue.page(conn, None, None, 2))[0]["id"] == ids[-1]


async def test_a_job_is_done_with_the_rights_of_who_asked_and_that_it_is_done_commits_with_it(db: Database) -> None:
    id_ = await put(db, gate="/")
    taken = await take(db)
    assert await perform(db, JOBS, id_, taken.turn) is Ending.ENDED
    done = await row(db, id_)
    assert (done["estado"], done["resultado"], done["feito"], done["total"]) == ("concluida", {"escritos": 2}, 2, 2)
    assert await written(db, id_) == 2
    who = await db.fetch_one("select ator_id, requisicao from evento where entidade_id = %s limit 1", [id_])
    assert who == (done["pedida_por"], "pedido-1")
    assert await perform(db, JOBS, id_, taken.turn) is Ending.ENDED, "somebody who comes too late does nothing"
    assert await written(db, id_) == 2


async def test_a_process_that_was_not_seen_loses_its_job_and_what_it_did_is_undone(
    db: Database, cidade: Dsn, tmp_path: Path
) -> None:
    id_ = await put(db, gate=str(tmp_path / "gate"))
    first = await take(db)
    slow = asyncio.create_task(perform(db, JOBS, id_, first.turn))
    await half_done(db, id_)
    async with db.connection() as conn:
        assert await queue.claim(conn, "dois") is None, "it is seen"
    await expire(cidade)
    second = await take(db, "dois")
    assert (second.id, second.turn, second.failures) == (id_, 2, 1)
    (tmp_path / "gate").touch()
    await slow
    assert (await row(db, id_))["estado"] == "executando"
    assert await written(db, id_) == 0
    await perform(db, JOBS, id_, second.turn)
    assert ((await row(db, id_))["estado"], await written(db, id_)) == ("concluida", 2)


async def test_a_cancelled_job_does_not_begin_or_leaves_nothing(db: Database, tmp_path: Path) -> None:
    waiting = await put(db, gate="/")
    async with db.connection() as conn:
        assert await queue.cancel(conn, waiting) == "cancelada"
        assert await queue.claim(conn, "um") is None
        assert await queue.cancel(conn, waiting) is None, "it has ended"
    under_way = await put(db, gate=str(tmp_path / "gate"))
    taken = await take(db)
    doing = asyncio.create_task(perform(db, JOBS, under_way, taken.turn))
    await half_done(db, under_way)
    async with db.connection() as conn:
        assert await queue.cancel(conn, under_way) == "executando"
        assert await queue.heartbeat(conn, taken) == (True, True)
    await doing
    async with db.connection() as conn:
        await queue.settle(conn, taken, settled(taken, 0))
    assert ((await row(db, under_way))["estado"], await written(db, under_way)) == ("cancelada", 0)


async def test_why_a_job_failed_is_said_in_the_language_of_who_asked(db: Database, cidade: Dsn) -> None:
    said = {}
    for how, language in (("dados", "en"), ("memoria", "pt-BR"), ("outro", "pt-BR")):
        id_ = await put(db, FALL.name, language, how=how)
        assert await perform(db, JOBS, id_, (await take(db)).turn) is Ending.ENDED
        failed = await row(db, id_)
        assert failed["estado"] == "falhou"
        said[failed["erro"]["code"]] = failed["erro"]["message"]
    assert said["dados-invalidos"] == "Check: valor: Fill in this field."
    assert "SISPAT_JOB_MEMORY" in said["memoria"]
    assert "nada foi gravado" in said["interno"]
    id_ = await put(db, gate="/")
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update usuario set ativo = false where papel = 'gestor'")
    await perform(db, JOBS, id_, (await take(db)).turn)
    assert (await row(db, id_))["erro"]["code"] == "pessoa-desativada"
    assert await perform(db, {}, await put(db, gate="/"), (await take(db)).turn) is Ending.UNKNOWN_KIND


def test_what_becomes_of_a_job_whose_process_ended() -> None:
    taken = Claim(UUID(int=1), "teste.metade", 1, {}, None, None, "", "pt-BR", 0, 3, 60)
    assert settled(taken, Ending.AGAIN) == Settled(Estado.PENDENTE, 2.0, failed=True)
    assert settled(taken._replace(failures=1), -signal.SIGKILL) == Settled(Estado.PENDENTE, 4.0, failed=True)
    assert settled(taken._replace(failures=2), -signal.SIGKILL).code == "interrompida"
    assert settled(taken, -signal.SIGABRT).code == "memoria"
    assert settled(taken, -signal.SIGTERM, late=True).code == "tempo"
    assert settled(taken, -signal.SIGTERM, stopped=True) == Settled(Estado.PENDENTE)
    assert settled(taken, Ending.UNKNOWN_KIND) == Settled(Estado.PENDENTE, 10.0)
    with using("en"):
        assert "interrupted" in settled(taken._replace(failures=2), 1).message


async def test_how_long_a_job_waits_for_somebody_is_known_and_old_ones_are_removed(db: Database, cidade: Dsn) -> None:
    async with db.connection() as conn:
        assert await queue.overdue(conn) == 0
        id_ = await put(db, gate="/")
        with psycopg.connect(cidade.conninfo) as owner:
            owner.execute("update tarefa set a_partir_de = now() - interval '5 minutes'")
        assert await queue.overdue(conn) == pytest.approx(300, abs=30)
        await take(db)
        assert await queue.overdue(conn) == 0
        await expire(cidade)
        assert await queue.overdue(conn) == pytest.approx(3585, abs=30)
        await queue.cancel(conn, id_)
        await queue.settle(conn, await take(db), Settled(Estado.PENDENTE))
        assert (await queue.overdue(conn), await queue.remove_old(conn)) == (0, 0)
        with psycopg.connect(cidade.conninfo) as owner:
            owner.execute("update tarefa set terminada_em = now() - interval '31 days'")
        assert await queue.remove_old(conn) == 1
