"""Spreadsheets that are none, too large, or made to do harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from planilhas import Importer, csv_bytes, registers, xlsx_bytes

from esteio.postgres import Dsn
from sispat.importacao import rules, sheets
from sispat.importacao.sheets import UnreadableSheet, open_sheet


def bomb(megabytes: int) -> bytes:
    """A small workbook whose sheet becomes large."""
    plain = xlsx_bytes([["a"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            padding = b" " * (megabytes << 20) if name.endswith("sheet1.xml") else b""
            new.writestr(name, old.read(name) + padding)
    return out.getvalue()


def rows_alone(count: int) -> bytes:
    """A workbook of so many rows, made without their cells."""
    plain = xlsx_bytes([["a"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            if name.endswith("sheet1.xml"):
                body = body.replace(b"</sheetData>", b'<row r="2"></row>' * count + b"</sheetData>")
            new.writestr(name, body)
    return out.getvalue()


def read(path: Path) -> None:
    with open_sheet(path) as sheet:
        for _row in sheet.rows:
            pass


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "vazio"),
        (b"   \r\n", "vazio"),
        (b"%PDF-1.7\x00\x01\x02", "não é uma planilha"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "planilha antiga"),
        (b"PK\x03\x04" + bytes(100), "danificado"),
        (xlsx_bytes([["a"]])[:900], "danificado"),
        (b'a;b\r\n"nunca fecha;' + b"x" * 140_000, "falta fechar aspas"),
        (b"a\n" + b"x\n" * (rules.LINHAS_MAXIMO + 1), r"mais de 100\.000 linhas"),
        (rows_alone(1_048_576), r"mais de 100\.000 linhas"),
    ],
    ids=["empty", "blank", "pdf", "xls", "no-zip", "cut", "quotes", "csv-rows", "xlsx-rows"],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "planilha").write_bytes(content)
    with pytest.raises(UnreadableSheet, match=told):
        read(tmp_path / "planilha")


def test_a_zip_bomb_is_refused_by_what_it_becomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "BYTES_ABERTOS", 8 << 20)
    (tmp_path / "planilha").write_bytes(small := bomb(9))
    assert len(small) < 100_000
    with pytest.raises(UnreadableSheet, match="passa de 8 MB"):
        read(tmp_path / "planilha")


def test_another_zip_and_a_workbook_with_a_password_are_no_spreadsheets(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "planilha", "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    with pytest.raises(UnreadableSheet, match="não é uma planilha"):
        read(tmp_path / "planilha")


async def test_of_thousands_of_errors_the_first_are_kept_and_all_are_counted(gestor: Importer) -> None:
    sent = await gestor.send(csv_bytes([["Descrição", "Valor"], *([["x", "y"]] * 1200)]))
    assert sent["erros"] > 5000
    async with gestor.context() as ctx:
        count = await (await ctx.conn.execute("select count(*) from importacao_erro")).fetchone()
    assert count == (rules.ERROS_GUARDADOS,)


async def test_a_formula_is_text_and_a_class_retired_meanwhile_saves_nothing(gestor: Importer, cidade: Dsn) -> None:
    of = registers(cidade)
    rows = [["Descrição", "Classe", "Valor", "Data de aquisição", "Local", "Setor", "Matrícula"],
            ["=HYPERLINK(1)", of["classe"], "1", "31/01/2026", of["local"], of["setor"], of["matricula"]]]  # fmt: skip
    sent = await gestor.send(csv_bytes(rows))
    assert sent["erros"] == 0
    async with gestor.context() as ctx:
        await ctx.conn.execute("update classe set ativo = false where id = %s", [of["classe_id"]])
    failed = await gestor.save(sent)
    assert (failed["estado"], failed["tarefa"]["estado"]) == ("conferida", "falhou")
    assert "Linha 2, Classe" in failed["tarefa"]["erro"]["message"]
    async with gestor.context() as ctx:
        await ctx.conn.execute("update classe set ativo = true where id = %s", [of["classe_id"]])
    assert (await gestor.save(await gestor.check(sent["id"])))["estado"] == "gravada"
    async with gestor.context() as ctx:
        found = await (await ctx.conn.execute("select from patrimonio where descricao = '=HYPERLINK(1)'")).fetchall()
    assert len(found) == 1
