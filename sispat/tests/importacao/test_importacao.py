"""A spreadsheet becomes assets: all or none, numbered, audited, counted; and is taken back as a whole."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from planilhas import Importer, csv_bytes, ods_bytes, registers, xlsx_bytes

from esteio.postgres import Dsn
from sispat.kernel.errors import InvalidData
from sispat.patrimonios.sql.totals import totais_divergentes

HEADINGS = ["Número", "Descrição", "Classe", "Valor", "Data de aquisição", "Setor", "Local", "Matrícula"]


def line(
    of: dict[str, str], number: Any = "", descricao: str = "Mesa de reunião", valor: Any = "1.234,56"
) -> list[Any]:
    return [number, descricao, of["classe"], valor, "31/01/26", of["setor"], of["local"], of["matricula"]]


def query(cidade: Dsn, sql: str, *values: object) -> list[Any]:
    with psycopg.connect(cidade.conninfo) as conn:
        return conn.execute(sql, values).fetchall()


async def test_assets_are_made_with_numbers_audit_and_totals_and_all_is_taken_back(
    gestor: Importer, cidade: Dsn
) -> None:
    of = registers(cidade)
    before = query(cidade, "select count(*), sum(valor) from patrimonio")
    [(last,)] = query(cidade, "select ultimo from numeracao where escopo = 'patrimonio'")
    sent = await gestor.send(
        csv_bytes([HEADINGS, line(of), line(of, last + 9, "Cadeira", "10"), line(of, 202601000001)])
    )
    assert (sent["estado"], sent["linhas"], sent["erros"], sent["formato"]) == ("conferida", 3, 0, "csv")
    assert (sent["resumo"]["novos"], sent["resumo"]["maior_numero"]) == (3, last + 9)
    saved = await gestor.save(sent)
    assert saved["estado"] == "gravada", saved["tarefa"]
    made = query(cidade, "select numero, descricao, valor::text, situacao from patrimonio where atualizado_em = criado_em"
                         " and id in (select patrimonio_id from importacao_item) order by numero")  # fmt: skip
    assert made == [
        (last + 9, "Cadeira", "10.00", "em_uso"),
        (last + 10, "Mesa de reunião", "1234.56", "em_uso"),
        (202601000001, "Mesa de reunião", "1234.56", "em_uso"),
    ], "numbers go on above those of the spreadsheet, but for numbers of another scheme"
    assert query(cidade, "select ultimo from numeracao where escopo = 'patrimonio'") == [(last + 10,)]
    events = query(cidade, "select requisicao, depois ->> 'numero' from evento where acao = 'importar' order by id")
    assert sorted(events) == sorted(("pedido", str(number)) for number, *_ in made)
    async with gestor.context() as ctx:
        assert await totais_divergentes(ctx.conn) == []
    undone = await gestor.undo(saved)
    assert undone["estado"] == "desfeita", undone["tarefa"]
    assert query(cidade, "select count(*), sum(valor) from patrimonio") == before
    assert len(query(cidade, "select from evento where acao = 'desfazer_importacao' and antes is not null")) == 3
    async with gestor.context() as ctx:
        assert await totais_divergentes(ctx.conn) == []
    with pytest.raises(InvalidData):
        await gestor.undo(undone)


async def test_sets_have_numbers_in_the_order_of_rows_and_an_error_after_the_first_leaves_nothing(
    gestor: Importer, cidade: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sispat.patrimonios.bulk.AT_ONCE", 2)
    monkeypatch.setattr("sispat.importacao.work._LOT", 2)
    of = registers(cidade)
    [(last,)] = query(cidade, "select ultimo from numeracao where escopo = 'patrimonio'")
    late = last + 100
    rows = [line(of, descricao=f"Mesa {n}") for n in range(7)] + [line(of, late, "Mesa 7")]
    first, second = [await gestor.send(csv_bytes([HEADINGS, *rows])) for _ in range(2)]
    assert (first["resumo"]["novos"], first["resumo"]["sem_numero"]) == (8, 7)
    saved = await gestor.save(first)
    assert saved["estado"] == "gravada", saved["tarefa"]
    made = "select numero, descricao from patrimonio where descricao like 'Mesa _' order by numero"
    there = [(late, "Mesa 7"), *((late + 1 + n, f"Mesa {n}") for n in range(7))]
    assert query(cidade, made) == there
    failed = await gestor.save(second)  # its last row's number is there by now
    assert failed["estado"] == "conferida"
    assert "agora tem erros" in failed["tarefa"]["erro"]["message"]
    assert query(cidade, made) == there


async def test_an_import_of_which_something_was_touched_is_not_undone(gestor: Importer, cidade: Dsn) -> None:
    of = registers(cidade)
    saved = await gestor.save(await gestor.send(csv_bytes([HEADINGS, line(of), line(of)])))
    query(cidade, "update patrimonio set versao = versao + 1 where id = (select patrimonio_id from importacao_item limit 1)"
                  " returning 1")  # fmt: skip
    kept = await gestor.undo(saved)
    assert (kept["estado"], kept["tarefa"]["estado"]) == ("gravada", "falhou")
    assert "alguém já alterou" in kept["tarefa"]["erro"]["message"]
    assert query(cidade, "select count(*) from patrimonio where id in (select patrimonio_id from importacao_item)") == [
        (2,)
    ]


async def test_what_is_wrong_is_told_by_row_column_value_and_what_is_allowed_and_nothing_is_saved(
    gestor: Importer, cidade: Dsn
) -> None:
    of = registers(cidade)
    rows = [
        HEADINGS,
        line(of, "12-A"),
        line(of, valor="12,345"),
        ["", "x", "Nave espacial", "1", "31/02/2026", of["setor"], "Lua", "ninguém"],
        line(of, 1),
        line(of, 77_001),
        line(of, 77_001),
        line(of, descricao="Mesa\u200b"),
        line(of),
    ]
    sent = await gestor.send(csv_bytes(rows))
    assert await gestor.errors(sent) == [
        (2, "Número", "12-A", "O número da plaqueta só tem algarismos, como 001234."),
        (3, "Valor", "12,345", "Use no máximo 2 casas decimais."),
        (
            4,
            "Classe",
            "Nave espacial",
            "Não está nos cadastros, em uso, com este nome ou código. Cadastre-o antes, ou corrija.",
        ),
        (
            4,
            "Matrícula",
            "ninguém",
            "Não está nos cadastros, em uso, com este nome ou código. Cadastre-o antes, ou corrija.",
        ),
        (4, "Local", "Lua", "Não há este local, em uso, no setor. Cadastre-o antes, ou corrija o nome."),
        (5, "Número", "1", "Este número já existe. Para corrigir os bens que existem, escolha “Atualizam o bem”."),
        (7, "Número", "77001", "O mesmo número está na linha 6."),
        (
            8,
            "Descrição",
            "Mesa\u200b",
            "Contém um caractere invisível ou que muda a ordem do texto (U+200B). Apague-o e digite de novo.",
        ),
    ]
    assert sent["erros"] == 8
    with pytest.raises(InvalidData, match="tem erros"):
        await gestor.save(sent)
    assert query(cidade, "select count(*) from patrimonio") == [(300,)]


async def test_those_that_are_there_are_updated_where_that_is_chosen_and_given_back_by_undoing(
    gestor: Importer, cidade: Dsn
) -> None:
    [(one, old, place), (two, *_)] = query(
        cidade,
        """select numero, descricao, marca from patrimonio where situacao = 'em_uso' and conservacao <> 'ruim'
           order by numero limit 2""",
    )
    rows = [["Plaqueta", "Bem", "Marca", "Conservação"], [one, "Outra descrição", "", "Ruim"], [two, "", "", ""]]
    sent = await gestor.send(
        csv_bytes(rows), colunas=["numero", "descricao", "marca", "conservacao"], existentes="atualizar"
    )
    assert (sent["resumo"]["alterados"], sent["resumo"]["iguais"], sent["erros"]) == (1, 1, 0), await gestor.errors(
        sent
    )
    saved = await gestor.save(sent)
    assert saved["estado"] == "gravada", saved["tarefa"]
    now = "select descricao, marca, conservacao, versao from patrimonio where numero = %s"
    assert query(cidade, now, one) == [("Outra descrição", place, "ruim", 2)]
    [(was, becomes)] = query(cidade, "select antes, depois from evento where acao = 'importar'")
    assert (was["descricao"], becomes) == (old, {"descricao": "Outra descrição", "conservacao": "ruim"})
    undone = await gestor.undo(saved)
    assert undone["estado"] == "desfeita", undone["tarefa"]
    assert query(cidade, now, one)[0][0] == old


async def test_what_a_person_chose_for_a_heading_is_remembered_and_defaults_fill_what_is_not_there(
    gestor: Importer, cidade: Dsn
) -> None:
    of = registers(cidade)
    sheet = csv_bytes([["Coisa", "Quanto custou"], ["Mesa redonda", "R$ 10,00"]])
    first = await gestor.send(sheet)
    assert (first["erros"], [each["campo"] for each in first["colunas"]]) == (1, ["", ""])
    defaults = {name: of[name] for name in ("classe_id", "local_id", "agente_id")} | {"data_aquisicao": "2026-01-31"}
    second = await gestor.check(first["id"], colunas=["descricao", "valor"], **defaults)
    assert second["erros"] == 0, await gestor.errors(second)
    third = await gestor.send(sheet)
    assert [each["campo"] for each in third["colunas"]] == ["descricao", "valor"]
    for wrong, text in (
        (["descricao", "descricao"], "Mais de uma"),
        (["nada", ""], "Não há o campo"),
        ([""], "2 colunas"),
    ):
        with pytest.raises(InvalidData, match=text):
            await gestor.check(first["id"], colunas=wrong)


async def test_an_export_of_the_original_sispat_is_read_as_it_is(gestor: Importer, cidade: Dsn) -> None:
    """Its columns, its commas and quotes, its words; who answers, which it does not know, is chosen for all."""
    of = registers(cidade)
    headings = ["Nº Patrimônio", "Descrição", "Tipo", "Marca", "Modelo", "Cor", "Nº de Série", "Data de Aquisição",
                "Valor de Aquisição", "Quantidade", "Nota Fiscal", "Forma de Aquisição", "Setor Responsável", "Localização",
                "Status", "Situação do Bem", "Data da Baixa", "Motivo da Baixa", "Nome da Entidade", "Qtd. Fotos"]  # fmt: skip
    bem = ["202501000001", "Notebook", of["classe"], "Dell", "L3", "Preto", "S1", "15/03/2025", "4.299,90", "1,00", "NF 1",
           "Compra", of["setor_nome"], of["local"], "ativo", "OTIMO", "", "", "Prefeitura", "2"]  # fmt: skip
    gone = ["202501000002", *bem[1:14], "baixado", "PESSIMO", "01/02/2026", "leilão", "Prefeitura", "0"]
    sheet = "\ufeff" + "\n".join([",".join(headings), *(",".join(f'"{cell}"' for cell in row) for row in (bem, gone))])
    colunas = [each["campo"] for each in (await gestor.send(sheet.encode()))["colunas"]]
    sent = await gestor.send(sheet.encode(), agente_id=of["agente_id"])
    assert sent["erros"] == 0, await gestor.errors(sent)
    assert (sent["resumo"]["novos"], sent["resumo"]["baixados"]) == (1, 1)
    assert colunas[:10] == [
        "numero",
        "descricao",
        "classe_id",
        "marca",
        "modelo",
        "",
        "numero_serie",
        "data_aquisicao",
        "valor",
        "quantidade",
    ]
    assert colunas[10:16] == ["nota_fiscal", "", "setor_id", "local_id", "situacao", "conservacao"]
    await gestor.save(sent)
    assert query(
        cidade, "select valor::text, data_aquisicao, conservacao from patrimonio where numero = 202501000001"
    ) == [("4299.90", dt.date(2025, 3, 15), "otimo")]


async def test_our_own_export_comes_back_as_it_went(gestor: Importer, cidade: Dsn, cliente) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update patrimonio set descricao = '=cmd|calc' where numero = 2")
        conn.execute("update patrimonio set situacao = 'em_uso' where situacao <> 'baixado'")
    async with cliente("gestor@demo.local", limit_report=None) as c:
        went = (await c.get("/api/patrimonios.csv")).content
        assert "'=cmd|calc" in went.decode()
        sent = await gestor.send(went, existentes="atualizar")
        assert sent["erros"] == 0, await gestor.errors(sent)
        assert (sent["resumo"]["alterados"], sent["resumo"]["novos"]) == (0, 0)
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("truncate patrimonio cascade")
        sent = await gestor.send(went)
        assert sent["erros"] == 0, await gestor.errors(sent)
        saved = await gestor.save(sent)
        assert saved["estado"] == "gravada", saved["tarefa"]
        came = (await c.get("/api/patrimonios.csv")).content
    lost = [each for each in went.decode().splitlines() if ";baixado;" in each]
    assert came.decode().splitlines() == [each for each in went.decode().splitlines() if each not in lost]


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ";"), ("utf-8-sig", ","), ("cp1252", "\t"), ("utf-16", ";")]
)
async def test_a_csv_is_read_whatever_its_encoding_and_delimiter(
    gestor: Importer, cidade: Dsn, delimiter: str, encoding: str
) -> None:
    sent = await gestor.send(csv_bytes([HEADINGS, line(registers(cidade))], delimiter, encoding))
    assert (sent["erros"], sent["resumo"]["novos"]) == (0, 1), await gestor.errors(sent)


async def test_cells_of_workbooks_are_read_as_what_they_are(gestor: Importer, cidade: Dsn) -> None:
    """Dates counted from 1900 and 1904, numbers as binary fractions, dates without their format, codes of digits."""
    of = registers(cidade)
    day = dt.datetime(2026, 1, 31)  # noqa: DTZ001 - a spreadsheet knows no zones
    headings = [*HEADINGS, "Nota Fiscal"]
    for options in ({}, {"date_1904": True}):
        rows = [headings, [*line(of, valor=1234.1 + 0.2), 4711], [*line(of, valor=10), "0042"], [*line(of), ""]]
        rows[1][4], rows[2][4] = day, 46053 if not options else "31/01/2026"
        sent = await gestor.send(xlsx_bytes(rows, **options), "bens.xlsx")
        assert (sent["formato"], sent["erros"]) == ("xlsx", 0), await gestor.errors(sent)
        saved = await gestor.save(sent)
        assert query(
            cidade,
            """select data_aquisicao, valor::text, nota_fiscal from patrimonio p
               join importacao_item i on i.patrimonio_id = p.id where importacao_id = %s order by numero limit 2""",
            saved["id"],
        ) == [(day.date(), "1234.30", "4711"), (day.date(), "10.00", "0042")]
    sent = await gestor.send(ods_bytes([HEADINGS, line(of, valor=7.5)]), "bens.ods")
    assert sent["estado"] == "conferida", sent["tarefa"]["erro"]
    assert (sent["formato"], sent["erros"], sent["resumo"]["novos"]) == ("ods", 0, 1), await gestor.errors(sent)
