"""Open data: what is published sums up to what independent queries say, names nobody, and is there for everybody."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from aplicacao import abrir

from esteio.postgres import Database, Dsn
from sispat.dados_abertos.actions import PUBLICAR
from sispat.dados_abertos.daily import publish_daily
from sispat.dados_abertos.datasets import DATASETS
from sispat.http.service import DATABASE_ROLE, Service
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import Ending, perform
from sispat.settings import Quota, Settings

API = "/api/publico/dados-abertos"
FILES = [f"{each.name}.{form}" for each in DATASETS for form in ("csv", "json")] + [
    "dicionario.csv",
    "datapackage.json",
]


async def _do(cidade: Dsn) -> dict[str, Any]:
    """Do the job that waits, as the application's role; its row."""
    async with Database(cidade, min_size=1, settings={"role": DATABASE_ROLE}) as db:
        async with db.connection() as conn:
            taken = await queue.claim(conn, "teste")
        assert taken is not None
        assert await perform(db, {PUBLICAR.name: PUBLICAR}, taken.id, taken.turn) is Ending.ENDED
        async with db.connection() as conn:
            row = await queue.one(conn, taken.id)
    assert row is not None
    assert row["estado"] == "concluida", row["erro"]
    return row


async def _publish(cidade: Dsn) -> None:
    async with abrir(cidade, "gestor@demo.local", open_data=True) as c:
        assert (await c.post("/api/dados-abertos")).status_code == 202
    await _do(cidade)


async def _files(cidade: Dsn) -> dict[str, bytes]:
    async with abrir(cidade, open_data=True, limit_public=None) as c:
        return {name: (await c.get(f"{API}/{name}")).content for name in FILES}


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))


def _sum(rows: list[dict[str, str]], *columns: str) -> tuple[Decimal, ...]:
    return tuple(sum((Decimal(row[c].replace(",", ".")) for row in rows if row[c]), Decimal(0)) for c in columns)


def _closed(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        for month in ("2026-08-01", "2026-09-01"):
            conn.execute("select fechar_mes(%s, 'mes', id) from usuario where papel = 'gestor' limit 1", [month])


async def test_the_sums_of_all_files_are_those_of_independent_queries(cidade: Dsn) -> None:
    _closed(cidade)
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            """insert into baixa (patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior,
                   registrada_por)
               select p.id, p.setor_id, 'erro_cadastro', '2026-10-10', 'Cadastrado duas vezes', valor, 'em_uso', u.id
               from patrimonio p, usuario u where u.papel = 'gestor' and p.situacao = 'em_uso' order by p.numero limit 1"""
        )
    await _publish(cidade)
    files = await _files(cidade)
    bens, imoveis, contas = (_rows(files[f"{name}.csv"]) for name in ("bens", "imoveis", "contas"))
    with psycopg.connect(cidade.conninfo) as conn:

        def ask(sql: str) -> Any:
            return conn.execute(sql).fetchone()

        assert (len(bens), *_sum(bens, "valor_aquisicao")) == ask("select count(*), sum(valor) from patrimonio")
        assert _sum(bens, "valor_bruto", "depreciacao_acumulada", "perda") == ask(
            """select sum(valor) filter (where componente = 'bruto'), sum(valor) filter (where componente = 'acumulada'),
                      coalesce(sum(valor) filter (where componente = 'perda'), 0)
               from lancamento where patrimonio_id in (select id from patrimonio)"""
        )
        by_setor = dict(
            conn.execute("select codigo, sum(valor) from patrimonio join setor s on s.id = setor_id group by 1")
        )
        assert {
            setor: _sum([row for row in bens if row["setor_codigo"] == setor], "valor_aquisicao")[0]
            for setor in by_setor
        } == by_setor
        gone = [(row["data_baixa"], row["motivo_baixa"]) for row in bens if row["data_baixa"]]
        assert len(gone) == ask("select count(*) from baixa where estornada_em is null")[0]
        assert ("2026-10-10", "erro_cadastro") in gone
        assert (len(imoveis), *_sum(imoveis, "valor_terreno", "valor_edificacao")) == ask(
            "select count(*), sum(valor_terreno), sum(valor_edificacao) from imovel"
        )
        closed = [row for row in contas if row["competencia"] == "2026-09-01"]
        assert (int(sum(int(row["bens"]) for row in closed)), *_sum(closed, "valor_bruto", "valor_liquido")) == ask(
            "select bens, bruto, liquido from fechamento where competencia = '2026-09-01'"
        )
    assert {row["competencia"] for row in contas} == {"2026-08-01", "2026-09-01"}


