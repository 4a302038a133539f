"""Choosing among thousands: by beginnings of words, within reach, at most twenty; with a button where there are no scripts."""

from __future__ import annotations

import re

import psycopg
import pytest

from esteio.postgres import Database
from sispat.cadastros import sql

NOVO = "/patrimonios/novo"


async def achadas(pessoa, entidade: str, **pedido: str) -> tuple[list[dict[str, str]], bool]:
    resposta = await pessoa.http.get(f"/opcoes/{entidade}", params=pedido)
    assert resposta.status_code == 200, resposta.text
    assert resposta.headers["cache-control"] == "no-store"
    corpo = resposta.json()
    return corpo["items"], corpo["more"]


def consultar(dsn, comando: str, *valores: object) -> list[tuple]:
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        cursor = conn.execute(comando, valores)
        return cursor.fetchall() if cursor.description else []


async def test_choices_are_found_by_beginnings_of_words_without_accents_in_any_order(navegar, cidade) -> None:
    setor, matricula = consultar(cidade, "select setor_id, matricula from agente order by nome limit 1")[0]
    consultar(cidade, "insert into agente (nome, matricula, setor_id) values ('Zuléição Arapuá', 'ZZ-1', %s)", setor)
    async with navegar("gestor") as pessoa:
        for digitado in ("zuleicao", "ARAPU zul", "zz", "Zuléição Arapuá (ZZ-1)"):
            itens, mais = await achadas(pessoa, "agente", q=digitado)
            assert [item["label"] for item in itens] == ["Zuléição Arapuá (ZZ-1)"], digitado
            assert not mais
        assert await achadas(pessoa, "agente", q="uleicao") == ([], False), "no beginning of a word"
        assert await achadas(pessoa, "agente", q="·%_'\\") == ([], False), "no word at all"
        assert (await achadas(pessoa, "agente", q=matricula))[0]
        assert (await pessoa.http.get("/opcoes/nada")).status_code == 404
        assert (await pessoa.http.get("/opcoes/agente", params={"q": "x" * 101})).status_code == 422


async def test_who_begins_with_what_was_typed_comes_before_whoever_has_a_word_that_does(navegar, cidade) -> None:
    (setor,) = consultar(cidade, "select setor_id from agente limit 1")[0]
    nomes = ["Ana Quirinópolis", "Quirina Zuza", "Quírino Ávila", "Quirino d'Ávila Neto", "Zita Quirino"]
    for vez, nome in enumerate(nomes):
        consultar(cidade, "insert into agente (nome, matricula, setor_id) values (%s, %s, %s)", nome, f"Q{vez}", setor)
    async with navegar("gestor") as pessoa:
        itens, _ = await achadas(pessoa, "agente", q="quirin")
        assert [item["label"].split(" (")[0] for item in itens] == [
            "Quirina Zuza", "Quírino Ávila", "Quirino d'Ávila Neto", "Ana Quirinópolis", "Zita Quirino",
        ]  # fmt: skip
        itens, _ = await achadas(pessoa, "agente", q="QUIRINO  d'avila")
        assert itens[0]["label"] == "Quirino d'Ávila Neto (Q3)"


async def test_one_letter_among_thousands_finds_no_more_than_are_shown(navegar, cidade) -> None:
    consultar(
        cidade,
        """insert into agente (nome, matricula, setor_id) select 'Meio ' || k || ' Ypsilon', 'W' || k,
           (select id from setor limit 1) from generate_series(1, 2000) k""",
    )
    async with navegar("gestor") as pessoa:
        for digitado in ("m", "w", "y", "ypsilon meio"):
            itens, mais = await achadas(pessoa, "agente", q=digitado)
            assert (len(itens), mais) == (20, True), digitado
            assert len({item["value"] for item in itens}) == 20


