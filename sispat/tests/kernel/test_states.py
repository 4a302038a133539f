"""One mover: whoever comes second meets the state the first left, all move or none, and all of it is audited."""

from __future__ import annotations

import ast
import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

import sispat
from esteio.postgres import Dsn
from sispat.http.service import DATABASE_ROLE
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.situacoes import TRANSITIONS, Situacao
from sispat.kernel.states import move
from sispat.patrimonios.fields import PATRIMONIO

PEOPLE = [Access(UUID(int=n), f"Pessoa {n}", f"p{n}@demo.local", Papel.GESTOR) for n in (1, 2)]


@pytest.fixture
async def two(cidade: Dsn) -> AsyncIterator[tuple[Context, Context]]:
    """Two people, each on a connection as the application has it."""
    async with AsyncExitStack() as stack:
        contexts = []
        for access in PEOPLE:
            conn = await stack.enter_async_context(await AsyncConnection.connect(cidade.conninfo, autocommit=True))
            await conn.execute(f"set role {DATABASE_ROLE}")
            contexts.append(Context(conn, access, f"r{access.usuario_id.int}"))
        yield contexts[0], contexts[1]


@pytest.fixture
async def owner(cidade: Dsn) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(cidade.conninfo, autocommit=True) as conn:
        yield conn


async def some(owner: AsyncConnection[Any], count: int, state: Situacao = Situacao.EM_USO) -> list[UUID]:
    """Assets, put into `state` without asking anybody."""
    cursor = await owner.execute("update patrimonio set situacao = %s where numero <= %s returning id", [state, count])
    return [row[0] for row in await cursor.fetchall()]


async def told(owner: AsyncConnection[Any], id_: UUID) -> list[tuple[str, str, str]]:
    cursor = await owner.execute(
        "select acao, antes->>'situacao', depois->>'situacao' from evento"
        " where entidade_id = %s and depois ? 'situacao' and antes is not null order by id",
        [id_],
    )
    return await cursor.fetchall()


async def until_waiting(owner: AsyncConnection[Any], waiter: AsyncConnection[Any]) -> None:
    """Until `waiter` waits for a lock that somebody else holds."""
    async with asyncio.timeout(60):
        while True:
            cursor = await owner.execute("select cardinality(pg_blocking_pids(%s))", [waiter.info.backend_pid])
            row = await cursor.fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(0.001)


async def outcome(ctx: Context, id_: UUID, to: Situacao) -> bool:
    try:
        await move(ctx, [id_], to, f"para_{to}")
    except InvalidData:
        return False
    return True


@pytest.mark.timeout(180)
async def test_of_two_who_move_one_asset_the_second_meets_the_state_the_first_left(two, owner) -> None:
    """All pairs: each state, each first target, each second target."""
    first, second = two
    (id_,) = await some(owner, 1)
    for now, a, b in itertools.product(Situacao, repeat=3):
        await some(owner, 1, now)
        before = len(await told(owner, id_))
        async with asyncio.TaskGroup() as group, first.conn.transaction():
            moved = await outcome(first, id_, a)
            await first.conn.execute("select from patrimonio where id = %s for no key update", [id_])
            waiting = group.create_task(outcome(second, id_, b))
            await until_waiting(owner, second.conn)
        assert moved == (a in TRANSITIONS[now]), (now, a, b)
        between = a if moved else now
        assert waiting.result() == (b in TRANSITIONS[between]), (now, a, b)
        expected = [(f"para_{a}", now, a)] * moved + [(f"para_{b}", between, b)] * waiting.result()
        assert (await told(owner, id_))[before:] == expected, (now, a, b)


@pytest.mark.timeout(180)
async def test_moves_of_the_same_assets_in_opposite_orders_never_deadlock(two, owner) -> None:
    ids = await some(owner, 60)

    async def there_and_back(ctx: Context, order: list[UUID]) -> int:
        done = 0
        for to in [Situacao.EM_MANUTENCAO, Situacao.EM_USO] * 15:
            try:
                await move(ctx, order, to, "ida_e_volta")
                done += 1
            except InvalidData:  # the other was faster; psycopg's DeadlockDetected would end the test
                await asyncio.sleep(0)
        return done

    done = sum(await asyncio.gather(there_and_back(two[0], ids), there_and_back(two[1], ids[::-1])))
    assert done >= 30
    events = [await told(owner, id_) for id_ in ids]
    assert {len(each) for each in events} == {done}, "each move is one record of each asset"
    assert all(before[2] == after[1] for each in events for before, after in itertools.pairwise(each)), (
        "the records of an asset form a chain"
    )


async def test_all_move_or_none_and_each_counts_its_version_up(two, owner) -> None:
    ids = await some(owner, 10)
    cursor = await owner.execute("select sum(versao) from patrimonio where id = any(%s)", [ids])
    (before,) = await cursor.fetchone()
    await owner.execute("update patrimonio set situacao = 'baixado' where id = %s", [ids[7]])
    with pytest.raises(InvalidData, match=r"está “Baixado” e não passa a “Emprestado”; permitido: nenhuma"):
        await move(two[0], ids, Situacao.EMPRESTADO, "emprestar")
    with pytest.raises(NotFound):
        await move(two[0], [*ids[:3], UUID(int=0)], Situacao.EMPRESTADO, "emprestar")
    assert [await told(owner, id_) for id_ in ids] == [[]] * 10
    del ids[7]
    await move(two[0], [*ids, *ids], Situacao.EMPRESTADO, "emprestar")
    assert [await told(owner, id_) for id_ in ids] == [[("emprestar", "em_uso", "emprestado")]] * 9
    cursor = await owner.execute("select sum(versao) from patrimonio where numero <= 10")
    assert (await cursor.fetchone())[0] == before + 9


async def test_what_is_out_of_reach_is_not_there(two, owner) -> None:
    (id_,) = await some(owner, 1)
    stranger = Access(UUID(int=3), "Outra", "o@demo.local", Papel.RESPONSAVEL, (UUID(int=9),))
    with pytest.raises(NotFound):
        await move(Context(two[0].conn, stranger, "r3"), [id_], Situacao.EM_MANUTENCAO, "enviar")
    cursor = await owner.execute("select setor_id from patrimonio where id = %s", [id_])
    (setor,) = await cursor.fetchone()
    near = Access(UUID(int=3), "Outra", "o@demo.local", Papel.RESPONSAVEL, (setor,))
    await move(Context(two[0].conn, near, "r3"), [id_], Situacao.EM_MANUTENCAO, "enviar")
    assert len(await told(owner, id_)) == 1


def test_nothing_else_writes_the_state() -> None:
    """SQL that updates assets stands in the mover, and in the two statements that take the columns people write."""
    root = Path(sispat.__file__).parent
    writers = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if "migrations" not in file.parts
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(r"\bupdate\s+(only\s+)?patrimonio\b|\bmerge\s+into\s+patrimonio\b", node.value, re.IGNORECASE)
    }
    assert writers == {
        "kernel/states.py", "patrimonios/sql/custody.py", "patrimonios/sql/record.py",
        "patrimonios/sql/bulk.py", "importacao/sql.py",  # the columns people write, by a spreadsheet
    }  # fmt: skip
    assert "situacao" not in PATRIMONIO.columns


def test_the_state_of_a_new_asset_is_not_for_the_sender_to_say(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(
            "select column_default from information_schema.columns where table_name = 'patrimonio'"
            " and column_name = 'situacao'"
        ).fetchone()
    assert row is not None
    assert row[0].startswith("'em_uso'")
