"""What is published, as a page, a catalogue and files; nobody signs in. Asking for a new publication; they do."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import AsyncIterator, Sequence
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.dados_abertos import actions, rules, sql
from sispat.dados_abertos.datasets import CATALOGUE, DATASETS, dictionary
from sispat.dados_abertos.sql import Publication
from sispat.http.responses import has_etag, json_response
from sispat.http.route import Reply, Routes
from sispat.http.service import Service, service_of
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import Section
from sispat.ui.forms import Screen, form
from sispat.ui.pages import page, redirect

__all__ = ["route"]

route = Routes()
_API, _PAGE = "/api/publico/dados-abertos", "/dados-abertos"
_KEPT = "public, max-age=3600"
_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


async def _published(request: Request) -> Publication:
    service = service_of(request)
    service.require_open()
    found = None
    if service.settings.open_data:
        async with service.db.connection(even_stale=True) as conn:
            found = await sql.latest(conn)
    if found is None:
        raise NotFound(_("A publicação de dados abertos"), service.settings.city_name)
    return found


@route("GET", _API, tag="publico", summary="Dados abertos: catálogo", response=dict[str, Any], public=True)
async def catalogo(request: Request) -> Response:
    """O catálogo do que está publicado, no formato Data Package (Frictionless), com o dicionário de cada coluna."""
    return await _file(request, await _published(request), CATALOGUE)


@route(
    "GET", _API + "/{arquivo}", tag="publico", summary="Dados abertos: arquivo", response_class=Response, public=True
)
async def arquivo_publico(request: Request, arquivo: str) -> Response:
    """`bens`, `imoveis` e `contas` em `.csv` (UTF-8, ponto e vírgula, vírgula decimal) e `.json`; `dicionario.csv`."""
    return await _file(request, await _published(request), arquivo)


async def _file(request: Request, found: Publication, name: str) -> Response:
    told = found.arquivos.get(name)
    if told is None:
        raise NotFound(_("O arquivo"), name[:40])
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {
        "Cache-Control": _KEPT,
        "ETag": f'"{told["sha256"][:32]}{"-gzip" if zipped else ""}"',
        "Last-Modified": format_datetime(found.publicado_em.astimezone(dt.UTC), usegmt=True),
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",  # anybody's page may read what anybody may read
    }
    if has_etag(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(told["comprimido" if zipped else "bytes"])
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if zipped:
        headers["Content-Encoding"] = "gzip"
    parts = _parts(service_of(request), found, name)
    body = parts if zipped else _plain(parts)
    return StreamingResponse(body, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])


async def _parts(service: Service, found: Publication, name: str) -> AsyncIterator[bytes]:
    number = 0
    while True:
        # A connection for each part, given back before it is sent, as for other exports (`http.csv_export`).
        async with service.db.connection(even_stale=True) as conn:
            content = await sql.part(conn, found.id, name, number)
        if content is None:
            return  # the end; or it was removed meanwhile, and the length that was announced says so
        yield content
        number += 1


async def _plain(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unzip = zlib.decompressobj(31)
    async for part in parts:
        yield unzip.decompress(part)


@route("GET", _PAGE, public=True)
async def published_page(request: Request) -> Reply:
    """What is published, with what each column means."""
    found = await _published(request)
    return page(
        "dados_abertos/pagina.html", headers={"Cache-Control": _KEPT, "Vary": "Accept-Encoding, Accept-Language, Cookie"},
        publicado_em=found.publicado_em, arquivos=found.arquivos, conjuntos=DATASETS, dicionario=dictionary(), api=_API,
    )  # fmt: skip


class Publicacao(Screen):
    """Publish anew, now."""

    title = lazy("Publicar dados abertos")
    submit = lazy("Publicar agora")
    subtitle = lazy("Os arquivos são feitos de novo uma vez por dia; aqui, na hora. Nenhum dado de pessoas sai neles.")
    back = "/"

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(rules.PUBLICAR)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Nothing is typed."""
        del ctx, values
        return ()

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Ask for it; then how far it is."""
        del submission
        return redirect(f"/tarefas/{await actions.publicar(ctx, open_data=ctx.service.settings.open_data)}")


form(route, _PAGE + "/publicar", Publicacao)


@route(
    "POST",
    "/api/dados-abertos",
    tag="dados-abertos",
    response=dict[str, str],
    status=202,
    summary="Publicar",
    once=True,
)
async def publicar_agora(ctx: RequestContext) -> Response:
    """Faz todos os arquivos de novo, por uma tarefa: `/api/tarefas/{tarefa_id}` diz em que pé está."""
    asked = await actions.publicar(ctx, open_data=ctx.service.settings.open_data)
    return json_response({"tarefa_id": asked}, 202, **{"Cache-Control": "no-store"})