async def test_locais_and_agentes_are_found_by_their_setor_too_and_the_rest_is_told(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        itens, mais = await achadas(pessoa, "local")
        assert (len(itens), mais) == (20, True)
        codigo, quantos = consultar(
            cidade,
            "select s.codigo, count(*) from local l join setor s on s.id = l.setor_id group by 1 order by 2 limit 1",
        )[0]
        itens, _ = await achadas(pessoa, "local", q=codigo)
        assert len([item for item in itens if item["group"].startswith(f"{codigo} ·")]) == quantos
        nome = itens[0]["label"].split()[0]
        assert itens[0] in (await achadas(pessoa, "local", q=f"{codigo} {nome}"))[0]


async def test_nobody_finds_what_is_out_of_reach_or_retired(navegar, cidade) -> None:
    alheio, alheia = consultar(
        cidade,
        """select a.id, a.matricula from agente a where setor_id not in (select us.setor_id from usuario_setor us
           join usuario u on u.id = us.usuario_id where u.email = 'responsavel@demo.local') limit 1""",
    )[0]
    async with navegar("responsavel") as pessoa:
        assert await achadas(pessoa, "agente", q=alheia) == ([], False)
        assert alheia not in (await pessoa.ver("/patrimonios", agente=str(alheio))).html
    async with navegar("gestor") as pessoa:
        assert (await achadas(pessoa, "agente", q=alheia))[0]
        outro = "(select id from agente where id <> %s limit 1)"
        consultar(cidade, f"update patrimonio set agente_id = {outro} where agente_id = %s", alheio, alheio)
        consultar(cidade, "update agente set ativo = false where id = %s", alheio)
        assert await achadas(pessoa, "agente", q=alheia) == ([], False)
    async with navegar() as pessoa:
        assert (await pessoa.http.get("/opcoes/agente")).status_code == 303


async def test_whoever_hands_over_names_any_setor_of_the_city_and_nothing_else_out_of_reach(navegar, cidade) -> None:
    """`cidade` is of setores alone: their codes and names are no secret, what is in them stays one."""
    (alheio,) = consultar(
        cidade,
        """select s.codigo, l.nome, a.matricula from setor s join local l on l.setor_id = s.id join agente a
           on a.setor_id = s.id where s.id not in (select us.setor_id from usuario_setor us
           join usuario u on u.id = us.usuario_id where u.email = 'responsavel@demo.local') order by 1, 2, 3 limit 1""",
    )
    codigo, local, matricula = alheio
    async with navegar("responsavel") as pessoa:
        assert await achadas(pessoa, "setor", q=codigo) == ([], False)
        itens, _ = await achadas(pessoa, "setor", q=codigo, cidade="true")
        assert any(item["label"].startswith(f"{codigo} ·") for item in itens)
        assert all(set(item) == {"value", "label", "group"} for item in itens)
        for entidade, digitado in (("agente", matricula), ("local", local)):
            sem, com = [await achadas(pessoa, entidade, q=digitado, **mais) for mais in ({}, {"cidade": "true"})]
            assert com == sem, entidade


async def test_without_scripts_a_search_beside_the_field_offers_what_it_finds_and_saves_nothing(
    navegar, cidade
) -> None:
    ultimo, nome = consultar(cidade, "select id::text, nome from agente order by nome desc, id desc limit 1")[0]
    antes = consultar(cidade, "select count(*) from patrimonio")
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        tela = await pessoa.ver(NOVO)
        assert ultimo not in tela.html, "only the first are in the page"
        assert "busque" in tela.texto
        for como in (
            {"_acao": "agente_id"},
            {},
        ):  # its own button, and the one that saves
            achou = await pessoa.mandar(formulario, **dados, **{"agente_id.busca": nome}, **como)
            assert achou.estado == 200
            assert consultar(cidade, "select count(*) from patrimonio") == antes
            assert ultimo in achou.html
            valores = achou.formulario(NOVO).valores
            assert (valores["descricao"], valores["local_id"]) == (dados["descricao"], dados["local_id"])
            assert valores["agente_id"] in ("", ultimo), "what was chosen before is not what is looked for now"
        nada = await pessoa.mandar(formulario, **dados, **{"agente_id.busca": "xyzxyz"})
        assert "Nada encontrado para “xyzxyz”" in nada.texto
        assert nada.formulario(NOVO).valores["agente_id"] == dados["agente_id"]
        ficha = await pessoa.mandar(achou.formulario(NOVO), agente_id=ultimo)
        assert nome in ficha.texto


async def test_the_filters_of_the_list_search_their_choices_without_scripts(navegar, cidade) -> None:
    ultimo, nome = consultar(cidade, "select id::text, nome from agente order by nome desc, id desc limit 1")[0]
    async with navegar("gestor") as pessoa:
        lista = await pessoa.ver("/patrimonios", **{"agente.busca": nome})
        assert ultimo in lista.html
        assert re.search(r"<details open>\s*<summary>Filtros", lista.html)
        filtrada = await pessoa.ver("/patrimonios", agente=ultimo)
        assert f"Agente: {nome}" in filtrada.texto or f"responsável: {nome}" in filtrada.texto


@pytest.mark.parametrize("entidade", sorted(sql.TABLES))
async def test_the_indexes_of_words_and_of_the_order_are_those_of_the_query(cidade, entidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("set enable_seqscan = off")
        for indice, comando in (
            (
                "palavras",
                f"select id from {entidade} where palavras({sql.TABLES[entidade].searched}) @@ '''a'':*'::tsquery",
            ),
            (
                "comeco",
                f"select id from {entidade} where ativo and comeco({sql.TABLES[entidade].searched}) collate \"C\" >= 'a'",
            ),
            ("opcoes", f"select id from {entidade} where ativo order by {sql.TABLES[entidade].sort}, id limit 20"),
        ):
            plano = str(conn.execute(f"explain (format json) {comando}").fetchone())
            assert f"{entidade}_{indice}_idx" in plano, plano
    async with Database(cidade) as db, db.connection() as conn:
        assert len(await sql.opcoes(conn, sql.TABLES[entidade], setores=None, limit=3)) == 3
