"""The totals of the first page: exact after everything that writes, and nobody waits for them."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from sispat.http.service import DATABASE_ROLE
from sispat.patrimonios import sql

NOVO = """insert into patrimonio (numero, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao,
                                  setor_id, local_id, agente_id)
          select %s, 'Mesa', classe_id, 12.34, '2026-01-01', '2026-01-01', 'bom', setor_id, local_id, agente_id
          from patrimonio where numero = 1"""


async def _conferir(cidade: Dsn) -> None:
    async with await AsyncConnection.connect(cidade.conninfo, autocommit=True) as conn:
        assert await sql.totais_divergentes(conn) == []


async def test_totals_are_exact_after_every_kind_of_write_and_after_folding(cidade: Dsn) -> None:
    await _conferir(cidade)  # the demo came by COPY
    escritas = (
        "update patrimonio set valor = valor + 0.01 where numero < 50",
        "update patrimonio set situacao = 'baixado' where numero between 10 and 20",
        "update patrimonio set descricao = descricao || '!'",
        "delete from patrimonio where numero = 400",
        "insert into patrimonio select * from patrimonio where false",
    )
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute(NOVO, [400])
        await _conferir(cidade)
        for escrita in escritas:
            if "select *" not in escrita:
                conn.execute(escrita)
            await _conferir(cidade)
        with conn.transaction(force_rollback=True):
            conn.execute("update patrimonio set valor = 0")
        await _conferir(cidade)
        conn.execute("select patrimonio_totais_dobrar(3)")
        await _conferir(cidade)
        conn.execute("select patrimonio_totais_dobrar(100000)")
        assert conn.execute("select count(*) from patrimonio_variacao").fetchone() == (0,)
        await _conferir(cidade)


async def test_a_difference_is_found(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute("select patrimonio_totais_dobrar(100000)")
        conn.execute(
            "update patrimonio_total set valor = valor + 1 where quantidade = (select max(quantidade) from patrimonio_total)"
        )
        async with await AsyncConnection.connect(cidade.conninfo) as outra:
            assert await sql.totais_divergentes(outra)


def test_creates_wait_neither_for_each_other_nor_for_folding(cidade: Dsn) -> None:
    """Two writers and a folder hold their transactions open at once; the short lock timeout would end whoever waits."""
    with psycopg.connect(cidade.conninfo, options="-c lock_timeout=500") as um:
        with psycopg.connect(cidade.conninfo, options="-c lock_timeout=500") as dois:
            um.execute(NOVO, [500])
            um.execute("select patrimonio_totais_dobrar(100000)")
            dois.execute(NOVO, [501])
            assert dois.execute("select patrimonio_totais_dobrar(100000)").fetchone() == (0,)
            dois.commit()
        um.commit()
        assert um.execute(
            "select sum(quantidade) = (select count(*) from patrimonio) from patrimonio_totais"
        ).fetchone() == (True,)


async def test_many_writers_and_folders_at_once_lose_nothing(cidade: Dsn) -> None:
    def escrever(primeiro: int) -> None:
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            for numero in range(primeiro, primeiro + 40):
                conn.execute(NOVO, [numero])
                conn.execute("update patrimonio set valor = valor + 1 where numero = %s", [numero])
                conn.execute("select patrimonio_totais_dobrar(7)")

    todos = [threading.Thread(target=escrever, args=(1000 * n,)) for n in range(1, 5)]
    for um in todos:
        um.start()
    for um in todos:
        um.join()
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from patrimonio").fetchone() == (300 + 160,)
    await _conferir(cidade)


@pytest.mark.parametrize("escrita", ["update patrimonio_total set quantidade = 0", "delete from patrimonio_variacao"])
def test_the_applications_role_cannot_write_totals_itself(cidade: Dsn, escrita: str) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute(f"set role {DATABASE_ROLE}")
        conn.execute("update patrimonio set valor = valor + 1 where numero = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(escrita)


async def test_the_first_page_shows_real_totals_within_reach(navegar, cidade: Dsn) -> None:
    def soma(onde: str) -> tuple[int, Decimal]:
        with psycopg.connect(cidade.conninfo) as conn:
            linha: Any = conn.execute(
                f"select count(*), coalesce(sum(valor), 0) from patrimonio where situacao <> 'baixado' and {onde}"
            ).fetchone()
            return linha

    minha = """setor_id in (select us.setor_id from usuario_setor us join usuario u on u.id = us.usuario_id
               where u.email = 'responsavel@demo.local')"""
    for quem, onde in (("gestor", "true"), ("responsavel", minha)):
        n, valor = soma(onde)
        async with navegar(quem) as pessoa:
            texto = (await pessoa.ver("/")).texto
        reais = f"{valor:,.2f}".translate(str.maketrans(",.", ".,"))
        assert f"Há {n} bens" in texto
        assert f"no valor de R$ {reais}" in texto
