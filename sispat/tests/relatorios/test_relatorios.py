"""Reports: each sum is that of SQL written here, the reach is that of lists, pages and files say the same."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pypdfium2
import pytest
from python_calamine import CalamineWorkbook

from esteio.postgres import Database, Dsn
from sispat.http.service import DATABASE_ROLE
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import Ending, perform
from sispat.kernel.pdf import PdfRenderer
from sispat.relatorios import paper
from sispat.relatorios.files import FAZER_PDF
from sispat.relatorios.table import RELATORIOS

API = "/api/relatorios"
OWN = (
    "(select setor_id from usuario_setor us join usuario u on u.id = usuario_id where email = 'responsavel@demo.local')"
)
# What an inventory lists: assets, then of each imóvel its land and its building.
LISTED = """(
    select 1 as place, 'movel' as tipo, id, numero, valor, posse, fonte, setor_id, agente_id, classe_id from patrimonio
    where situacao <> 'baixado'
    union all select 2, 'terreno', md5('terreno ' || id)::uuid, numero, valor_terreno, posse, 'nao_informada', setor_id,
                     agente_id, classe_terreno_id from imovel where estado = 'ativo' and valor_terreno > 0
    union all select 2, 'edificacao', id, numero, valor_edificacao, posse, 'nao_informada', setor_id, agente_id,
                     classe_edificacao_id from imovel where estado = 'ativo' and valor_edificacao > 0) p"""
MONTHS = ("2026-07-01", "2026-08-01", "2026-09-01")


@pytest.fixture
def livro(cidade: Dsn) -> Iterator[psycopg.Connection[Any]]:
    """The demo city with three closed months: in the second an asset leaves, one changes its class, one is revalued."""
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        who = conn.execute("select id from usuario where email = 'gestor@demo.local'").fetchone()[0]
        conn.execute(
            "update patrimonio set data_aquisicao = '2026-08-10', data_disponivel = '2026-08-10' where numero = 9"
        )
        conn.execute("select fechar_mes(%s, 'mes', %s)", [MONTHS[0], who])
        conn.execute(
            """with p as (select p.id, p.setor_id from patrimonio p where situacao = 'em_uso' and posse = 'proprio'
                          and data_aquisicao < '2026-01-01' order by numero limit 1 offset 3),
                   s as (update patrimonio set situacao = 'baixado' where id = (select id from p))
               insert into baixa (patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior,
                                  registrada_por)
               select id, setor_id, 'erro_cadastro', '2026-08-20', 'Cadastrado duas vezes', 0, 'em_uso', %s from p""",
            [who],
        )
        conn.execute(
            """update patrimonio set classe_id = (select id from classe where id <> classe_id and depreciavel limit 1)
               where id = (select id from patrimonio where situacao = 'em_uso' and posse = 'proprio'
                           and data_aquisicao < '2026-01-01' order by numero limit 1 offset 9)"""
        )
        for month in MONTHS[1:]:
            conn.execute("select fechar_mes(%s, 'mes', %s)", [month, who])
        conn.execute(
            """with f as (select numero from fechamento where competencia = %s and reaberto_em is null),
                   c as (insert into conciliacao (fechamento, competencia, contas, diferencas, diferenca_bruto,
                         diferenca_acumulada, registrada_por) select numero, %s, 1, 1, 1, 0, %s from f returning id)
               insert into conciliacao_conta (conciliacao_id, conta, nome, bruto, acumulada, contabil_bruto,
                                              contabil_acumulada)
               select c.id, conta, nome, bruto, acumulada + perda, bruto + 1, acumulada + perda
               from fechamento_conta, f, c where fechamento = f.numero""",
            [MONTHS[1], MONTHS[1], who],
        )
        yield conn


def one(conn: psycopg.Connection[Any], sql: str, *values: Any) -> tuple[Any, ...]:
    row = conn.execute(sql, list(values)).fetchone()
    assert row is not None
    return row


def named(lines: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Which assets, lands and buildings."""
    return [(each["tipo"], each["numero"]) for each in lines]


def listed(conn: psycopg.Connection[Any], test: str = "true", *values: Any) -> list[tuple[str, int]]:
    return conn.execute(
        f"select tipo, numero from {LISTED} where {test} order by place, numero, tipo desc", list(values)
    ).fetchall()


