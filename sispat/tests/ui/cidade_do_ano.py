"""A city hall whose year is played in a real browser: the service with its jobs, a window for each person, a model beside it.

A half-year is a file of steps, each a function of `Ano`; the next one goes on with what this one left. What a step asserts is
clicked and typed; what must only be there before is asked of the API (`Ano.pedir`) or written into the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime as dt
import io
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pypdfium2
import zxingcpp
from modelo_do_ano import Modelo
from processos import SEM_LIMITES, Service, comando
from servida import CHROMIUM

from esteio.postgres import Database, Dsn
from sispat.app import SLICES
from sispat.http.service import DATABASE_ROLE
from sispat.http.slices import Site
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import perform

SENHA = "varanda trilho caneca pombo"
ADMIN = ("marta@cidade.example", "Marta Dias")


@dataclass
class Ano:
    """One year of one city; `paginas` are what people have on their screens."""

    endereco: str
    navegador: Any
    pasta: Path
    dsn: Dsn
    hoje: dt.date
    modelo: Modelo = field(default_factory=Modelo)
    paginas: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    codigos: dict[int, str] = field(default_factory=dict)
    """What the label of an asset says, by plate number."""

    def dia(self, dia: int, mes: int) -> dt.date:
        """A day of last year, all of whose months may be closed."""
        return dt.date(self.hoje.year - 1, mes, dia)

    def __getitem__(self, quem: str) -> Any:
        """The page of a person who is signed in."""
        return self.paginas[quem]

    def estranho(self) -> Any:
        """The page of somebody who is not."""
        pagina = self.navegador.new_context(locale="pt-BR", base_url=self.endereco).new_page()
        pagina.set_default_timeout(60_000)
        return pagina

    def entrar(self, quem: str, email: str) -> Any:
        """The page of somebody who has signed in with their own password."""
        pagina = self.paginas[quem] = self.estranho()
        resposta = pagina.request.post("/api/auth/login", data={"email": email, "password": SENHA})
        assert resposta.ok, resposta.text()
        self.tokens[quem] = pagina.request.get("/api/auth/me").json()["csrf"]
        return pagina

    def pedir(self, quem: str, caminho: str, dados: dict[str, Any]) -> dict[str, Any]:
        """POST to the API as a person who is signed in; what it answers."""
        cabecalhos = {"X-CSRF-Token": self.tokens[quem]}
        resposta = self.paginas[quem].request.post(caminho, data=dados, headers=cabecalhos)
        assert resposta.ok, resposta.text()
        return dict(resposta.json())

    def consultar(self, sql: str, *valores: Any) -> list[tuple[Any, ...]]:
        """What the database says, or does where it is to be so before somebody looks."""
        with psycopg.connect(self.dsn.conninfo) as conn:
            return conn.execute(sql, valores).fetchall()

    def arquivo(self, nome: str, conteudo: bytes) -> Path:
        """A file on the disk of whoever sends it."""
        caminho = self.pasta / nome
        caminho.write_bytes(conteudo)
        return caminho


@contextlib.contextmanager
def comecar(dsn: Dsn, chromium: str, pasta: Path) -> Iterator[Ano]:
    """A city hall on its first day: nobody but an administrator, whom the systems person made."""
    from playwright.sync_api import sync_playwright

    email, nome = ADMIN
    ajustes = {"DATABASE_URL": dsn.url, "SISPAT_DATA_DIR": str(pasta / "dados")}
    feito = comando(
        "usuario", "criar", "--email", email, "--nome", nome, "--papel", "administrador", "--definitiva",
        entrada=f"{SENHA}\n", **ajustes,
    )  # fmt: skip
    assert feito.returncode == 0, feito.stderr
    with (
        Service(
            "--workers", "1", **ajustes, **SEM_LIMITES, SISPAT_LIMIT_REPORT="não", SISPAT_CEP_URL="não",
            SISPAT_CLICK_SIGNING="sim", SISPAT_CITY_NAME="Prefeitura de Pedra Alta", SISPAT_PUBLIC_CONTACT="(35) 3333-0000",
        ) as servico,
        tarefas_feitas(dsn),
        sync_playwright() as navegadores,
    ):  # fmt: skip
        servico.pronto(60)
        navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            hoje = dt.datetime.now(ZoneInfo("America/Sao_Paulo")).date()
            ano = Ano(servico.endereco(), navegador, pasta, dsn, hoje)
            ano.entrar("marta", email)
            yield ano
        finally:
            navegador.close()


@contextlib.contextmanager
def tarefas_feitas(dsn: Dsn) -> Iterator[None]:
    """Jobs are done in this process, in a thread: to start a Python for each costs more than most of them do."""
    fim = threading.Event()

    async def trabalhar() -> None:
        jobs = Site(SLICES).jobs
        async with Database(dsn, min_size=1, settings={"role": DATABASE_ROLE}, leak_after=None) as db:
            while not fim.is_set():
                async with db.connection() as conn:
                    pedida = await queue.claim(conn, "teste")
                if pedida is None:
                    await asyncio.sleep(0.1)  # nothing tells of a new one
                else:
                    await perform(db, jobs, pedida.id, pedida.turn)

    with ThreadPoolExecutor(1) as linha:
        trabalho = linha.submit(asyncio.run, trabalhar())
        try:
            yield
        finally:
            fim.set()
            trabalho.result(30)


def preencher(pagina: Any, campos: dict[str, Any]) -> None:
    """Fill in fields by their labels: text, a day, a file, an item of a list (a part of it), True for what is ticked."""
    formulario = pagina.locator("main")
    for rotulo, valor in campos.items():
        campo = formulario.get_by_label(re.compile(rf"^{re.escape(rotulo)}( \(opcional\))?$"))
        tipo = campo.evaluate("campo => campo.localName === 'input' ? campo.type : campo.localName")
        if tipo == "select":
            campo.select_option(campo.locator("option", has_text=valor).first.get_attribute("value"))
        elif tipo in ("radio", "checkbox"):
            campo.check()
        elif tipo == "file":
            campo.set_input_files(valor)
        else:
            campo.fill(valor.isoformat() if isinstance(valor, dt.date) else valor)


def enviar(pagina: Any, botao: str, campos: dict[str, Any], aviso: str) -> None:
    """Fill in the form that is shown, send it, and read what the service says it did."""
    from playwright.sync_api import expect

    preencher(pagina, campos)
    pagina.locator("main").get_by_role("button", name=botao, exact=True).click()
    expect(pagina.locator("main .aviso.sucesso").first).to_contain_text(aviso)


def seguir(pagina: Any, *nomes: str) -> None:
    """Click links, one after the other, until the last one's page is there."""
    for nome in nomes:
        pagina.locator("main").get_by_role("link", name=nome, exact=True).first.click()
        pagina.wait_for_load_state()


