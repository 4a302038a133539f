"""Documents: attach, list, read, remove; pages and API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.documentos import actions
from sispat.documentos.fields import Documento, Documentos, ListaDeDocumentos, NovoDocumento, document
from sispat.documentos.screens import Anexo, Remocao, attach
from sispat.http.download import Download
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.http.upload import FILES, Upload
from sispat.kernel.files import FileStore, Format
from sispat.ui.forms import form
from sispat.ui.pages import redirect

__all__ = ["route"]

route = Routes()

API = "/api/uploads"
_PRIVATE = {"Cache-Control": "private, no-cache"}

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["entidade", "entidade_id", FILES],
                "properties": {
                    "entidade": {"type": "string", "examples": ["patrimonio"]},
                    "entidade_id": {"type": "string", "format": "uuid"},
                    "tipo": {"type": "string", "examples": ["nota_fiscal"]},
                    "descricao": {"type": "string", "maxLength": 200, "examples": ["NF 1234"]},
                    FILES: {
                        "type": "array",
                        "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                    },
                },
            }
        }
    },
}


class _Sent(NovoDocumento, ListaDeDocumentos):
    """What a program sends beside files."""


@route("POST", API, tag="uploads", response=Documentos, status=201, summary="Anexar", once=True, body=_BODY)
async def anexar(ctx: RequestContext, envio: Upload) -> Response:
    """Um ou mais arquivos (`arquivo`, multipart/form-data) a um registro; todos ou nenhum.

    O tipo é visto no conteúdo: JPEG, PNG, WebP, PDF, DOCX, XLSX, ODT ou ODS. Fotos são regravadas, sem EXIF e com no máximo
    2.560 pontos de lado; o resto fica como veio. PDF com programas ou anexos dentro é recusado.
    """
    sent = _Sent.parse(envio.typed())
    new = NovoDocumento(tipo=sent.tipo, descricao=sent.descricao)
    made = await attach(ctx, sent.entidade, sent.entidade_id, envio, new)
    headers = {"Cache-Control": "no-store"} | ({"Location": f"{API}/{made[0]['id']}"} if len(made) == 1 else {})
    return json_response({"items": [document(row) for row in made]}, 201, **headers)


@route("GET", API, tag="uploads", response=Documentos, summary="Listar")
async def listar(ctx: RequestContext, pedido: ListaDeDocumentos) -> Response:
    """As fotos e os documentos de um registro: a foto principal, as outras, o resto."""
    of = actions.of_kind(site_of(ctx.request).attachables, pedido.entidade)
    rows = await actions.listar(ctx, of, pedido.entidade_id)
    return json_response({"items": [document(row) for row in rows]}, 200, **_PRIVATE)


@route("GET", API + "/{id_}", tag="uploads", response=Documento, summary="Obter")
async def obter(ctx: RequestContext, id_: UUID) -> Response:
    """O que se sabe de um documento; o conteúdo está em `conteudo`."""
    return _one(await _of(ctx, id_))


@route("GET", API + "/{id_}/conteudo", tag="uploads", summary="Baixar", response_class=Response)
async def baixar(ctx: RequestContext, id_: UUID) -> Reply:
    """O conteúdo; partes dele por Range, e 304 para quem já o tem (If-None-Match)."""
    return await _download(ctx, id_)


@route("GET", API + "/{id_}/miniatura", tag="uploads", summary="Miniatura", response_class=Response)
async def miniatura(ctx: RequestContext, id_: UUID) -> Reply:
    """Uma foto pequena (JPEG, 320 pontos de lado)."""
    return await _download(ctx, id_, small=True)


@route("POST", API + "/{id_}/principal", tag="uploads", response=Documento, summary="Foto principal", once=True)
async def tornar_principal(ctx: RequestContext, id_: UUID) -> Response:
    """A foto com que o registro é mostrado passa a ser esta."""
    return _one(await actions.tornar_principal(ctx, site_of(ctx.request).attachables, id_))


@route("DELETE", API + "/{id_}", tag="uploads", status=204, summary="Remover", response_class=Response)
async def remover(ctx: RequestContext, id_: UUID) -> Response:
    """Retira o documento do registro; fica na auditoria. O conteúdo some quando nenhuma cópia precisa mais dele."""
    await actions.remover(ctx, site_of(ctx.request).attachables, id_)
    return Response(status_code=204)


form(route, "/documentos/{entidade}/{id_:uuid}/novo", Anexo)
form(route, "/documentos/{id_:uuid}/remover", Remocao)


@route("GET", "/documentos/{id_:uuid}")
async def show(ctx: RequestContext, id_: UUID) -> Reply:
    """The content: a picture is shown, anything else downloaded."""
    return await _download(ctx, id_)


@route("GET", "/documentos/{id_:uuid}/miniatura")
async def show_small(ctx: RequestContext, id_: UUID) -> Reply:
    """A small picture."""
    return await _download(ctx, id_, small=True)


@route("POST", "/documentos/{id_:uuid}/principal")
async def choose_main(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """The button beside a photo."""
    del submission
    row = await actions.tornar_principal(ctx, site_of(ctx.request).attachables, id_)
    entity = actions.of_kind(site_of(ctx.request).attachables, row["entidade"]).entity
    return redirect(f"{entity.path}/{row['entidade_id']}", feito="foto-principal")


def _one(row: dict[str, Any]) -> Response:
    return json_response(document(row), 200, **_PRIVATE)


async def _of(ctx: RequestContext, id_: UUID) -> dict[str, Any]:
    return await actions.obter(ctx, site_of(ctx.request).attachables, id_)


async def _download(ctx: RequestContext, id_: UUID, *, small: bool = False) -> Download:
    row, store = await _of(ctx, id_), ctx.service.resource(FileStore)
    digest = row["sha256"].hex()
    if not small:
        return Download(store, row["sha256"], row["nome"], Format(row["formato"]), digest)
    actions.require_picture(row)
    return Download(store, row["sha256"], "miniatura.jpg", Format.JPEG, f"{digest}.320", small=True)
