"""Imports; pages and API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.http.csv_export import CsvExport
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.http.submission import Submission
from sispat.http.upload import FILES, RawUpload
from sispat.importacao import actions, rules
from sispat.importacao.columns import LABELS
from sispat.importacao.fields import (
    Conferencia,
    Gravacao,
    Importacao,
    ListaDeErros,
    ListaDeImportacoes,
    PaginaDeErros,
    PaginaDeImportacoes,
    document_of,
)
from sispat.importacao.screens import Colunas, Envio, received
from sispat.kernel.errors import InvalidData, VersionConflict
from sispat.kernel.fields import Cell
from sispat.kernel.jobs import queue
from sispat.tarefas.fields import document_of as job_document
from sispat.ui.forms import form
from sispat.ui.history import readable
from sispat.ui.pages import page, redirect

__all__ = ["route"]

route = Routes()
_API = "/api/importacoes"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_SHOWN_ERRORS = 50  # on the page; the rest is in the CSV
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FILES],
                "properties": {FILES: {"type": "string", "contentMediaType": "application/octet-stream"}},
            }
        }
    },
}


def _sent(row: dict[str, Any], status: int = 200, **headers: str) -> Response:
    return json_response(document_of(row), status, **_NO_STORE, **headers)


@route("POST", _API, tag="importacoes", response=Importacao, status=201, summary="Enviar", once=True, body=_BODY)
async def enviar(ctx: RequestContext, envio: RawUpload) -> Response:
    """Uma planilha (`arquivo`, multipart/form-data): CSV, XLSX ou ODS, vista pelo conteúdo. Uma tarefa a confere.

    Nada é gravado: quando `estado` for `conferida`, veja `erros` e `resumo` e peça a gravação. As colunas são reconhecidas
    pelos títulos; outra escolha vai em `/conferencia`.
    """
    row = await actions.obter(ctx, await received(ctx, envio))
    return _sent(row, 201, Location=f"{_API}/{row['id']}")


@route("GET", _API, tag="importacoes", response=PaginaDeImportacoes, summary="Listar")
async def listar(ctx: RequestContext, pedido: ListaDeImportacoes) -> Response:
    """Da mais nova à mais antiga."""
    rows, following = await actions.listar(ctx, pedido)
    body = {"items": [document_of(row) for row in rows], "next": following, "previous": None}
    return json_response(body, 200, **_NO_STORE)


@route("GET", _API + "/{id_}", tag="importacoes", response=Importacao, summary="Obter")
async def obter(ctx: RequestContext, id_: UUID) -> Response:
    """O que se sabe dela; o andamento está em `/api/tarefas/{tarefa_id}`."""
    return _sent(await actions.obter(ctx, id_))


@route("GET", _API + "/{id_}/erros", tag="importacoes", response=PaginaDeErros, summary="Erros")
async def listar_erros(ctx: RequestContext, id_: UUID, pedido: ListaDeErros) -> Response:
    """Linha, coluna, valor e o que é permitido; os primeiros 1.000, na ordem da planilha."""
    found, following = await actions.erros(ctx, id_, pedido)
    names = ("linha", "coluna", "valor", "mensagem")
    items = [dict(zip(names, each, strict=True)) for each in found]
    return json_response({"items": items, "next": following, "previous": None}, 200, **_NO_STORE)


@route("GET", _API + "/{id_}/erros.csv", tag="importacoes", summary="Erros em CSV", response_class=Response)
async def exportar_erros(ctx: RequestContext, id_: UUID) -> Reply:
    """Os mesmos, em CSV (UTF-8, ponto e vírgula)."""
    await actions.obter(ctx, id_)
    return _errors_csv(id_)


@route("POST", _API + "/{id_}/conferencia", tag="importacoes", response=Importacao, summary="Conferir de novo")
async def conferir(ctx: RequestContext, id_: UUID, dados: Conferencia) -> Response:
    """Diz o que é cada coluna e o que vale para todas as linhas; uma tarefa confere de novo."""
    return _sent(await actions.conferir(ctx, id_, dados))


@route("POST", _API + "/{id_}/gravacao", tag="importacoes", response=Importacao, summary="Gravar", once=True)
async def gravar(ctx: RequestContext, id_: UUID, dados: Gravacao) -> Response:
    """Grava o que foi conferido: todos os bens ou nenhum, por uma tarefa; `versao` é a que foi lida."""
    return _sent(await actions.gravar(ctx, id_, dados.versao))


@route("POST", _API + "/{id_}/desfazimento", tag="importacoes", response=Importacao, summary="Desfazer", once=True)
async def desfazer(ctx: RequestContext, id_: UUID) -> Response:
    """Retira os bens que ela criou e devolve os que alterou; recusado se algum foi tocado desde então."""
    return _sent(await actions.desfazer(ctx, id_))


form(route, "/importacoes/nova", Envio)
form(route, "/importacoes/{id_:uuid}/colunas", Colunas)


@route("GET", "/importacoes")
async def list_page(ctx: RequestContext) -> Reply:
    """A page of imports, newest first."""
    asked = ListaDeImportacoes(cursor=ctx.request.query_params.get("cursor", "")[:20])
    rows, following = await actions.listar(ctx, asked)
    return page(
        "importacao/lista.html", importacoes=rows, following=following, estados=rules.EstadoDaImportacao.labels()
    )


@route("GET", "/importacoes/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """What was found, what will be done, what was done; and how far a job of it is."""
    return await _card(ctx, id_)


async def _card(ctx: RequestContext, id_: UUID, status: int = 200, refused: str = "") -> Reply:
    row = await actions.obter(ctx, id_)
    job = await queue.one(ctx.conn, row["tarefa_id"]) if row["tarefa_id"] else None
    shown = job_document(job, site_of(ctx.request).jobs) if job else None
    errors, _following = await actions.erros(ctx, id_, ListaDeErros(limit=_SHOWN_ERRORS))
    made, untouched = await actions.intacta(ctx, id_) if row["estado"] == "gravada" else (0, 0)
    return page(
        "importacao/importacao.html",
        status,
        importacao=row,
        tarefa=shown,
        running=shown is not None and shown["terminada_em"] is None,
        errors=errors,
        kept=rules.ERROS_GUARDADOS,
        fields=LABELS,
        touched=made - untouched,
        refused=refused,
        estados=rules.EstadoDaImportacao.labels(),
        estados_de_tarefa=queue.Estado.labels(),
        entries=await readable(ctx, await actions.historico(ctx, id_)),
    )


@route("GET", "/importacoes/{id_:uuid}/erros.csv")
async def errors_page(ctx: RequestContext, id_: UUID) -> Reply:
    """What is wrong, for who mends the spreadsheet."""
    await actions.obter(ctx, id_)
    return _errors_csv(id_)


@route("POST", "/importacoes/{id_:uuid}/gravar")
async def receive_save(ctx: RequestContext, id_: UUID, submission: Submission) -> Reply | Response:
    """The button below what was checked."""
    version = submission.values.get("versao", "")
    try:
        await actions.gravar(ctx, id_, int(version) if version.isdecimal() else 0)
    except (InvalidData, VersionConflict) as error:
        return await _card(
            ctx, id_, 422, "; ".join(error.fields.values()) if isinstance(error, InvalidData) else error.message
        )
    return redirect(f"/importacoes/{id_}")


@route("POST", "/importacoes/{id_:uuid}/desfazer")
async def receive_undo(ctx: RequestContext, id_: UUID, submission: Submission) -> Reply | Response:
    """The button below what was done."""
    del submission  # it was read for its CSRF token
    try:
        await actions.desfazer(ctx, id_)
    except InvalidData as error:
        return await _card(ctx, id_, 422, "; ".join(error.fields.values()))
    return redirect(f"/importacoes/{id_}")


def _errors_csv(id_: UUID) -> CsvExport:
    async def lot(ctx: RequestContext, after: str | None) -> tuple[list[Sequence[Cell]], str | None]:
        found, following = await actions.erros(ctx, id_, ListaDeErros(cursor=after or "", limit=200))
        return [(str(each.row), each.column, each.value, each.message) for each in found], following

    return CsvExport("erros", ("linha", "coluna", "valor", "mensagem"), lot)