async def whole(c: httpx2.AsyncClient, name: str, **asked: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All lines of a report, page by page, and its sums."""
    lines, sums, cursor = [], None, ""
    while True:
        r = await c.get(f"{API}/{name}.json", params={**asked, "limit": 120, "cursor": cursor})
        assert r.status_code == 200, r.text
        page = r.json()
        lines += page["items"]
        assert (page["somas"] is None) == bool(cursor)
        sums = sums or page["somas"]
        cursor = page["next"] or ""
        if not cursor:
            break
    assert sums is not None
    assert len(lines) == sums["linhas"]
    for column in sums.keys() - {"linhas"}:
        assert Decimal(sums[column] or 0) == sum((Decimal(each[column] or 0) for each in lines), Decimal(0)), column
        assert {type(each[column]) for each in lines} <= {type(sums[column]), type(None)}, (
            "counts are numbers, amounts texts"
        )
    return lines, sums


async def test_the_inventories_sum_up_to_what_a_plain_query_counts(cliente, livro) -> None:
    count, value = one(livro, f"select count(*), sum(valor) from {LISTED}")
    own = one(livro, f"select sum(valor) from {LISTED} where posse = 'proprio'")[0]
    net = one(
        livro,
        f"""select sum(d.bruto - d.acumulada - d.perda) from depreciacao d join fechamento f on f.numero = fechamento
            join {LISTED} on p.id = patrimonio_id where competencia = %s""",
        MONTHS[-1],
    )[0]
    async with cliente("gestor@demo.local", limit_user=None) as c:
        lines, sums = await whole(c, "inventario-analitico")
        assert (sums["linhas"], Decimal(sums["valor"]), Decimal(sums["valor_liquido"])) == (count, value, net)
        assert named(lines) == listed(livro)
        only, _ = await whole(c, "inventario-analitico", tipo="edificacao")
        assert named(only) == listed(livro, "tipo = 'edificacao'") != []
        for group in ("setor", "agente", "classe", "conta", "fonte", "garantia", "idade"):
            grouped, again = await whole(c, "inventario-analitico", por=group)
            assert (again, len(set(named(grouped)))) == (sums, count), group
            short, of_groups = await whole(c, "inventario-sintetico", por=group)
            assert (Decimal(of_groups["bens"]), Decimal(of_groups["valor"])) == (count, own), group
            assert Decimal(of_groups["valor_liquido"]) == net
            assert {each["grupo"]: each["bens"] for each in short} == {
                name: sum(each["grupo"] == name for each in grouped) for name in {each["grupo"] for each in grouped}
            }


async def test_each_filter_finds_what_a_plain_query_finds(cliente, livro) -> None:
    setor, agente, classe, conta = one(
        livro,
        "select setor_id, agente_id, classe_id, conta from patrimonio join classe c on c.id = classe_id where numero = 5",
    )
    livro.execute("update patrimonio set fonte = 'convenio', fonte_numero = '12/2025' where numero in (3, 4)")
    livro.execute("update patrimonio set garantia_ate = '2020-01-01' where numero = 6")
    livro.execute("update patrimonio set garantia_ate = '2099-01-01' where numero in (7, 8)")
    above = conta.rsplit(".", 1)[0]
    asked = {
        "setor": (setor, "setor_id = %s"), "agente": (agente, "agente_id = %s"), "classe": (classe, "classe_id = %s"),
        "conta": (above, "classe_id in (select id from classe where conta like %s || '.%%')"),
        "posse": ("proprio", "posse = %s"), "fonte": ("convenio", "fonte = %s"),
    }  # fmt: skip
    async with cliente("gestor@demo.local", limit_user=None) as c:
        for name, (value, test) in asked.items():
            found = set(named((await whole(c, "inventario-analitico", **{name: str(value)}))[0]))
            assert found == set(listed(livro, test, value)) != set(), name
        for garantia, numbers in (("vencida", {6}), ("vigente", {7, 8})):
            found = {each["numero"] for each in (await whole(c, "inventario-analitico", garantia=garantia))[0]}
            assert found == numbers
        old = set(named((await whole(c, "inventario-analitico", idade_de=3))[0]))
        young = set(named((await whole(c, "inventario-analitico", idade_ate=2))[0]))
        assert (old | young, old & young) == (set(listed(livro)), set())
        held, _ = await whole(c, "carga", agente=str(agente))
        assert named(held) == listed(livro, "agente_id = %s", agente)


async def test_the_balancete_goes_from_the_balance_before_to_the_one_after_by_what_moved(cliente, livro) -> None:
    async with cliente("consulta@demo.local", limit_user=None) as c:
        before: dict[str, Decimal] = {}
        for month in MONTHS:
            lines, sums = await whole(c, "balancete", competencia=month)
            for each in lines:
                moved = sum(
                    Decimal(each[name]) for name in ("entradas", "baixas", "reavaliacoes", "ajustes", "depreciacao")
                )
                assert Decimal(each["anterior"]) == before.get(each["conta"], Decimal(0)), each
                assert Decimal(each["anterior"]) + moved == Decimal(each["liquido"]), each
                balance = Decimal(each["bruto"]) - Decimal(each["acumulada"]) - Decimal(each["perda"])
                assert balance == Decimal(each["liquido"]), each
            before = {each["conta"]: Decimal(each["liquido"]) for each in lines}
            # Out of the rows of assets, without the ledger or the sums by account.
            gross, taken, assets = one(
                livro,
                """select sum(d.bruto), sum(d.acumulada), count(*) filter (where not d.saiu) from depreciacao d
                   join fechamento f on f.numero = d.fechamento where f.competencia = %s""",
                month,
            )
            assert (Decimal(sums["bruto"]), Decimal(sums["acumulada"]), Decimal(sums["bens"])) == (gross, taken, assets)
        moved = {
            each["conta"]: Decimal(each["ajustes"]) for each in (await whole(c, "balancete", competencia=MONTHS[1]))[0]
        }
        assert len([each for each in moved.values() if each]) >= 2, "an asset changed its account"


async def test_movements_and_depreciation_are_those_of_the_month(cliente, livro) -> None:
    async with cliente("gestor@demo.local", limit_user=None) as c:
        lines, _ = await whole(c, "movimento", competencia=MONTHS[1])
        assert {each["especie"] for each in lines} == {"incorporacao", "baixa", "reclassificacao"} | (
            {each["especie"] for each in lines} & {"ajuste"}
        )
        (gone,) = [each for each in lines if each["especie"] == "baixa"]
        number, value = one(
            livro,
            "select p.numero, p.valor from baixa b join patrimonio p on p.id = patrimonio_id where b.data = '2026-08-20'",
        )
        assert (gone["numero"], Decimal(gone["bruto"])) == (number, -value)
        assert 9 in {each["numero"] for each in lines if each["especie"] == "incorporacao"}
        only, _ = await whole(c, "movimento", competencia=MONTHS[1], especie="baixa")
        assert only == [gone]
        months: dict[str, Decimal] = {}
        for month in MONTHS:
            _, sums = await whole(c, "depreciacao", competencia=month)
            months[month] = Decimal(sums["depreciacao"])
            told = one(livro, "select depreciacao from fechamento where competencia = %s", month)[0]
            assert months[month] == told > 0
        last, _ = await whole(c, "depreciacao")
        assert last == (await whole(c, "depreciacao", competencia=MONTHS[-1]))[0], (
            "without a month, the last closed one"
        )


async def test_the_card_of_an_asset_has_its_entries_and_all_that_is_stored(cliente, livro, navegar) -> None:
    async with cliente("responsavel@demo.local", limit_user=None) as c:
        mine = one(livro, f"select numero from patrimonio where setor_id in {OWN} and situacao <> 'baixado' limit 1")[0]
        others = one(livro, f"select numero from patrimonio where setor_id not in {OWN} limit 1")[0]
        lines, _ = await whole(c, "ficha", numero=mine)
        total = sum(Decimal(each["valor"]) for each in lines if each["componente"] == "bruto")
        assert (
            total
            == one(
                livro, "select case posse when 'proprio' then valor else 0 end from patrimonio where numero = %s", mine
            )[0]
        )
        assert (await c.get(f"{API}/ficha.json", params={"numero": others})).status_code == 404
    async with navegar("responsavel") as pessoa:
        r = await pessoa.http.get("/relatorios/ficha", params={"numero": mine})
        assert (r.status_code, "Número de série" in r.text, "Agente responsável" in r.text) == (200, True, True)


async def test_a_responsavel_reads_in_reports_what_lists_show_them_and_no_month_of_the_city(cliente, livro) -> None:
    count, value = one(livro, f"select count(*), sum(valor) from {LISTED} where setor_id in {OWN}")
    async with cliente("responsavel@demo.local", limit_user=None) as c:
        _, sums = await whole(c, "inventario-analitico")
        assert (sums["linhas"], Decimal(sums["valor"])) == (count, value)
        exported = await c.get(f"{API}/inventario-analitico.csv")
        assert len(list(csv.DictReader(io.StringIO(exported.text.lstrip("\ufeff")), delimiter=";"))) == count
        others = one(livro, f"select id from setor where id not in {OWN} limit 1")[0]
        assert (await whole(c, "inventario-analitico", setor=str(others)))[0] == []
        listed = {each["nome"] for each in (await c.get(API)).json()}
        assert listed == {"inventario-analitico", "inventario-sintetico", "carga", "ficha"}
        assert (await c.get(f"{API}/balancete.json")).status_code == 403


async def test_all_forms_of_a_report_have_the_same_lines_and_are_audited(cliente, livro) -> None:
    asked = {
        "ficha": {"numero": 1},
        "carga": {"agente": str(one(livro, "select agente_id from patrimonio where numero = 1")[0])},
    }
    async with cliente("gestor@demo.local", limit_user=None, limit_report=None) as c:
        for report in RELATORIOS:
            given = asked.get(report.name, {"competencia": MONTHS[1]} if "competencia" in report.filters else {})
            lines, sums = await whole(c, report.name, **given)
            text = (await c.get(f"{report.api}.csv", params=given)).text.lstrip("\ufeff")
            rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
            assert [set(row) for row in rows] == [set(report.columns)] * len(lines), report.name
            assert lines, report.name
            sheet = CalamineWorkbook.from_filelike(
                io.BytesIO((await c.get(f"{report.api}.xlsx", params=given)).content)
            )
            assert len(sheet.get_sheet_by_index(0).to_python()) == len(lines) + 1
            for column in report.summed:
                found = sum((Decimal(row[column].replace(",", ".") or 0) for row in rows), Decimal(0))
                assert found == Decimal(sums[column] or 0), (report.name, column)
            r = await c.get(f"{report.api}.pdf", params=given)
            assert r.headers["content-type"] == "application/pdf"
            said = words_of(r.content)
            assert str(report.title) in said
            for column in report.summed:
                if report.columns[column].ui.in_list and report.columns[column].kind == "money":
                    assert brazilian(sums[column]) in said, (report.name, column)
        noted = livro.execute("select depois from evento where acao = 'exportar_relatorio'").fetchall()
        assert len(noted) == 3 * len(RELATORIOS)
        assert {each[0]["formato"] for each in noted} == {"csv", "pdf"}


def words_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def brazilian(amount: str) -> str:
    return f"{Decimal(amount):,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.fixture
async def db(cidade: Dsn) -> AsyncIterator[Database]:
    """As the application's role."""
    async with Database(cidade, min_size=1, settings={"role": DATABASE_ROLE}) as db:
        yield db


async def test_a_long_report_is_made_by_a_job_in_parts_and_given_to_who_asked(cliente, livro, db, monkeypatch) -> None:
    monkeypatch.setattr(paper, "PART", 100)
    count, value = one(livro, f"select count(*), sum(valor) from {LISTED}")
    async with cliente("gestor@demo.local", limit_user=None) as c:
        r = await c.get(f"{API}/inventario-analitico.pdf")
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "formato")
        made = (await c.post(f"{API}/inventario-analitico/tarefas", json={"por": "setor"})).json()
        file = f"{API}/arquivos/{made['arquivo_id']}"
        assert (await c.get(file)).status_code == 404, "not made yet"
        async with db.connection() as conn:
            taken = await queue.claim(conn, "teste")
        assert await perform(db, {FAZER_PDF.name: FAZER_PDF}, taken.id, taken.turn) is Ending.ENDED
        job = (await c.get(f"/api/tarefas/{made['tarefa_id']}")).json()
        assert (job["estado"], job["resultado"]["linhas"]) == ("concluida", count), job
        r = await c.get(file)
        said = words_of(r.content)
        assert (r.status_code, len(r.content)) == (200, job["resultado"]["tamanho"])
        assert [n for _, n in listed(livro) if f"{n:06}" not in said] == []
        assert brazilian(str(value)) in said
        pages = said.count("Página ")
        assert pages > 3
        assert [f"Página {n} de {pages}" in said for n in range(1, pages + 1)] == [True] * pages
        for setor, amount in livro.execute(
            f"select codigo, sum(valor) from {LISTED} join setor s on s.id = setor_id group by 1"
        ).fetchall():
            assert f"{setor} · " in said
            assert brazilian(str(amount)) in said, setor
    async with cliente("admin@demo.local") as c:
        assert (await c.get(file)).status_code == 404, "it is who asked for it that gets it"


