"""The audit: filtered by who, what, when and of which record; each record named, with a link."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest

import sispat

ATOR = "(select id from usuario where email = 'gestor@demo.local')"


@pytest.fixture
def registros(cidade) -> None:
    """What a gestor did to assets 5 and 6 on two days of 2020, at the edges of them in São Paulo."""
    with psycopg.connect(cidade.conninfo) as conn:
        for numero, em in ((5, "2020-03-10 03:00Z"), (6, "2020-03-11 02:59:59Z"), (6, "2020-03-11 03:00Z")):
            conn.execute(
                f"""insert into evento (em, ator_id, requisicao, entidade, entidade_id, acao, antes, depois)
                    select %s, {ATOR}, 'r', 'patrimonio', id, 'editar', '{{"marca": ""}}', '{{"marca": "Beta"}}'
                    from patrimonio where numero = %s""",
                [em, numero],
            )


@pytest.mark.parametrize(
    ("pedido", "quantos"),
    [
        ({"desde": "2020-03-10", "ate": "2020-03-10"}, 2),
        ({"ate": "2020-03-11"}, 3),
        ({"ate": "2020-03-11", "registro": "000.006"}, 2),
        ({"ate": "2020-03-11", "registro": "6", "acao": "editar", "pessoa": "GESTOR@"}, 2),
        ({"ate": "2020-03-11", "acao": "excluir"}, 0),
        ({"ate": "2020-03-11", "pessoa": "ninguém"}, 0),
        ({"registro": "999999"}, 0),
    ],
)
async def test_records_are_found_by_person_day_action_and_record(cliente, registros, pedido, quantos) -> None:
    async with cliente("consulta@demo.local") as c:
        r = await c.get("/api/auditoria", params=pedido)
        assert r.status_code == 200, r.text
        assert len(r.json()) == quantos


async def test_the_page_names_the_record_with_a_link_and_reads_short_dates(navegar, registros) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/auditoria", ate="11/3/20", registro="6")
        assert tela.estado == 200
        nomes = re.findall(r'<a href="/patrimonios/[0-9a-f-]{36}">bem 000006</a>', tela.html)
        assert len(nomes) == 2
        assert 'value="11/3/20"' in tela.html
        ficha = await pessoa.ver("/patrimonios", q="6")
        assert "/auditoria?registro=6" in ficha.links


async def test_pages_go_on_by_key_and_keep_the_filters(navegar, cliente) -> None:
    async with navegar("gestor") as pessoa, cliente("gestor@demo.local") as c:
        tela = await pessoa.ver("/auditoria", acao="criar")
        proxima = next(x for x in tela.links if "antes_de=" in x)
        assert "acao=criar" in proxima
        segunda = await pessoa.ver(proxima)
        assert any(x == "/auditoria?acao=criar" for x in segunda.links)
        vistos, antes = [], {}
        while pagina := (await c.get("/api/auditoria", params={"acao": "criar", **antes})).json():
            vistos += [e["id"] for e in pagina]
            antes = {"antes_de": pagina[-1]["id"]}
        assert vistos == sorted(set(vistos), reverse=True)
        assert len(vistos) >= 300


@pytest.mark.parametrize("pedido", [{"registro": "mesa"}, {"desde": "ontem"}, {"antes_de": "x"}])
async def test_what_cannot_be_sought_is_said(navegar, pedido) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/auditoria", **pedido)
        assert tela.estado == 422
        assert "Não é possível buscar assim" in tela.texto


def test_whoever_names_the_actor_of_a_request_names_its_key() -> None:
    """An integration has several keys, and the audit is to say which one to revoke."""
    lacking = []
    for file in (Path(sispat.__file__).parent).rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "audit.record":
                given = {each.arg: ast.unparse(each.value) for each in call.keywords}
                if given.get("actor") == "ctx.actor" and given.get("key_id") != "ctx.key_id":
                    lacking.append(f"{file.name}:{call.lineno}")
    assert lacking == []


def test_every_statement_that_writes_a_record_names_the_key() -> None:
    """The same of those that audit many assets at once, in SQL."""
    root = Path(sispat.__file__).parent
    statements = [
        (file.relative_to(root).as_posix(), columns)
        for file in root.rglob("*.py")
        if not {"migrations", "demo"} & set(file.parts)
        for columns in re.findall(r"insert into evento \(([^)]*)\)", file.read_text("utf-8"))
    ]
    assert len(statements) >= 5
    assert [name for name, columns in statements if "chave_id" not in columns] == []
