"""Public pages and API: an asset by its label, a termo by its code or its PDF. Nobody signs in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.service import Service, service_of
from sispat.kernel.errors import NotFound
from sispat.kernel.fields import Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import Input, Legible, example
from sispat.kernel.public_codes import normal_code
from sispat.publico.actions import PublicAnswers
from sispat.termos.content import title_of
from sispat.termos.rules import EstadoDoTermo, TipoDeTermo
from sispat.ui.pages import Page, page

__all__ = ["route"]

route = Routes()

# Kept for a minute by whoever stands between, searched by nobody. Pages differ by language and by who is signed in.
_PUBLIC = {"Cache-Control": "public, max-age=60", "X-Robots-Tag": "noindex, nofollow"}
_PAGE = {**_PUBLIC, "Vary": "Accept-Encoding, Accept-Language, Cookie"}
_MOST_FIELDS, _CHUNK = 4, 256 * 1024


class BemNaPaginaPublica(Shape):
    """What the city shows of an asset; the rest is missing."""

    plaqueta: str
    baixado: bool
    descricao: str | None = None
    classe: str | None = None
    setor: str | None = None


class TermoConferido(Shape):
    """What confirms a termo; nothing about persons."""

    model_config = ConfigDict(extra="forbid")

    tipo: TipoDeTermo
    numero: int
    exercicio: int
    codigo: str
    emitido_em: str
    bens: int
    estado: EstadoDoTermo
    ate: str | None
    substituido_por: str | None
    sha256: list[str]
    partes: int
    assinadas: int


class ConferenciaDeTermo(Input):
    """The PDF that is to be confirmed, by its sha256."""

    model_config = example(sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")

    sha256: Annotated[
        str,
        Field(pattern=r"^[0-9a-fA-F]{64}$"),
        Legible,
        Ui("SHA-256 do PDF", pattern_hint=lazy("São 64 algarismos de 0 a 9 e letras de a a f.")),
    ]


def _answers(request: Request) -> PublicAnswers:
    service = service_of(request)
    service.require_open()
    return service.resource(PublicAnswers)


def _shows(service: Service) -> frozenset[str]:
    return frozenset(service.settings.public_shows.split(","))


@route(
    "GET", "/api/publico/patrimonios/{codigo}", tag="publico", response=BemNaPaginaPublica, summary="Bem, pela etiqueta",
    public=True,
)  # fmt: skip
async def bem_publico(request: Request, codigo: str) -> Response:
    """O que a cidade mostra de um bem a quem tem a etiqueta na frente; o código está no QR, e não é o número."""
    found = await _answers(request).bem(normal_code(codigo), _shows(service_of(request)))
    return json_response(found, 200, **_PUBLIC)


@route(
    "GET", "/api/publico/termos/{codigo}", tag="publico", response=TermoConferido, summary="Conferir um termo pelo código",
    public=True,
)  # fmt: skip
async def termo_publico(request: Request, codigo: str) -> Response:
    """O código está no papel, sob o QR."""
    return json_response(await _answers(request).termo(code=normal_code(codigo)), 200, **_PUBLIC)


@route(
    "GET", "/api/publico/termos", tag="publico", response=TermoConferido, summary="Conferir um termo pelo PDF",
    public=True,
)  # fmt: skip
async def termo_do_pdf(request: Request, pedido: ConferenciaDeTermo) -> Response:
    """O SHA-256 é calculado de onde o PDF está; o PDF não precisa ser enviado."""
    return json_response(await _answers(request).termo(sha256=pedido.sha256.lower()), 200, **_PUBLIC)


@route("GET", "/B/{codigo}", public=True, name="asset_page_in_capitals")  # as QR codes have it (etiquetas.actions)
@route("GET", "/b/{codigo}", public=True)
async def asset_page(request: Request, codigo: str) -> Reply:
    """The page of an asset."""
    service = service_of(request)
    found = await _answers(request).bem(normal_code(codigo), _shows(service))
    return page("publico/bem.html", headers=_PAGE, bem=found, contact=service.settings.public_contact)


@route("GET", "/t/{codigo}", public=True)
async def term_page(request: Request, codigo: str) -> Reply:
    """The page that confirms a termo."""
    return replace(_term_page(await _answers(request).termo(code=normal_code(codigo))), headers=_PAGE)


def _term_page(found: dict[str, Any], sha256: str = "") -> Page:
    title = title_of(found["tipo"], found["numero"], found["exercicio"])
    label = EstadoDoTermo(found["estado"]).label
    return page("publico/termo.html", termo=found, title=title, state=label, confirmed=sha256)


@route("GET", "/conferir", public=True)
async def ask_page(request: Request) -> Reply:
    """Ask for a code, an sha256 or the PDF; needs no database."""
    del request
    return page("publico/conferir.html", error="", typed="")


@route("POST", "/conferir", public=True)
async def check_page(request: Request) -> Reply:
    """Confirm what was typed or sent; the PDF is summed up as it comes, and kept nowhere."""
    typed, sha256 = await _asked(request)
    if sha256:
        typed = ""
    elif len(typed) == 64:
        typed, sha256 = "", typed.lower()
    try:
        if sha256 and not _is_digest(sha256):
            raise NotFound("", sha256)
        return _term_page(await _answers(request).termo(code=normal_code(typed), sha256=sha256), sha256)
    except NotFound:
        error = (
            _(
                "Este PDF não é o de nenhum termo desta cidade, ou foi alterado depois de emitido. SHA-256: %(sum)s",
                sum=sha256,
            )
            if sha256
            else _("Não há termo com este código. Confira as letras, ou envie o PDF.")
        )
        return page("publico/conferir.html", 404, error=error, typed=typed)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


async def _asked(request: Request) -> tuple[str, str]:
    """What was typed, and the sha256 of the file that was sent; empty where there is none."""
    try:
        async with request.form(max_files=1, max_fields=_MOST_FIELDS) as sent:
            file = sent.get("pdf")
            typed = sent.get("codigo")
            digest = hashlib.sha256()
            if not isinstance(file, UploadFile) or not file.filename:
                return (typed.strip() if isinstance(typed, str) else ""), ""
            while chunk := await file.read(_CHUNK):
                digest.update(chunk)
            return "", digest.hexdigest()
    except HTTPException as error:  # malformed
        raise HTTPException(400) from error
