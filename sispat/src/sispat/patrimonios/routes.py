"""Assets: list, export, card, forms; pages and API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.documentos.card import documents_of, summaries_of
from sispat.http.csv_export import CsvExport
from sispat.http.documents import Evento
from sispat.http.responses import Document, json_response, page_of_documents, required_version
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.submission import SEARCHED
from sispat.http.xlsx_export import XlsxExport
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import labels_of, specs
from sispat.kernel.situacoes import Situacao
from sispat.kernel.words import plate_typed
from sispat.patrimonios import actions, custody
from sispat.patrimonios.custody import CargaEmLote, Escolha
from sispat.patrimonios.documents import Ficha, Lista, Lote, Trocados
from sispat.patrimonios.export import export
from sispat.patrimonios.fields import (
    PATRIMONIO,
    CorrecaoDePatrimonio,
    EdicaoDePatrimonio,
    LoteDePatrimonios,
    NovoPatrimonio,
    TrocaDeCarga,
)
from sispat.patrimonios.listing import SORT_LABELS, ListaDePatrimonios, ListPage
from sispat.patrimonios.screens import Carga, Edicao, Novo, created
from sispat.patrimonios.screens_of_many import CargaDeVarios, handed_over
from sispat.patrimonios.search import CEILING, Search, filter_fields
from sispat.ui.forms import form
from sispat.ui.history import readable
from sispat.ui.pages import page, redirect

__all__ = ["route"]

route = Routes()

API = "/api/patrimonios"


@route("GET", API, tag="patrimonios", response=Lista, summary="Listar")
async def listar(ctx: RequestContext, pedido: ListaDePatrimonios) -> Reply:
    """Busca por palavras ou número, filtros, ordem; páginas por chave (`next` e `previous` vão em `cursor`).

    Para acompanhar o que muda: `atualizado_desde` com a hora da última busca menos um minuto.
    """
    found = await actions.listar(ctx, pedido)
    return Document(page_of_documents(found.documents, found.following, found.preceding))


@route("GET", f"{API}.csv", tag="patrimonios", summary="Exportar em CSV", response_class=Response)
async def exportar(ctx: RequestContext, pedido: ListaDePatrimonios) -> Reply:
    """Tudo o que a lista mostra, com os mesmos filtros, em CSV (UTF-8, ponto e vírgula)."""
    await actions.exportar(ctx, pedido)  # refused before the first byte
    return export(pedido)


@route("GET", f"{API}.xlsx", tag="patrimonios", summary="Exportar em XLSX", response_class=Response)
async def exportar_xlsx(ctx: RequestContext, pedido: ListaDePatrimonios) -> Reply:
    """O mesmo em XLSX, com valores e datas como tais; até 100.000 linhas."""
    await actions.exportar(ctx, pedido)
    return XlsxExport(export(pedido))


@route("GET", API + "/{id_}", tag="patrimonios", response=Ficha, summary="Obter")
async def obter(ctx: RequestContext, id_: UUID) -> Reply:
    """A ficha inteira; o ETag serve em If-None-Match e em If-Match."""
    return Document.built(await actions.obter(ctx, id_))


@route("GET", API + "/{id_}/historico", tag="patrimonios", response=list[Evento], summary="Histórico")
async def historico(ctx: RequestContext, id_: UUID) -> Response:
    """O que aconteceu com o bem, do mais novo ao mais antigo."""
    return json_response(await actions.historico(ctx, id_))


async def criar_juntos(asked: Sequence[tuple[RequestContext, NovoPatrimonio]]) -> list[Response | None]:
    """What `criar` does, for many requests in one transaction."""
    documents = await actions.criar_juntos(asked)
    return [None if document is None else _created([document]) for document in documents]


def _created(documents: Sequence[str]) -> Response:
    first = orjson.loads(documents[0])
    numeros = f"{first['numero']}-{first['numero'] + len(documents) - 1}"
    headers = {"Location": f"{API}/{first['id']}", "X-Numeros": numeros, "Cache-Control": "no-store"}
    return Response(documents[0], 201, headers, "application/json")


@route(
    "POST", API, tag="patrimonios", response=Ficha, status=201, summary="Cadastrar", once=True, together=criar_juntos
)
async def criar(ctx: RequestContext, dados: NovoPatrimonio) -> Response:
    """Um bem, ou `quantidade` iguais com números consecutivos (a resposta é o primeiro; `X-Numeros` diz todos)."""
    return _created(await actions.criar(ctx, dados))


@route("POST", f"{API}/lote", tag="patrimonios", response=Lote, status=201, summary="Cadastrar vários", once=True)
async def criar_lote(ctx: RequestContext, dados: LoteDePatrimonios) -> Response:
    """Até 500 bens diferentes, todos ou nenhum; a resposta vem na mesma ordem. Um erro diz qual: `items.3.valor`."""
    documents = ",".join(await actions.criar_lote(ctx, dados.items))
    return Response(f'{{"items":[{documents}]}}', 201, {"Cache-Control": "no-store"}, "application/json")


@route("PATCH", API + "/{id_}", tag="patrimonios", response=Ficha, summary="Corrigir", versioned=True)
async def corrigir(ctx: RequestContext, id_: UUID, dados: CorrecaoDePatrimonio) -> Reply:  # type: ignore[valid-type]
    """Só os campos enviados mudam (JSON Merge Patch, RFC 7396); exige If-Match com a versão lida."""
    return Document.built(await actions.corrigir(ctx, id_, dados, required_version(ctx.request)))


@route("PUT", API + "/{id_}", tag="patrimonios", response=Ficha, summary="Editar", versioned=True)
async def editar(ctx: RequestContext, id_: UUID, dados: EdicaoDePatrimonio) -> Reply:
    """Corrige a descrição do bem; exige If-Match com a versão lida (412 mostra as duas versões)."""
    return Document.built(await actions.editar(ctx, id_, dados, required_version(ctx.request)))


@route("PUT", API + "/{id_}/carga", tag="patrimonios", response=Ficha, summary="Trocar a carga", versioned=True)
async def trocar_carga(ctx: RequestContext, id_: UUID, dados: TrocaDeCarga) -> Reply:
    """Muda o responsável, o local ou o setor; exige If-Match com a versão lida."""
    return Document.built(await actions.trocar_carga(ctx, id_, dados, required_version(ctx.request)))


@route("POST", f"{API}/carga", tag="patrimonios", response=Trocados, summary="Trocar a carga de muitos", once=True)
async def trocar_cargas(ctx: RequestContext, dados: CargaEmLote) -> Response:
    """Até 2.000 bens pelos números, todos ou nenhum; o que não for enviado fica como está em cada um."""
    chosen = Escolha(numeros=dados.numeros)
    changed = await custody.trocar_cargas(ctx, chosen, dados, len(set(dados.numeros)))
    return json_response({"trocados": changed})


@route("GET", "/patrimonios")
async def list_page(ctx: RequestContext) -> Reply | Response:
    """One page of the list, or the card of the asset whose plate number was typed.

    What cannot be searched for is said beside the search, which stays as it was.
    """
    parameters = ctx.request.query_params
    search = Search(parameters)
    number = plate_typed(search.values.get("q", ""))
    if number is not None and "todos" not in search.values:
        found = await actions.com_numero(ctx, number)
        if found is not None:
            return redirect(f"/patrimonios/{found}", q=search.values["q"])
    result, total, errors = ListPage([]), 0, dict[str, str]()
    try:
        asked = ListaDePatrimonios.parse(search.asked)
        result = await actions.listar(ctx, asked)
        total = await actions.contar(ctx, asked, CEILING)
    except InvalidData as error:
        errors = error.fields
    bens = [orjson.loads(document) for document in result.documents]
    return page(
        "patrimonios/lista.html",
        422 if errors else 200,
        bens=bens,
        liquidos={
            str(id_): net for id_, net in (await actions.liquidos(ctx, [UUID(bem["id"]) for bem in bens])).items()
        },
        documents=await summaries_of(ctx, "patrimonio", bens),
        result=result,
        total=total,
        ceiling=CEILING,
        errors=errors,
        search=search,
        filters=await filter_fields(ctx, parameters),
        searching=any(name.endswith(SEARCHED) and value.strip() for name, value in parameters.items()),
        field_labels=labels_of(ListaDePatrimonios),
        situacoes=Situacao.labels(),
        sorts=SORT_LABELS,
        novos=created(parameters.get("novos", "")) or handed_over(parameters.get("trocados", "")),
        receiver=parameters.get("para", "") if handed_over(parameters.get("trocados", "")) else "",
    )


@route("GET", "/patrimonios.csv")
async def export_page(ctx: RequestContext) -> Reply:
    """All that the list shows, with the same filters."""
    return await _exported(ctx)


@route("GET", "/patrimonios.xlsx")
async def export_xlsx_page(ctx: RequestContext) -> Reply:
    """The same as a workbook."""
    return XlsxExport(await _exported(ctx))


async def _exported(ctx: RequestContext) -> CsvExport:
    search = Search(ctx.request.query_params)
    asked = ListaDePatrimonios.parse({name: value for name, value in search.asked.items() if name != "pagina"})
    await actions.exportar(ctx, asked)
    return export(asked)


form(route, "/patrimonios/novo", Novo)
form(route, "/patrimonios/carga", CargaDeVarios)
form(route, "/patrimonios/{id_:uuid}/editar", Edicao)
form(route, "/patrimonios/{id_:uuid}/carga", Carga)


# What the card shows under each heading; what names the asset, and its custody, have places of their own.
_CARD = {
    title: [
        spec for spec in specs(EdicaoDePatrimonio).values() if spec.ui.section == title and spec.name != "descricao"
    ]
    for title in PATRIMONIO.sections
}


@route("GET", "/patrimonios/{id_:uuid}")
async def ficha(ctx: RequestContext, id_: UUID) -> Reply:
    """The card, with what happened."""
    bem: dict[str, Any] = orjson.loads(await actions.obter(ctx, id_))
    entries = await readable(ctx, await actions.historico(ctx, id_))
    return page(
        "patrimonios/ficha.html", bem=bem, card=_CARD, situacoes=Situacao.labels(), entries=entries,
        documents=await documents_of(ctx, "patrimonio", id_, changes=bem["situacao"] != Situacao.BAIXADO),
        searched=ctx.request.query_params.get("q", "")[:100],
    )  # fmt: skip
