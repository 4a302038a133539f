"""The totals of the first page: exact after everything that writes, and nobody waits for them."""

from __future__ import annotations

import re
import threading
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from sispat.http.service import DATABASE_ROLE
from sispat.painel.routes import bars
from sispat.patrimonios import sql
from sispat.patrimonios.sql import Parte

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


async def test_the_charts_of_the_first_page_are_exact_within_reach_and_their_rest_is_one_bar(navegar, cidade) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        meus = [id_ for (id_,) in conn.execute("""select us.setor_id from usuario_setor us
            join usuario u on u.id = us.usuario_id where u.email = 'responsavel@demo.local'""")]  # fmt: skip
        conn.execute("update patrimonio set situacao = 'baixado' where numero < 30")
        conn.execute("select patrimonio_totais_dobrar(9)")
        async with await AsyncConnection.connect(cidade.conninfo) as outra:
            for dentro in (None, meus):
                esperadas = conn.execute(
                    """select 'setor', s.id, s.nome, count(*), sum(valor) from patrimonio p join setor s on s.id = setor_id
                       where situacao <> 'baixado' and (%(em)s::uuid[] is null or setor_id = any(%(em)s)) group by 2
                       union all
                       select 'classe', c.id, c.nome, count(*), sum(valor) from patrimonio p join classe c on c.id = classe_id
                       where situacao <> 'baixado' and (%(em)s::uuid[] is null or setor_id = any(%(em)s)) group by 2
                       order by 5 desc, 3""",
                    {"em": dentro},
                ).fetchall()
                partes = await sql.partes(outra, dentro)
                assert [tuple(each) for each in partes] == esperadas
        todas = await _partes(cidade)
    async with navegar("gestor") as pessoa:
        inicio = await pessoa.ver("/")
        for tipo in ("setor", "classe"):
            dela = [each for each in todas if each.tipo == tipo]
            mostradas = dela if len(dela) <= 6 else dela[:5]
            for each in mostradas:
                assert f"{each.nome} R$ {_reais(each.valor)}" in inicio.texto
                assert f"/patrimonios?{tipo}={each.id}" in inicio.links
            if len(dela) > 6:
                resto = sum((each.valor for each in dela[5:]), Decimal(0))
                assert f"{len(dela) - 5} outros R$ {_reais(resto)}" in inicio.texto
        larguras = [float(each) for each in re.findall(r'<rect width="([0-9.]+)"', inicio.html)]
        assert max(larguras) == 100
        assert all(0 < each <= 100 for each in larguras)
    assert bars([Parte("setor", todas[0].id, "Um", 1, Decimal(1))]) == [], "one bar compares nothing"
    assert [each.percent for each in bars([Parte("setor", todas[0].id, n, 1, Decimal(0)) for n in "ab"])] == [0, 0]


async def _partes(cidade: Dsn) -> list[Parte]:
    async with await AsyncConnection.connect(cidade.conninfo) as conn:
        return await sql.partes(conn, None)


def _reais(valor: Decimal) -> str:
    return f"{valor:,.2f}".translate(str.maketrans(",.", ".,"))


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
        reais = _reais(valor)
        assert f"Há {n} bens" in texto
        assert f"no valor de R$ {reais}" in texto