async def test_json_says_what_csv_says_and_the_dictionary_explains_every_column(cidade: Dsn) -> None:
    _closed(cidade)
    await _publish(cidade)
    files = await _files(cidade)
    package = json.loads(files["datapackage.json"])
    explained = {(row["conjunto"], row["campo"]): row for row in _rows(files["dicionario.csv"])}
    for dataset in DATASETS:
        table = _rows(files[f"{dataset.name}.csv"])
        records = json.loads(files[f"{dataset.name}.json"], parse_float=Decimal)
        assert len(table) > 3
        assert [
            {name: "" if value is None else str(value).replace(".", ",") if isinstance(value, Decimal) else str(value)
             for name, value in record.items()} for record in records["itens"]
        ] == table  # fmt: skip
        (resource,) = (each for each in package["resources"] if each["name"] == dataset.name)
        assert resource["rows"] == len(table)
        assert [field["name"] for field in resource["schema"]["fields"]] == list(table[0])
        for field in resource["schema"]["fields"]:
            meant = explained.pop((dataset.name, field["name"]))
            assert meant["significado"] == field["description"]
            allowed = field.get("constraints", {}).get("enum")
            assert allowed is None or {row[field["name"]] for row in table} <= {*allowed, ""}
    assert explained == {}


# What is published of texts that people typed: what names a thing, and where a building of the city stands.
PUBLISHED = {
    ("patrimonio", "descricao"), ("classe", "conta"), ("classe", "nome"), ("setor", "codigo"), ("setor", "nome"),
    ("imovel", "nome"), ("imovel", "logradouro"), ("imovel", "numero_predial"), ("imovel", "bairro"), ("imovel", "cidade"),
    ("imovel", "uf"), ("fechamento_conta", "conta"), ("fechamento_conta", "nome"), ("alembic_version", "version_num"),
}  # fmt: skip
_NUMBERED = "(ctid::text::point)[0]::int * 1000 + (ctid::text::point)[1]::int"
_MARKS = (f"'pxpx' || {_NUMBERED}", f"'PXPX' || {_NUMBERED}", f"'pxpx' || {_NUMBERED} || '@pxpx.example'")
_DIGITS = "52998224725"


