"""Seals over the audit: every record changed, removed or slipped in afterwards is found, and nothing else."""

from __future__ import annotations

import psycopg
import pytest
from processos import comando
from psycopg import AsyncConnection

from sispat.auditoria import seals
from sispat.auditoria.seals import Finding

_FORGED = """insert into evento (id, ator_id, requisicao, entidade, entidade_id, acao) overriding system value
             select {id}, null, 'r', 'patrimonio', id, 'editar' from patrimonio limit 1"""


async def _connected(dsn) -> AsyncConnection:
    return await AsyncConnection.connect(dsn.conninfo, autocommit=True)


async def _written(conn: AsyncConnection, many: int) -> None:
    await conn.execute(
        """insert into evento (requisicao, entidade, entidade_id, acao, antes, depois)
           select 'r', 'patrimonio', gen_random_uuid(), 'editar', '{"marca": "é"}', jsonb_build_object('valor', k)
           from generate_series(1, %s) k""",
        [many],
    )


async def _seal_all(conn: AsyncConnection) -> int:
    """As hours would: the seals of the cut before, a cut, a while, and its seals."""
    made = 0
    for _ in range(3):
        made += await seals.seal(conn)
        await conn.execute("update auditoria_corte set em = em - interval '2 minutes'")
    return made


async def _as_owner(conn: AsyncConnection, statement: str) -> None:
    await conn.execute("set session_replication_role = replica")  # as who owns the database can: no trigger fires
    await conn.execute(statement)
    await conn.execute("reset session_replication_role")


async def test_all_that_is_settled_is_sealed_and_fits(cidade) -> None:
    async with await _connected(cidade) as conn:
        await _written(conn, 2500)
        assert await seals.seal(conn) == 0, "a record may still be on its way before the last"
        assert (await seals.verify(conn)).seals == 0
        await conn.execute("update auditoria_corte set em = em - interval '2 minutes'")
        assert await seals.seal(conn) >= 3
        await _written(conn, 7)
        done = await seals.verify(conn)
        assert (done.findings, done.unsealed) == ((), 7)
        assert done.last is not None
        assert await seals.last_seal(conn) == done.last
        assert await _seal_all(conn) == 1
        assert (await seals.verify(conn)).unsealed == 0
        assert await _seal_all(conn) == 0, "nothing is new"


async def test_nothing_is_sealed_before_who_may_still_write_is_done(cidade) -> None:
    async with await _connected(cidade) as slow, await _connected(cidade) as conn:
        await slow.execute("begin")
        await _written(slow, 1)  # its number lies before those that follow
        await _written(conn, 3)
        assert await _seal_all(conn) == 0
        assert await seals.seal(conn) == 0, "it waits for that transaction alone"
        await slow.execute("commit")
        assert await seals.seal(conn) == 1
        assert (await seals.verify(conn)).findings == ()


async def test_one_process_seals_at_a_time(cidade) -> None:
    async with await _connected(cidade) as other, await _connected(cidade) as conn:
        await _written(conn, 3)
        await _seal_all(conn)
        await _written(conn, 3)
        async with other.transaction():
            await other.execute("select pg_advisory_xact_lock(%s)", [seals._LOCK])
            assert await _seal_all(conn) == 0
        assert await _seal_all(conn) == 1


async def test_a_cut_of_another_cluster_is_forgotten(cidade) -> None:
    """After a restore of a dump the numbers of transactions begin anew."""
    async with await _connected(cidade) as conn:
        await _written(conn, 3)
        await seals.seal(conn)
        await conn.execute("update auditoria_corte set transacao = '999999999999'")
        assert await _seal_all(conn) + await _seal_all(conn) >= 1


@pytest.mark.parametrize(
    "forgery",
    [
        "update evento set acao = 'ver' where id = {id}",
        "update evento set depois = depois || '{{\"valor\": 9}}' where id = {id}",
        "update evento set em = em + interval '1 microsecond' where id = {id}",
        "update evento set ator_id = gen_random_uuid() where id = {id}",
        "delete from evento where id = {id}",
        "delete from evento where id = {id}; " + _FORGED,
    ],
)
async def test_every_change_of_a_sealed_record_is_found_where_it_is(cidade, forgery) -> None:
    async with await _connected(cidade) as conn:
        await _written(conn, 2100)
        await _seal_all(conn)
        (victim,) = await (await conn.execute("select id from evento order by id desc offset 50 limit 1")).fetchone()
        (number, first, last) = await (
            await conn.execute(
                """select numero, lag(ate_id) over (order by numero) + 1, ate_id from auditoria_selo
                   where numero >= (select min(numero) - 1 from auditoria_selo where ate_id >= %s) order by numero
                   offset 1 limit 1""",
                [victim],
            )
        ).fetchone()
        for statement in forgery.format(id=victim).split("; "):
            await _as_owner(conn, statement)
        found = (await seals.verify(conn)).findings
        assert [(each.kind, each.number, each.first_id, each.last_id) for each in found] == [
            ("records", number, first, last)
        ]


async def test_seals_that_were_removed_or_made_anew_are_found(cidade) -> None:
    async with await _connected(cidade) as conn:
        await _written(conn, 3100)
        await _seal_all(conn)
        before = await seals.last_seal(conn)
        assert before is not None
        noted = (before.number, before.hash.hex()[:16])
        assert (await seals.verify(conn, noted)).findings == ()
        await _as_owner(conn, "delete from auditoria_selo where numero = 2")
        assert Finding("missing", 2, sealed=1) in (await seals.verify(conn, noted)).findings
        await _as_owner(conn, "delete from auditoria_selo")
        await _as_owner(conn, "update evento set acao = 'ver' where id = (select max(id) from evento)")
        assert (await seals.verify(conn, noted)).findings == (Finding("noted", before.number),)
        await _seal_all(conn)
        assert (await seals.verify(conn)).findings == (), "who seals everything anew"
        assert (await seals.verify(conn, noted)).findings == (Finding("noted", before.number),)


async def test_the_application_changes_no_seal(cidade) -> None:
    async with await _connected(cidade) as conn:
        await _written(conn, 3)
        await _seal_all(conn)
        for statement in (
            "update auditoria_selo set quantos = 1",
            "delete from auditoria_selo",
            "truncate auditoria_selo",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                await conn.execute(statement)
            async with conn.transaction(force_rollback=True):
                await conn.execute("set local role sispat_app")
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                    await conn.execute(statement)


async def test_the_command_and_the_page_say_it(cidade, navegar) -> None:
    env = {"DATABASE_URL": cidade.url}
    async with await _connected(cidade) as conn:
        unsealed = comando("auditoria", "verificar", **env)
        assert (unsealed.returncode, "Confere" in unsealed.stdout) == (0, False), "nothing was compared"
        await _written(conn, 3)
        await _seal_all(conn)
        last = await seals.last_seal(conn)
        assert last is not None
        noted = f"{last.number}:{last.hash.hex()}"
        done = comando("auditoria", "verificar", "--selo", noted, **env)
        assert (done.returncode, f"Último selo, para anotar: {noted}" in done.stdout) == (0, True), done.stderr
        async with navegar("consulta") as pessoa:
            assert f"{last.number}:{last.hash.hex()[:16]}" in (await pessoa.ver("/auditoria")).html
        wrong = comando("auditoria", "verificar", "--selo", "12:xyz", **env)
        assert wrong.returncode == 2
        assert "12:9f3a60c1" in wrong.stderr
        await _as_owner(conn, f"delete from evento where id = {last.last_id}")
        found = comando("auditoria", "verificar", **env)
        assert found.returncode == 1
        assert f"O selo {last.number} não confere" in found.stdout
