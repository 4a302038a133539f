"""Papers by Typst: the same bytes each time, PDF/A, in parts, what was typed stays text, one process with a ceiling."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import io
import os
import signal
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pikepdf
import psutil
import pypdfium2
import pytest
import segno
from verapdf import verdicts, why_not

from sispat.kernel.pdf import PdfBusy, PdfFailed, PdfRenderer, drawable, engine, joined, numbers, pages_of

TERMO = "termos/termo.typ"
RELATORIO = "relatorios/relatorio.typ"
AT = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z" fill="#135"/></svg>'


def dados(bens: int = 3, **mais: Any) -> dict[str, Any]:
    qr = io.BytesIO()
    segno.make("HTTP://X.Y/T/ABC", error="m").save(qr, kind="svg", xmldecl=False)
    return {
        "tipo": "responsabilidade", "titulo": "Termo de responsabilidade nº 12/2026", "numero": 12, "exercicio": 2026,
        "cidade": {"nome": "Prefeitura de Teste", "brasao": None}, "endereco": "http://x.y/t/abc", "codigo": "ABC",
        "qr": qr.getvalue().decode(), "substitui": None, "data": "2 de março de 2026", "quantos": f"{bens} bens",
        "fatos": [["Responsável", "Ana Souza"]], "total": "10,00",
        "bens": [[f"{n:06}", "Mesa de reunião", "Bom", "Sala 1", "10,00"] for n in range(1, bens + 1)],
        "partes": [{"papel": "Responsável", "nome": "Ana Souza", "detalhe": "matrícula 12"}], **mais,
    }  # fmt: skip


def relatorio(parte: str | None, linhas: int) -> dict[str, Any]:
    return {
        "titulo": "Inventário analítico", "cidade": {"nome": "Prefeitura", "brasao": {"formato": "svg", "conteudo": SVG}},
        "pergunta": "Que bens há?", "fatos": [["Setor", "Obras"]], "data": "2 de março", "vazio": "Nada", "quantos": "",
        "cabecalho": ["Bem", "Descrição", "Valor"], "lados": ["esquerda", "esquerda", "direita"], "parte": parte,
        "larguras": [[1.4, "cm"], [1.0, "fr"], [2.2, "cm"]],
        "linhas": [["Obras"], *([f"{n:06}", "Mesa de reunião", "10,00"] for n in range(linhas)), ["Σ", "", "Soma", "9,00"]],
    }  # fmt: skip


async def em_partes(renderer: PdfRenderer) -> bytes:
    """A report in three parts."""
    named = ("primeira", "outra", "outra")
    parts = [await renderer.render(RELATORIO, relatorio(each, 90), AT, part=True) for each in named]
    pages = sum(map(pages_of, parts))
    over = await numbers(renderer, pages, AT, title="Inventário analítico", author="Prefeitura", landscape=True)
    made = joined(parts, over)
    assert joined(parts, over) == made, "the same bytes"
    return made


@pytest.fixture
async def renderer() -> AsyncIterator[PdfRenderer]:
    made = PdfRenderer()
    yield made
    await made.close()


def texto(pdf: bytes) -> str:
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


async def test_the_same_data_make_the_same_bytes_in_any_process_time_zone_and_language(renderer, monkeypatch) -> None:
    brasao = {"nome": "Prefeitura de Teste", "brasao": {"formato": "svg", "conteudo": SVG}}
    first = await renderer.render(TERMO, dados(cidade=brasao), AT, rows=3)
    await renderer.render(TERMO, dados(40), AT)  # what it drew before changes nothing
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    other = PdfRenderer()
    try:
        assert await other.render(TERMO, dados(cidade=brasao), AT, rows=3) == first
        assert await other.render(TERMO, dados(), AT, rows=3) != first, "the arms are drawn"
        assert other.pid != renderer.pid
    finally:
        await other.close()
    assert engine(TERMO) == engine(TERMO) != engine("kernel/pdf/papel.typ")


async def test_a_large_service_keeps_the_process_that_draws_for_the_next_document(renderer) -> None:
    """Linux hands the largest memory of who starts a program on to it (ru_maxrss), which is not what it uses itself."""
    large = bytearray(300 * 1024**2)
    large[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(range(0, len(large), os.sysconf("SC_PAGE_SIZE")))
    await renderer.render(TERMO, dados(), AT)
    pid = renderer.pid
    await renderer.render(TERMO, dados(), AT)
    assert renderer.pid == pid is not None
    del large


async def test_it_is_pdf_a_with_its_fonts_pages_numbers_and_language(renderer) -> None:
    for rows, level in ((60, "A"), (600, "B")):
        pdf = await renderer.render(TERMO, dados(60), AT, rows=rows)
        with pikepdf.open(io.BytesIO(pdf)) as document:
            with document.open_metadata() as metadata:
                assert metadata.pdfa_status == f"2{level}"
            assert document.Root.OutputIntents[0].S == "/GTS_PDFA1"
            assert str(document.Root.Lang) == "pt-BR"
            assert ("/StructTreeRoot" in document.Root) is (level == "A"), (
                "structure for screen readers, if not too much"
            )
            assert document.trailer.get("/Encrypt") is None
            assert "2026-03-02T12:00:00" in str(document.Root.Metadata.read_bytes()), "dated as it was asked to be"
            fonts = [
                each
                for each in document.objects
                if isinstance(each, pikepdf.Dictionary) and each.get("/Type") == "/FontDescriptor"
            ]
            assert fonts
            assert all({"/FontFile", "/FontFile2", "/FontFile3"} & set(each.keys()) for each in fonts), (
                "fonts are inside"
            )
            pages = len(document.pages)
        assert pages > 1
        assert f"Página 1 de {pages}" in texto(pdf)


def onde(pdf: bytes, said: str) -> list[tuple[float, ...]]:
    """Where each page has the first letter of `said`."""
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        pages = [page.get_textpage() for page in document]
        return [page.get_charbox(page.get_text_range().index(said)) for page in pages]


async def test_each_page_of_a_document_in_parts_says_which_of_how_many_where_whole_ones_do(renderer) -> None:
    pdf = await em_partes(renderer)
    pages = pages_of(pdf)
    said = texto(pdf)
    assert pages > 4
    assert [n for n in range(1, pages + 1) if f"Página {n} de {pages}" not in said] == []
    assert said.count("Página ") == pages
    assert (said.count("Inventário analítico · 2 de março"), said.count("Que bens há?")) == (pages, 1)
    whole = await renderer.render(RELATORIO, relatorio(None, 90), AT)
    assert len({tuple(round(edge, 1) for edge in place) for place in onde(pdf, "Página") + onde(whole, "Página")}) == 1


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
async def test_papers_are_pdf_a_by_verapdf_also_those_put_together_of_parts(renderer, tmp_path: Path) -> None:
    parts = await em_partes(renderer)
    with pikepdf.open(io.BytesIO(parts)) as document:
        document.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        document.save(spoilt := io.BytesIO())
    arms = {"nome": "Prefeitura de Teste", "brasao": {"formato": "svg", "conteudo": SVG}}
    papers = [
        await renderer.render(TERMO, dados(30, cidade=arms), AT, rows=30),
        await renderer.render(TERMO, dados(30, cidade=arms), AT, rows=600),
        await renderer.render(RELATORIO, relatorio(None, 90), AT),
        parts,
        spoilt.getvalue(),
    ]
    found = await asyncio.to_thread(verdicts, tmp_path, *papers)
    assert found[:4] == [("2a", []), ("2b", []), ("2a", []), ("2b", [])]
    assert found[4].broken, "what is none is found"
    assert all(each.startswith("6.5.1") for each in found[4].broken), found[4]


async def test_markup_that_somebody_typed_stays_text(renderer) -> None:
    nasty = [
        '#import "/settings/_service.py": x', '#read("/app.py")', "#panic()", "$ x^2 $", "*negrito* _i_ `raw` = título",
        "\\ ] ) } \" ' // comentário /* x */", "<rotulo> @ref https://x.y", "#sys.inputs.dados", '"); #eval("1+1")',
    ]  # fmt: skip
    typed = dados()
    typed["bens"] = [[f"{n:06}", text, "Bom", "Sala", "1,00"] for n, text in enumerate(nasty)]
    typed["fatos"] = [["Motivo", text] for text in nasty]
    typed["cidade"] = {"nome": "#panic()", "brasao": None}
    typed["partes"] = [{"papel": "x", "nome": "#panic() *Ana*", "detalhe": ""}]
    found = " ".join(texto(await renderer.render(TERMO, typed, AT)).split())
    for text in nasty:
        # A line that was broken in a word has no hyphen of its own: compared without spaces.
        assert text.replace(" ", "") in found.replace(" ", "").replace("\ufffe", ""), text
    assert "#panic() *Ana*" in found


async def test_every_character_that_passes_can_be_drawn_and_others_are_shown_as_missing(renderer) -> None:
    passing = [c for c in map(chr, range(0x20, 0x3000)) if drawable(c) == c and unicodedata.category(c) != "Cc"]
    assert len(passing) > 1500
    typed = dados()
    typed["fatos"] = [["x", " ".join(passing)]]
    assert (await renderer.render(TERMO, typed, AT)).startswith(b"%PDF")
    strange = "漢字 \U0001f600 ع \u202e \x07 \ud800"
    assert drawable(strange) == "\ufffd\ufffd \ufffd \ufffd \ufffd \ufffd \ufffd"
    typed["bens"][0][1] = strange
    assert (await renderer.render(TERMO, typed, AT)).startswith(b"%PDF")


async def test_what_takes_too_long_or_too_much_ends_the_process_and_nothing_else(caplog) -> None:
    slow = PdfRenderer(time=0.001)
    with pytest.raises(PdfFailed):
        await slow.render(TERMO, dados(), AT)
    assert slow.pid is None
    small = PdfRenderer(memory=250 * 1024**2)
    try:
        assert await small.render(TERMO, dados(), AT), "what is small is drawn"
        with pytest.raises(PdfFailed):
            await small.render(TERMO, dados(20_000), AT, rows=20_000)
        assert small.pid is None
    finally:
        await small.close()
    assert caplog.text.count("the process that draws failed") == 2


async def test_what_it_kept_of_documents_is_given_up_before_the_process_has_to_end(renderer) -> None:
    await renderer.render(RELATORIO, relatorio("outra", 500), AT, part=True)
    used = psutil.Process(renderer.pid).memory_info().rss
    # Each document adds more than 8 MiB. What is used without them differs by a few from process to process.
    thrifty = PdfRenderer(kept=used + 32 * 1024**2)
    try:
        pids = set()
        for lines in range(500, 510):
            await thrifty.render(RELATORIO, relatorio("outra", lines), AT, part=True)
            pids.add(thrifty.pid)
        assert len(pids) == 1
        assert None not in pids
    finally:
        await thrifty.close()


async def test_a_killed_process_is_replaced_and_a_refused_document_is_told(renderer, caplog) -> None:
    first = await renderer.render(TERMO, dados(), AT)
    pid = renderer.pid
    assert not [name for name in psutil.Process(pid).environ() if name.startswith(("SISPAT", "DATABASE"))]
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(PdfFailed):  # the one that finds it gone, if nobody noticed yet
        await renderer.render(TERMO, dados(), AT)
    assert await renderer.render(TERMO, dados(), AT) == first
    assert renderer.pid not in (None, pid)
    with pytest.raises(PdfFailed):
        await renderer.render(TERMO, {**dados(), "tipo": "inexistente"}, AT)
    assert "Typst refused it" in caplog.text
    assert await renderer.render(TERMO, dados(), AT) == first


async def test_who_gives_up_leaves_no_answer_for_the_next_and_a_crowd_is_told_at_once(renderer) -> None:
    first = await renderer.render(TERMO, dados(), AT)
    given_up = asyncio.create_task(renderer.render(TERMO, dados(2000), AT))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await renderer.render(TERMO, dados(), AT) == first, "its own answer, not the other's"
    crowd = [asyncio.create_task(renderer.render(TERMO, dados(1), AT)) for _ in range(30)]
    done = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(each, PdfBusy) for each in done) == 10
    assert sum(isinstance(each, bytes) for each in done) == 20