def _mark(conn: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """Every text of every table that is not published becomes one that can be found again; which could be changed so."""
    conn.execute("set session_replication_role = replica")  # no trigger keeps what is closed or audited
    columns = conn.execute(
        """select c.table_name, c.column_name from information_schema.columns c
               join information_schema.tables t using (table_schema, table_name)
           where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type in ('text', 'character varying')
             and c.is_generated = 'NEVER'"""
    ).fetchall()
    marked = set()
    for table, column in columns:
        for mark in _MARKS if (table, column) not in PUBLISHED else ():
            try:
                with conn.transaction():
                    conn.execute(f'update "{table}" set "{column}" = {mark}')
                marked.add((table, column))
                break
            except psycopg.errors.IntegrityError:
                continue  # one of a few words, or of a form
    conn.execute("update patrimonio set fornecedor_doc = %s", [_DIGITS])
    conn.execute("update agente set cpf = %s where id = (select id from agente limit 1)", [_DIGITS])
    conn.execute("update usuario set cpf = %s where id = (select id from usuario limit 1)", [_DIGITS])
    return marked


async def test_no_text_of_the_database_but_the_published_ones_is_in_any_file(cidade: Dsn) -> None:
    _closed(cidade)
    with psycopg.connect(cidade.conninfo) as conn:
        marked = _mark(conn)
    of_persons = {
        ("agente", "nome"), ("agente", "matricula"), ("agente", "cargo"), ("usuario", "nome"), ("usuario", "email"),
        ("patrimonio", "observacao"), ("patrimonio", "numero_serie"), ("patrimonio", "nota_fiscal"), ("local", "nome"),
        ("emprestimo", "tomador"), ("baixa", "membros"), ("baixa", "destinatario"), ("imovel", "transmitente"),
        ("imovel", "observacao"), ("termo_parte", "nome"), ("inventario", "membros"), ("transferencia", "motivo"),
    }  # fmt: skip
    assert of_persons <= marked
    async with Database(cidade, min_size=1) as db, db.transaction() as conn:
        await conn.execute(
            "insert into tarefa (tipo, argumentos, requisicao, idioma, tentativas, prazo)"
            " values (%s, '{}', 'r', 'pt-BR', 1, 60)",
            [PUBLICAR.name],
        )
    await _do(cidade)
    for name, content in (await _files(cidade)).items():
        assert len(content) > 100, name
        assert b"pxpx" not in content.lower(), name
        assert _DIGITS.encode() not in content, name


async def test_a_cpf_in_a_description_is_struck_out(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            "update patrimonio set descricao = 'Notebook de 529.982.247-25, série 52998224725' where numero = 1"
        )
        conn.execute("update patrimonio set descricao = '=1+1' where numero = 2")
    await _publish(cidade)
    told = {int(row["numero"]): row["descricao"] for row in _rows((await _files(cidade))["bens.csv"])}
    assert told[1] == "Notebook de ***, série 52998224725"
    assert told[2] == "'=1+1", "no formula for a spreadsheet"


async def test_anybody_downloads_it_compressed_or_not_and_caches_may_keep_it(cidade: Dsn) -> None:
    await _publish(cidade)
    async with abrir(cidade, open_data=True) as c:
        catalogue = await c.get(API)
        assert catalogue.json()["resources"][0]["path"] == "bens.csv"
        plain = await c.get(f"{API}/bens.csv", headers={"Accept-Encoding": "identity"})
        async with c.stream("GET", f"{API}/bens.csv", headers={"Accept-Encoding": "gzip"}) as zipped:
            raw = b"".join([part async for part in zipped.aiter_raw()])
        assert gzip.decompress(raw) == plain.content
        assert (zipped.headers["content-encoding"], int(zipped.headers["content-length"])) == ("gzip", len(raw))
        assert int(plain.headers["content-length"]) == len(plain.content)
        assert zipped.headers["etag"] != plain.headers["etag"]
        for answer in (plain, zipped):
            assert answer.headers["cache-control"] == "public, max-age=3600"
            assert answer.headers["last-modified"].endswith("GMT")
            assert "set-cookie" not in answer.headers
            assert "Accept-Encoding" in answer.headers["vary"]
        again = await c.get(
            f"{API}/bens.csv", headers={"Accept-Encoding": "identity", "If-None-Match": plain.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert (await c.get(f"{API}/usuarios.csv")).status_code == 404
        page = await c.get("/dados-abertos")
        assert (page.status_code, f"{API}/contas.json" in page.text) == (200, True)


async def test_whoever_asks_too_often_is_told_to_wait(cidade: Dsn) -> None:
    await _publish(cidade)
    async with abrir(cidade, open_data=True, limit_public=Quota(3, 60.0)) as c:
        codes = [(await c.get(address)).status_code for address in (API, "/dados-abertos", f"{API}/bens.csv", API)]
        assert codes == [200, 200, 200, 429]


async def test_a_city_that_does_not_publish_shows_nothing_and_makes_nothing(cidade: Dsn) -> None:
    await _publish(cidade)
    async with abrir(cidade, "gestor@demo.local") as c:
        for address in (API, f"{API}/bens.csv", "/dados-abertos"):
            assert (await c.get(address)).status_code == 404
        r = await c.post("/api/dados-abertos")
        assert (r.status_code, "SISPAT_OPEN_DATA" in r.text) == (422, True)


async def test_it_is_made_once_a_day_by_the_service_and_the_newest_two_are_kept(cidade: Dsn) -> None:
    settings = Settings(database_url=cidade, open_data=True, cep_url=None)
    service = Service.build(settings, [])

    def counted(sql: str) -> int:
        with psycopg.connect(cidade.conninfo) as conn:
            row = conn.execute(sql).fetchone()
        return int(row and row[0])

    def days_go_by() -> None:
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update publicacao set publicado_em = publicado_em - interval '1 day'")
            conn.execute("update tarefa set pedida_em = pedida_em - interval '1 day'")

    waiting = "select count(*) from tarefa where estado = 'pendente'"
    async with service.db:
        for _ in range(3):
            await publish_daily(service)
            await publish_daily(service)
            assert counted(waiting) == 1, "once"
            assert (await _do(cidade))["pessoa"] is None
            await publish_daily(service)
            assert counted(waiting) == 0, "not before tomorrow"
            days_go_by()
        assert counted("select count(*) from publicacao") == 2
        assert counted("select count(distinct publicacao_id) from publicacao_parte") == 2
    async with abrir(cidade, "admin@demo.local") as c:
        told = [e for e in (await c.get("/api/auditoria")).json() if e["acao"] == "publicar_dados_abertos"]
        assert len(told) == 3
        assert (told[0]["ator"], told[0]["depois"]["bens"]) == ("sistema", 300)


@pytest.mark.parametrize("role", ["gestor", "consulta"])
async def test_the_page_asks_for_it_by_hand(navegar, cidade: Dsn, role: str) -> None:
    async with navegar(role, open_data=True) as pessoa:
        tela = await pessoa.ver("/dados-abertos/publicar")
        assert tela.estado == (200 if role == "gestor" else 403)
        if role == "gestor":
            tela = await pessoa.mandar(tela.formulario("/dados-abertos/publicar"))
            assert "Publicar dados abertos" in tela.texto
            await _do(cidade)
            tela = await pessoa.ver("/dados-abertos")
            assert ("Dicionário" in tela.texto, tela.problemas) == (True, [])
