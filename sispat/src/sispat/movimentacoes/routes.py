"""Movements: lists, cards, exports, the same for all kinds; and what each kind is for. Pages and API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.documentos.card import documents_of
from sispat.http.responses import Document, json_response, page_of_documents
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import FieldSpec, labels_of, specs
from sispat.movimentacoes.actions import baixas, emprestimos, manutencoes, reading, saida, transferencias
from sispat.movimentacoes.away_screens import Baixa, Conclusao, Devolucao, Emprestimo, Envio, Estorno, Saida
from sispat.movimentacoes.documents import DOCUMENTS, ItensDaTransferencia, made_of, pages_of
from sispat.movimentacoes.export import export
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    CancelamentoDeTransferencia,
    ConclusaoDeManutencao,
    DevolucaoDeEmprestimo,
    EstornoDeBaixa,
    ItemDeTransferencia,
    NovaBaixa,
    NovaManutencao,
    NovaTransferencia,
    NovoEmprestimo,
    RecusaDeTransferencia,
    SaidaDeAgente,
)
from sispat.movimentacoes.kinds import BAIXAS, EMPRESTIMOS, KINDS, MANUTENCOES, TRANSFERENCIAS, Kind
from sispat.movimentacoes.listing import ListaDeItens, ListaDeMovimentacoes, ListPage
from sispat.movimentacoes.rules import BAIXAR, REQUIRED, MotivoDaBaixa
from sispat.movimentacoes.transferencia_screens import Aceite, Cancelamento, Pedido, Recusa
from sispat.ui.fields import FormField
from sispat.ui.forms import form
from sispat.ui.history import readable
from sispat.ui.pages import page

__all__ = ["route"]

route = Routes()
_FILTERS = ("estado", "setor", "bem")


def _reading(kind: Kind) -> None:
    """The routes that read movements of a kind."""
    asked_model, document, api = kind.asked, DOCUMENTS[kind.entity.name], f"/api{kind.path}"
    listed = pages_of(f"Lista_{kind.plural}", document)

    async def listar(ctx: RequestContext, pedido: ListaDeMovimentacoes) -> Reply:
        """Da mais nova à mais antiga, filtradas; páginas por chave (`next` vai em `cursor`)."""
        found = await reading.listar(ctx, kind, pedido, ctx.today)
        return Document(page_of_documents(found.documents, found.following, None))

    async def exportar(ctx: RequestContext, pedido: ListaDeMovimentacoes) -> Reply:
        """Tudo o que a lista mostra, com os mesmos filtros, em CSV (UTF-8, ponto e vírgula)."""
        await reading.exportar(ctx, kind, pedido)  # refused before the first byte
        return export(kind, pedido)

    async def obter(ctx: RequestContext, id_: UUID) -> Reply:
        return Document.built(await reading.obter(ctx, kind, id_))

    async def list_page(ctx: RequestContext) -> Reply:
        return await _list_page(ctx, kind)

    async def export_page(ctx: RequestContext) -> Reply:
        asked = kind.asked.parse(_given(ctx))
        await reading.exportar(ctx, kind, asked)
        return export(kind, asked)

    for reads in (listar, exportar):
        reads.__annotations__["pedido"] = asked_model
    tag = kind.plural
    route("GET", api, tag=tag, response=listed, summary="Listar", name=f"listar_{tag}")(listar)
    route("GET", f"{api}.csv", tag=tag, summary="Exportar em CSV", response_class=Response, name=f"exportar_{tag}")(
        exportar
    )
    route("GET", f"{api}/{{id_}}", tag=tag, response=document, summary="Obter", name=f"obter_{kind.entity.name}")(obter)
    route("GET", kind.path)(list_page)
    route("GET", f"{kind.path}.csv")(export_page)


def _given(ctx: RequestContext) -> dict[str, str]:
    parameters = ctx.request.query_params
    return {name: parameters[name] for name in (*_FILTERS, "cursor") if parameters.get(name, "").strip()}


async def _list_page(ctx: RequestContext, kind: Kind) -> Reply:
    """One page of the list; what cannot be searched for is said beside the filters, which stay as they were."""
    given, errors, found = _given(ctx), dict[str, str](), ListPage([], None)
    try:
        found = await reading.listar(ctx, kind, kind.asked.parse(given), ctx.today)
    except InvalidData as error:
        errors = error.fields
    kept = {name: value for name, value in given.items() if name != "cursor"}
    return page(
        "movimentacoes/lista.html",
        422 if errors else 200,
        kind=kind,
        kinds=KINDS,
        rows=[orjson.loads(document) for document in found.documents],
        today=ctx.today,
        errors=errors,
        given=given,
        filters=await _filter_fields(ctx, kind),
        field_labels=labels_of(kind.asked),
        export=_address(f"{kind.path}.csv", kept),
        first=_address(kind.path, kept) if "cursor" in given else "",
        following=_address(kind.path, {**kept, "cursor": found.following}) if found.following else "",
    )


async def _card_page(ctx: RequestContext, kind: Kind, id_: UUID) -> Reply:
    """The card of a movement of one asset: its data, and what happened."""
    stored: dict[str, Any] = orjson.loads(await reading.obter(ctx, kind, id_))
    return page(
        "movimentacoes/ficha.html",
        kind=kind,
        stored=stored,
        card=_card(kind),
        today=ctx.today,
        acts=[act for act in kind.acts if act[0] == stored["estado"] and ctx.access.may(act[3])],
        entries=await readable(ctx, await reading.historico(ctx, kind, id_)),
        documents=await documents_of(ctx, kind.entity.name, id_),
    )


def _cards(kind: Kind) -> None:
    async def card_page(ctx: RequestContext, id_: UUID) -> Reply:
        return await _card_page(ctx, kind, id_)

    route("GET", f"{kind.path}/{{id_:uuid}}")(card_page)


async def _filter_fields(ctx: RequestContext, kind: Kind) -> list[FormField]:
    fields = {name: FormField.of(spec) for name, spec in specs(kind.asked).items()}
    setor = await pickers.with_choices(ctx, fields["setor"], "setor", ctx.request.query_params)
    return [fields["estado"], setor, fields["bem"]]


def _address(path: str, values: dict[str, str]) -> str:
    return f"{path}?{urlencode(values)}" if values else path


def _card(kind: Kind) -> list[FieldSpec]:
    """What a card shows of its fields; number and state have places of their own."""
    return [spec for name, spec in kind.entity.fields.items() if name not in ("id", "numero", "estado", "versao")]


for _kind in KINDS:
    _reading(_kind)

_API = "/api/transferencias"
_ITEM = DOCUMENTS["transferencia"]


_PEDIDAS = made_of("TransferenciasPedidas", _ITEM)


@route("POST", _API, tag="transferencias", response=_PEDIDAS, status=201, summary="Pedir", once=True)
async def pedir(ctx: RequestContext, dados: NovaTransferencia) -> Response:
    """Bens pelos números, ou toda a carga de um agente; todos ou nenhum. De cada setor em que estão sai uma transferência."""
    return _made(await transferencias.pedir(ctx, dados))


def _made(documents: list[str]) -> Response:
    return Response(f'{{"items":[{",".join(documents)}]}}', 201, {"Cache-Control": "no-store"}, "application/json")


@route("GET", _API + "/{id_}/bens", tag="transferencias", response=ItensDaTransferencia, summary="Bens")
async def listar_bens(ctx: RequestContext, id_: UUID, pedido: ListaDeItens) -> Reply:
    """Os bens da transferência e o que se decidiu de cada um, pelo número."""
    found = await transferencias.itens(ctx, id_, pedido)
    return Document(page_of_documents(found.documents, found.following, None))


@route("POST", _API + "/{id_}/aceite", tag="transferencias", response=_ITEM, summary="Aceitar", once=True)
async def aceitar(ctx: RequestContext, id_: UUID, dados: AceiteDeTransferencia) -> Response:
    """Recebe todos os bens pendentes, ou só os de `numeros`: passam ao setor, ao local e ao responsável de destino."""
    return _changed(await transferencias.aceitar(ctx, id_, dados))


@route("POST", _API + "/{id_}/recusa", tag="transferencias", response=_ITEM, summary="Recusar", once=True)
async def recusar(ctx: RequestContext, id_: UUID, dados: RecusaDeTransferencia) -> Response:
    """Recusa todos os bens pendentes, ou só os de `numeros`: ficam onde e com quem estavam."""
    return _changed(await transferencias.recusar(ctx, id_, dados))


@route("POST", _API + "/{id_}/cancelamento", tag="transferencias", response=_ITEM, summary="Cancelar", once=True)
async def cancelar(ctx: RequestContext, id_: UUID, dados: CancelamentoDeTransferencia) -> Response:
    """Quem pediu desiste de todos os bens pendentes, ou só dos de `numeros`."""
    return _changed(await transferencias.cancelar(ctx, id_, dados))


def _changed(document: str) -> Response:
    return json_response(orjson.loads(document), 200, **{"Cache-Control": "no-store"})


form(route, "/transferencias/nova", Pedido)
form(route, "/transferencias/{id_:uuid}/aceitar", Aceite)
form(route, "/transferencias/{id_:uuid}/recusar", Recusa)
form(route, "/transferencias/{id_:uuid}/cancelar", Cancelamento)


@route("GET", "/transferencias/{id_:uuid}")
async def transfer_card(ctx: RequestContext, id_: UUID) -> Reply:
    """The card of a transfer: its data, a page of its items, what happened."""
    stored: dict[str, Any] = orjson.loads(await reading.obter(ctx, TRANSFERENCIAS, id_))
    found = await transferencias.itens(
        ctx, id_, ListaDeItens.parse({"cursor": ctx.request.query_params.get("cursor", "")})
    )
    return page(
        "movimentacoes/transferencia.html",
        kind=TRANSFERENCIAS,
        stored=stored,
        card=_card(TRANSFERENCIAS),
        items=[orjson.loads(document) for document in found.documents],
        item_fields=specs(ItemDeTransferencia),
        following=_address(ctx.request.url.path, {"cursor": found.following}) if found.following else "",
        entries=await readable(ctx, await reading.historico(ctx, TRANSFERENCIAS, id_)),
        documents=await documents_of(ctx, "transferencia", id_),
        receives=ctx.access.reaches(UUID(stored["destino"]["id"])),
        gives=ctx.access.reaches(UUID(stored["origem"]["id"])),
    )


_LOANS, _REPAIRS, _WRITE_OFFS = "/api/emprestimos", "/api/manutencoes", "/api/baixas"
_LOAN, _REPAIR, _WRITE_OFF = DOCUMENTS["emprestimo"], DOCUMENTS["manutencao"], DOCUMENTS["baixa"]
_LENT, _SENT = made_of("EmprestimosFeitos", _LOAN), made_of("ManutencoesAbertas", _REPAIR)
_WRITTEN_OFF = made_of("BaixasFeitas", _WRITE_OFF)


@route("POST", _LOANS, tag="emprestimos", response=_LENT, status=201, summary="Emprestar", once=True)
async def emprestar(ctx: RequestContext, dados: NovoEmprestimo) -> Response:
    """Todos os bens ou nenhum; cada um é um empréstimo, e volta sozinho."""
    return _made(await emprestimos.emprestar(ctx, dados, ctx.today))


@route("POST", _LOANS + "/{id_}/devolucao", tag="emprestimos", response=_LOAN, summary="Devolver", once=True)
async def devolver(ctx: RequestContext, id_: UUID, dados: DevolucaoDeEmprestimo) -> Response:
    """O bem voltou, e está em uso de novo."""
    return _changed(await emprestimos.devolver(ctx, id_, dados, ctx.today))


@route("POST", _REPAIRS, tag="manutencoes", response=_SENT, status=201, summary="Enviar", once=True)
async def enviar(ctx: RequestContext, dados: NovaManutencao) -> Response:
    """Todos os bens ou nenhum; cada um é uma manutenção, com o seu custo."""
    return _made(await manutencoes.enviar(ctx, dados, ctx.today))


@route("POST", _REPAIRS + "/{id_}/conclusao", tag="manutencoes", response=_REPAIR, summary="Concluir", once=True)
async def concluir(ctx: RequestContext, id_: UUID, dados: ConclusaoDeManutencao) -> Response:
    """O bem voltou, com o que foi feito e quanto custou, e está em uso de novo."""
    return _changed(await manutencoes.concluir(ctx, id_, dados, ctx.today))


@route("POST", _WRITE_OFFS, tag="baixas", response=_WRITTEN_OFF, status=201, summary="Dar baixa", once=True)
async def baixar(ctx: RequestContext, dados: NovaBaixa) -> Response:
    """Todos os bens ou nenhum, por um motivo; cada motivo exige os seus dados, e um erro diz quais faltam."""
    return _made(await baixas.baixar(ctx, dados, ctx.today, ctx.service.settings.commission_members))


@route("POST", _WRITE_OFFS + "/{id_}/estorno", tag="baixas", response=_WRITE_OFF, summary="Desfazer", once=True)
async def estornar(ctx: RequestContext, id_: UUID, dados: EstornoDeBaixa) -> Response:
    """Um administrador desfaz a baixa: o bem volta à situação de antes. As duas coisas ficam na auditoria."""
    return _changed(await baixas.estornar(ctx, id_, dados))


for _kind in (EMPRESTIMOS, MANUTENCOES, BAIXAS):
    _cards(_kind)
form(route, "/emprestimos/novo", Emprestimo)
form(route, "/emprestimos/{id_:uuid}/devolver", Devolucao)
form(route, "/manutencoes/nova", Envio)
form(route, "/manutencoes/{id_:uuid}/concluir", Conclusao)
form(route, "/baixas/nova/{motivo}", Baixa)
form(route, "/baixas/{id_:uuid}/estornar", Estorno)


@route("GET", "/baixas/nova")
async def choose_motive(ctx: RequestContext) -> Reply:
    """The motives, with what each asks for: the first step of the form."""
    ctx.access.require(BAIXAR)
    labels = {name: str(spec.ui.label) for name, spec in BAIXAS.entity.fields.items()}
    chosen = [("bem", number) for number in ctx.request.query_params.getlist("bem")]
    return page(
        "movimentacoes/motivos.html",
        kind=BAIXAS,
        motives=[(motive, [labels[name] for name in REQUIRED[motive]]) for motive in MotivoDaBaixa],
        chosen=f"?{urlencode(chosen)}" if chosen else "",
    )


class CargaPassada(BaseModel):
    """How many assets changed hands."""

    model_config = ConfigDict(extra="forbid")

    bens: int


@route(
    "POST", "/api/agentes/{id_}/saida", tag="agentes", response=CargaPassada, summary="Passar toda a carga", once=True
)
async def passar_carga(ctx: RequestContext, id_: UUID, dados: SaidaDeAgente) -> Response:
    """Tudo o que está com a pessoa passa a outra, também o emprestado, em manutenção ou em transferência."""
    return json_response({"bens": await saida.passar_carga(ctx, id_, dados)}, 200, **{"Cache-Control": "no-store"})


form(route, "/agentes/{id_:uuid}/saida", Saida)
