"""Movements: lists, cards, exports, the same for all kinds; and what each kind is for. Pages and API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from pydantic import ConfigDict
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.documentos.card import documents_of
from sispat.http.documents import made_of
from sispat.http.responses import Document, json_response, page_of_documents
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.kernel.fields import Shape
from sispat.kernel.records import obter
from sispat.movimentacoes.actions import (
    baixas,
    emprestimos,
    localizacoes,
    manutencoes,
    regularizacoes,
    saida,
    transferencias,
)
from sispat.movimentacoes.away_screens import (
    Baixa,
    Conclusao,
    Devolucao,
    Emprestimo,
    Envio,
    Estorno,
    Prorrogacao,
    Saida,
)
from sispat.movimentacoes.documents import DOCUMENTS, ItensDaTransferencia
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    CancelamentoDeTransferencia,
    ConclusaoDeManutencao,
    DevolucaoDeEmprestimo,
    EstornoDeBaixa,
    NovaBaixa,
    NovaManutencao,
    NovaTransferencia,
    NovoEmprestimo,
    ProrrogacaoDeEmprestimo,
    RecusaDeTransferencia,
    SaidaDeAgente,
)
from sispat.movimentacoes.found import BensEncontrados, BensQueFaltam, NovaRegularizacao
from sispat.movimentacoes.found_screens import Encontro, Falta, Regularizacao
from sispat.movimentacoes.kinds import (
    BAIXAS,
    EMPRESTIMOS,
    KINDS,
    LOCALIZACOES,
    MANUTENCOES,
    REGULARIZACOES,
    TRANSFERENCIAS,
)
from sispat.movimentacoes.listing import ListaDeItens
from sispat.movimentacoes.rules import BAIXAR, REQUIRED, MotivoDaBaixa
from sispat.movimentacoes.transferencia_screens import Aceite, Cancelamento, Pedido, Recusa
from sispat.ui.forms import form
from sispat.ui.pages import page
from sispat.ui.records import Reading, address, changed, made

__all__ = ["route"]

route = Routes()
_READING = {
    kind: Reading(kind, DOCUMENTS[kind.entity.name], pickers.with_choices, KINDS, documents_of) for kind in KINDS
}
for _each in _READING.values():
    _each.add(route)

_API = "/api/transferencias"
_ITEM = DOCUMENTS["transferencia"]


_PEDIDAS = made_of("TransferenciasPedidas", _ITEM)


@route("POST", _API, tag="transferencias", response=_PEDIDAS, status=201, summary="Pedir", once=True)
async def pedir(ctx: RequestContext, dados: NovaTransferencia) -> Response:
    """Bens pelos números, ou toda a carga de um agente; todos ou nenhum. De cada setor em que estão sai uma transferência."""
    return made(await transferencias.pedir(ctx, dados))


@route("GET", _API + "/{id_}/bens", tag="transferencias", response=ItensDaTransferencia, summary="Bens")
async def listar_bens(ctx: RequestContext, id_: UUID, pedido: ListaDeItens) -> Reply:
    """Os bens da transferência e o que se decidiu de cada um, pelo número."""
    found = await transferencias.itens(ctx, id_, pedido)
    return Document(page_of_documents(found.documents, found.following, None))


@route("POST", _API + "/{id_}/aceite", tag="transferencias", response=_ITEM, summary="Aceitar", once=True)
async def aceitar(ctx: RequestContext, id_: UUID, dados: AceiteDeTransferencia) -> Response:
    """Recebe todos os bens pendentes, ou só os de `numeros`: passam ao setor, ao local e ao responsável de destino."""
    return changed(await transferencias.aceitar(ctx, id_, dados))


@route("POST", _API + "/{id_}/recusa", tag="transferencias", response=_ITEM, summary="Recusar", once=True)
async def recusar(ctx: RequestContext, id_: UUID, dados: RecusaDeTransferencia) -> Response:
    """Recusa todos os bens pendentes, ou só os de `numeros`: ficam onde e com quem estavam."""
    return changed(await transferencias.recusar(ctx, id_, dados))


@route("POST", _API + "/{id_}/cancelamento", tag="transferencias", response=_ITEM, summary="Cancelar", once=True)
async def cancelar(ctx: RequestContext, id_: UUID, dados: CancelamentoDeTransferencia) -> Response:
    """Quem pediu desiste de todos os bens pendentes, ou só dos de `numeros`."""
    return changed(await transferencias.cancelar(ctx, id_, dados))


form(route, "/transferencias/nova", Pedido)
form(route, "/transferencias/{id_:uuid}/aceitar", Aceite)
form(route, "/transferencias/{id_:uuid}/recusar", Recusa)
form(route, "/transferencias/{id_:uuid}/cancelar", Cancelamento)


@route("GET", "/transferencias/{id_:uuid}")
async def transfer_card(ctx: RequestContext, id_: UUID) -> Reply:
    """The card of a transfer: its data, a page of its items, what happened."""
    stored: dict[str, Any] = orjson.loads(await obter(ctx, TRANSFERENCIAS, id_))
    found = await transferencias.itens(
        ctx, id_, ListaDeItens.parse({"cursor": ctx.request.query_params.get("cursor", "")})
    )
    return await _READING[TRANSFERENCIAS].card(
        ctx,
        id_,
        "movimentacoes/transferencia.html",
        items=[orjson.loads(document) for document in found.documents],
        following=address(ctx.request.url.path, {"cursor": found.following}) if found.following else "",
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
    return made(await emprestimos.emprestar(ctx, dados, ctx.today))


@route("POST", _LOANS + "/{id_}/devolucao", tag="emprestimos", response=_LOAN, summary="Devolver", once=True)
async def devolver(ctx: RequestContext, id_: UUID, dados: DevolucaoDeEmprestimo) -> Response:
    """O bem voltou, e está em uso de novo."""
    return changed(await emprestimos.devolver(ctx, id_, dados, ctx.today))


@route("POST", _LOANS + "/{id_}/prorrogacao", tag="emprestimos", response=_LOAN, summary="Prorrogar", once=True)
async def prorrogar(ctx: RequestContext, id_: UUID, dados: ProrrogacaoDeEmprestimo) -> Response:
    """Um novo dia, depois do que estava marcado, e por quê; atrasado só depois dele."""
    return changed(await emprestimos.prorrogar(ctx, id_, dados, ctx.today))


@route("POST", _REPAIRS, tag="manutencoes", response=_SENT, status=201, summary="Enviar", once=True)
async def enviar(ctx: RequestContext, dados: NovaManutencao) -> Response:
    """Todos os bens ou nenhum; cada um é uma manutenção, com o seu custo."""
    return made(await manutencoes.enviar(ctx, dados, ctx.today))


@route("POST", _REPAIRS + "/{id_}/conclusao", tag="manutencoes", response=_REPAIR, summary="Concluir", once=True)
async def concluir(ctx: RequestContext, id_: UUID, dados: ConclusaoDeManutencao) -> Response:
    """O bem voltou, com o que foi feito e quanto custou, e está em uso de novo."""
    return changed(await manutencoes.concluir(ctx, id_, dados, ctx.today))


@route("POST", _WRITE_OFFS, tag="baixas", response=_WRITTEN_OFF, status=201, summary="Dar baixa", once=True)
async def baixar(ctx: RequestContext, dados: NovaBaixa) -> Response:
    """Todos os bens ou nenhum, por um motivo; cada motivo exige os seus dados, e um erro diz quais faltam."""
    return made(await baixas.baixar(ctx, dados, ctx.today, ctx.service.settings.commission_members))


@route("POST", _WRITE_OFFS + "/{id_}/estorno", tag="baixas", response=_WRITE_OFF, summary="Desfazer", once=True)
async def estornar(ctx: RequestContext, id_: UUID, dados: EstornoDeBaixa) -> Response:
    """Um administrador desfaz a baixa: o bem volta à situação de antes. As duas coisas ficam na auditoria."""
    return changed(await baixas.estornar(ctx, id_, dados))


_LOCATED, _REGULAR = DOCUMENTS["localizacao"], DOCUMENTS["regularizacao"]
_NOTED, _FOUND = made_of("BensNotados", _LOCATED), "/api/localizacoes"


@route(
    "POST", f"{_FOUND}/falta", tag="localizacoes", response=_NOTED, status=201, summary="Registrar a falta", once=True
)
async def notar_falta(ctx: RequestContext, dados: BensQueFaltam) -> Response:
    """Bens em uso que ninguém achou; todos ou nenhum."""
    return made(await localizacoes.notar_falta(ctx, dados, ctx.today))


@route(
    "POST",
    f"{_FOUND}/reencontro",
    tag="localizacoes",
    response=_NOTED,
    status=201,
    summary="Registrar o reencontro",
    once=True,
)
async def encontrar(ctx: RequestContext, dados: BensEncontrados) -> Response:
    """Bens não localizados que foram encontrados, e onde e com quem ficam, se isso mudou; todos ou nenhum."""
    return made(await localizacoes.encontrar(ctx, dados, ctx.today))


@route(
    "POST", "/api/regularizacoes", tag="regularizacoes", response=_REGULAR, status=201, summary="Regularizar", once=True
)
async def regularizar(ctx: RequestContext, dados: NovaRegularizacao) -> Response:
    """Um bem encontrado sem plaqueta recebe o próximo número e entra com o valor da avaliação da comissão."""
    document = await regularizacoes.regularizar(ctx, dados, ctx.today)
    headers = {"Location": f"/api/regularizacoes/{orjson.loads(document)['id']}", "Cache-Control": "no-store"}
    return Response(document, 201, headers, "application/json")


for _kind in (EMPRESTIMOS, MANUTENCOES, LOCALIZACOES, REGULARIZACOES, BAIXAS):
    _READING[_kind].add_card(route, "movimentacoes/ficha.html")
form(route, "/emprestimos/novo", Emprestimo)
form(route, "/emprestimos/{id_:uuid}/devolver", Devolucao)
form(route, "/emprestimos/{id_:uuid}/prorrogar", Prorrogacao)
form(route, "/localizacoes/nao-localizados", Falta)
form(route, "/localizacoes/encontrados", Encontro)
form(route, "/regularizacoes/nova", Regularizacao)
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
        motives=[(motive, [labels[name] for name in _told(REQUIRED[motive])]) for motive in MotivoDaBaixa],
        chosen=f"?{urlencode(chosen)}" if chosen else "",
    )


def _told(required: Sequence[str]) -> list[str]:
    """The same in fewer words: a commission is its act and its members."""
    return ["comissao_id" if name == "portaria" else name for name in required if name != "membros"]


class CargaPassada(Shape):
    """How many changed hands."""

    model_config = ConfigDict(extra="forbid")

    bens: int
    imoveis: int


@route(
    "POST", "/api/agentes/{id_}/saida", tag="agentes", response=CargaPassada, summary="Passar toda a carga", once=True
)
async def passar_carga(ctx: RequestContext, id_: UUID, dados: SaidaDeAgente) -> Response:
    """Tudo o que está com a pessoa, bens e imóveis, passa a outra, também o emprestado, em manutenção ou em transferência."""
    return json_response((await saida.passar_carga(ctx, id_, dados))._asdict(), 200, **{"Cache-Control": "no-store"})


form(route, "/agentes/{id_:uuid}/saida", Saida)