async def test_a_report_that_is_killed_while_it_is_drawn_leaves_nothing(cliente, livro, db, monkeypatch) -> None:
    async def dead(*_: Any, **__: Any) -> bytes:
        raise MemoryError

    async with cliente("gestor@demo.local") as c:
        made = (await c.post(f"{API}/inventario-analitico/tarefas", json={})).json()
        monkeypatch.setattr(PdfRenderer, "render", dead)
        async with db.connection() as conn:
            taken = await queue.claim(conn, "teste")
        await perform(db, {FAZER_PDF.name: FAZER_PDF}, taken.id, taken.turn)
        job = (await c.get(f"/api/tarefas/{made['tarefa_id']}")).json()
        assert (job["estado"], job["erro"]["code"]) == ("falhou", "memoria")
        assert one(livro, "select count(*) from relatorio_parte") == (0,)


async def test_what_cannot_be_asked_for_is_said_beside_what_is_allowed(cliente, livro) -> None:
    wrong = [
        ("balancete", {"competencia": "2026-10-01"}, "competencia", "O último fechado é 09/2026"),
        ("balancete", {"competencia": "outubro"}, "competencia", "data"),
        ("inventario-analitico", {"conta": "1..2"}, "conta", "Formato"),
        ("inventario-analitico", {"por": "cor"}, "por", "setor"),
        ("inventario-analitico", {"idade_de": "9", "idade_ate": "3"}, "idade_ate", "9"),
        ("inventario-analitico", {"cursor": "feito"}, "cursor", "página"),
        ("inventario-analitico", {"cor": "azul"}, "cor", "desconhecido"),
        ("ficha", {}, "numero", "Preencha"),
    ]
    async with cliente("gestor@demo.local", limit_user=None) as c:
        for name, asked, field, said in wrong:
            r = await c.get(f"{API}/{name}.json", params=asked)
            assert (r.status_code, r.json()["errors"][0]["field"]) == (422, field), r.text
            assert said in r.json()["errors"][0]["message"], r.text


async def test_pages_say_what_is_empty_and_keep_filters_that_are_wrong(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        listed = (await pessoa.http.get("/relatorios")).text
        for report in RELATORIOS:
            assert f'href="{report.path}"' in listed
            r = await pessoa.http.get(report.path)
            assert r.status_code == 200, report.name
        for name in ("balancete", "movimento", "depreciacao"):
            assert "nenhum mês foi fechado ainda" in (await pessoa.http.get(f"/relatorios/{name}")).text
        r = await pessoa.http.get("/relatorios/inventario-analitico", params={"conta": "9.9.9"})
        assert (r.status_code, "Nenhum bem ao seu alcance" in r.text) == (200, True)
        r = await pessoa.http.get("/relatorios/inventario-analitico", params={"conta": "1..2", "idade_de": "3"})
        assert (r.status_code, 'value="1..2"' in r.text, 'value="3"' in r.text) == (422, True, True)
        assert "Use grupos de até três algarismos" in r.text
        r = await pessoa.http.get("/relatorios/balancete", params={"competencia": "09/2026"})
        assert (r.status_code, "nenhum foi fechado ainda" in r.text) == (422, True)