def abrir_pdf(pagina: Any, papel: str, nome: str) -> bytes:
    """What is behind a link or button that leads to a paper, byte by byte; the page is loaded again, as who comes back from it
    sees it. A link is not followed in the browser: to show a paper there costs more than any page.
    """
    alvo, antes = pagina.locator("main").get_by_role(papel, name=nome, exact=True), pagina.url
    if papel == "link":
        endereco = alvo.get_attribute("href")
    else:
        with pagina.context.expect_event("response", lambda resposta: "/pdf" in resposta.url) as aberto:
            alvo.click()
        endereco = aberto.value.url
    conteudo = pagina.context.request.get(endereco)
    pagina.goto(antes)
    assert conteudo.headers["content-type"] == "application/pdf"
    return bytes(conteudo.body())


def codigos(pdf: bytes) -> list[str]:
    """What a phone reads of all pages of a PDF."""
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as documento:
        folhas = [folha.render(scale=4).to_pil() for folha in documento]
    return [codigo.text for folha in folhas for codigo in zxingcpp.read_barcodes(folha)]


def exportado(pagina: Any, formato: str) -> list[dict[str, str]]:
    """What the list on the page exports, by a click: rows as a CSV has them, whichever the format."""
    with pagina.expect_download() as baixado:
        pagina.locator("main").get_by_role("link", name=f"Exportar {formato}").click()
    conteudo = Path(baixado.value.path()).read_bytes()
    titulos, *linhas = linhas_csv(conteudo) if formato == "CSV" else _linhas_xlsx(conteudo)
    return [dict(zip(titulos, linha, strict=True)) for linha in linhas]


def linhas_csv(conteudo: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(conteudo.decode("utf-8-sig")), delimiter=";"))


def _linhas_xlsx(conteudo: bytes) -> list[list[str]]:
    from python_calamine import CalamineWorkbook

    folha = CalamineWorkbook.from_filelike(io.BytesIO(conteudo)).get_sheet_by_index(0)
    return [[_texto(valor) for valor in linha] for linha in folha.to_python(skip_empty_area=False)]


def _texto(valor: Any) -> str:
    """A cell as the CSV has it: amounts are the only numbers, days the only dates."""
    if isinstance(valor, float):
        return f"{valor:.2f}".replace(".", ",")
    return valor.isoformat()[:10] if isinstance(valor, dt.date) else str(valor)
