"""Counts: lists, cards, the page that counts, progress, decisions, the report; pages and API."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.cadastros import pickers
from sispat.cadastros.documents import REFERENCES
from sispat.documentos.card import documents_of
from sispat.documentos.fields import Documentos, NovoDocumento, document
from sispat.documentos.rules import TipoDeDocumento
from sispat.documentos.screens import attach
from sispat.http.documents import made_of
from sispat.http.headers import PAGE_HEADERS
from sispat.http.responses import json_response, pdf_response
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext, open_context, require_session
from sispat.http.upload import FILES, Upload
from sispat.inventario import report
from sispat.inventario.actions import counting, deciding, opening
from sispat.inventario.count_screen import Contagem
from sispat.inventario.fields import (
    INVENTARIO,
    ITEM,
    DecisaoDeItem,
    LoteDeLeituras,
    MudancaDeEstado,
    NovoInventario,
)
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.progress import ProgressFeed
from sispat.inventario.rules import DECIDIR, Decisao, EstadoDoItem, Resultado
from sispat.inventario.screens import (
    Abertura,
    Conclusao,
    DecisaoDoItem,
    Encerramento,
    Inicio,
    Reabertura,
    RegularizacaoDoItem,
)
from sispat.kernel.fields import Shape, Ui
from sispat.kernel.files import FileStore
from sispat.kernel.inputs import BlankIsNone, Input
from sispat.kernel.pdf import PdfRenderer
from sispat.kernel.records import obter
from sispat.kernel.situacoes import Conservacao
from sispat.movimentacoes.found import NovaRegularizacao
from sispat.termos.screens import city_of
from sispat.ui.forms import form
from sispat.ui.records import Reading, changed
from sispat.ui.static_files import content_of

__all__ = ["WORKER", "route"]

route = Routes()
_API, _TAG = "/api/inventarios", "inventarios"
_ITEMS, _ITEMS_TAG = "/api/inventario-itens", "inventario-itens"
WORKER = "/inventarios/contagem.js"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}

_ONE: Any = INVENTARIO.document("InventarioGravado", references=REFERENCES)
_ITEM: Any = ITEM.document("ItemDeInventario", references=REFERENCES)
_READING = Reading(INVENTARIOS, _ONE, pickers.with_choices)
_READING_ITEMS = Reading(ITENS, _ITEM, pickers.with_choices, papers=documents_of)
_READING.add(route)
_READING_ITEMS.add(route)


class LeituraRecebida(Shape):
    """What became of a reading; `motivo` is empty where it is kept."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    item_id: UUID | None
    estado: EstadoDoItem | None
    plaqueta: int | None
    descricao: str
    esperado: bool
    repetida: bool
    motivo: str


class Progresso(Shape):
    """How many items are in each state, and of how many divergences nothing was decided."""

    model_config = ConfigDict(extra="forbid")

    nao_verificado: int = 0
    encontrado: int = 0
    outro_local: int = 0
    nao_encontrado: int = 0
    sem_tombo: int = 0
    sem_decisao: int = 0


class CodigoLido(Shape):
    """The first code of a label in a photo; empty where there is none."""

    model_config = ConfigDict(extra="forbid")

    codigo: str


class LeituraDeItem(Shape):
    """A reading of an item."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    resultado: Resultado
    codigo: str
    local: str | None
    conservacao: Conservacao | None
    nota: str
    lida_em: str
    recebida_em: str
    pessoa: str


@route("POST", _API, tag=_TAG, response=_ONE, status=201, summary="Abrir", once=True)
async def abrir_inventario(ctx: RequestContext, dados: NovoInventario) -> Response:
    """Fixa a lista do que se espera achar: tudo o que não está baixado, como o cadastro está agora."""
    document = await opening.abrir(ctx, dados, ctx.today)
    headers = {**_NO_STORE, "Location": f"{_API}/{orjson.loads(document)['id']}"}
    return Response(document, 201, headers, "application/json")


@route("POST", _API + "/{id_}/estado", tag=_TAG, response=_ONE, summary="Mudar o estado", once=True)
async def mudar_estado_do_inventario(ctx: RequestContext, id_: UUID, dados: MudancaDeEstado) -> Response:
    """Aberto, em contagem, em decisão, encerrado; recusado enquanto algo falta, e a recusa diz o quê."""
    return changed(await opening.mudar_estado(ctx, id_, dados.estado))


@route(
    "POST", _API + "/{id_}/leituras", tag=_TAG, response=made_of("LeiturasRecebidas", LeituraRecebida), summary="Ler"
)
async def ler(ctx: RequestContext, id_: UUID, dados: LoteDeLeituras) -> Response:
    """Até 100 leituras, cada uma com o `id` que o telefone lhe deu: a mesma, enviada de novo, não muda nada.

    Cada leitura é aceita ou recusada por si. De um bem vale a leitura feita por último (`lida_em`); as outras ficam.
    """
    taken = await counting.receber(ctx, id_, dados.leituras)
    items = [{name: getattr(each, name) for name in LeituraRecebida.model_fields} for each in taken]
    return json_response({"items": [{**each, "estado": each["estado"] or None} for each in items]}, 200, **_NO_STORE)


_PHOTO = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FILES],
                "properties": {FILES: {"type": "string", "contentMediaType": "image/jpeg"}},
            }
        }
    },
}


@route("POST", _API + "/codigo", tag=_TAG, response=CodigoLido, summary="Ler o código de uma foto", body=_PHOTO)
async def ler_codigo(request: Request, envio: Upload) -> Response:
    """Para telefones cujo navegador não lê códigos: a foto da etiqueta, e o que o código diz. Nada fica gravado."""
    pictures = envio.require_files()
    codes = await service_of(request).resource(FileStore).inspection.codes_in(pictures[0])
    found = next((each for each in codes if counting.meant(each) is not None), "")
    return json_response({"codigo": found}, 200, **_NO_STORE)


@route("GET", _API + "/{id_}/progresso", tag=_TAG, response=Progresso, summary="Progresso")
async def obter_progresso(ctx: RequestContext, id_: UUID) -> Response:
    """Quantos itens há em cada resultado."""
    return json_response(Progresso(**await opening.progresso(ctx, id_)).model_dump(), 200, **_NO_STORE)


@route("GET", _API + "/{id_}/eventos", tag=_TAG, summary="Acompanhar", response_class=Response)
async def acompanhar_inventario(request: Request, id_: UUID) -> Response:
    """O progresso, quando muda (text/event-stream, evento `progresso`)."""
    async with open_context(request) as ctx:  # and given back: a stream holds no connection
        await obter(ctx, INVENTARIOS, id_)
    feed = service_of(request).resource(ProgressFeed)
    feed.admit()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = feed.events(id_, lambda: require_session(request))
    return StreamingResponse(stream, 200, headers, "text/event-stream")


class PedidoDeRelatorio(Input):
    """Which part of a report is asked for."""

    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None


@route("GET", _API + "/{id_}/relatorio.pdf", tag=_TAG, summary="Relatório em PDF", response_class=Response)
async def relatorio_de_inventario(request: Request, id_: UUID, pedido: PedidoDeRelatorio) -> Response:
    """Os itens de cada setor, o que se achou e decidiu, e quem assina; até 20.000 itens, ou um setor (`setor`)."""
    return await _report(request, id_, pedido.setor)


@route("GET", "/inventarios/{id_:uuid}/relatorio.pdf")
async def report_page(request: Request, id_: UUID) -> Response:
    """The same for a browser."""
    asked = PedidoDeRelatorio.parse({"setor": request.query_params.get("setor", "")})
    return await _report(request, id_, asked.setor)


async def _report(request: Request, id_: UUID, setor_id: UUID | None) -> Response:
    city = await city_of(request)
    async with open_context(request) as ctx:
        said, rows = await report.gather(ctx, id_, city, setor_id, ctx.today)
    pdf = await service_of(request).resource(PdfRenderer).render(report.TEMPLATE, said, None, rows=rows, archival=False)
    return pdf_response(pdf, "inventario.pdf")


@route(
    "GET",
    _ITEMS + "/{id_}/leituras",
    tag=_ITEMS_TAG,
    response=made_of("LeiturasDoItem", LeituraDeItem),
    summary="Leituras",
)
async def listar_leituras(ctx: RequestContext, id_: UUID) -> Response:
    """As leituras de um item, a que vale primeiro."""
    found = await counting.leituras(ctx, id_)
    return json_response({"items": [each._asdict() for each in found]}, 200, **_NO_STORE)


@route(
    "POST", _ITEMS + "/{id_}/fotos", tag=_ITEMS_TAG, response=Documentos, status=201, summary="Anexar foto", once=True,
    body=_PHOTO,
)  # fmt: skip
async def anexar_foto(ctx: RequestContext, id_: UUID, envio: Upload) -> Response:
    """Como em `/api/uploads`, de um item; não conta no limite de arquivos por hora, só no de gravações."""
    made = await attach(ctx, ITENS.entity.name, id_, envio, NovoDocumento(tipo=TipoDeDocumento.FOTO))
    return json_response({"items": [document(row) for row in made]}, 201, **_NO_STORE)


@route("POST", _ITEMS + "/{id_}/decisao", tag=_ITEMS_TAG, response=_ITEM, summary="Decidir", once=True)
async def decidir_item(ctx: RequestContext, id_: UUID, dados: DecisaoDeItem) -> Response:
    """Uma divergência, uma decisão; o que ela faz ao bem (transferir, não localizado) é feito junto."""
    return changed(await deciding.decidir(ctx, id_, dados, ctx.today))


@route("POST", _ITEMS + "/{id_}/regularizacao", tag=_ITEMS_TAG, response=_ITEM, summary="Regularizar", once=True)
async def regularizar_item(ctx: RequestContext, id_: UUID, dados: NovaRegularizacao) -> Response:
    """O bem achado sem plaqueta recebe o próximo número e entra com o valor da avaliação da comissão."""
    return changed(await deciding.regularizar(ctx, id_, dados, ctx.today))


@route("GET", WORKER, public=True)
async def count_worker(request: Request) -> Response:
    """The script that shows the page that counts without a network; below /inventarios, because its reach is its folder."""
    del request
    # Its own policy says what it may ask for.
    return Response(
        content_of("count_worker.js"), 200, {**PAGE_HEADERS, "Cache-Control": "no-cache"}, "text/javascript"
    )


form(route, "/inventarios/novo", Abertura)
form(route, "/inventarios/{id_:uuid}/contar", Contagem)
form(route, "/inventarios/{id_:uuid}/iniciar", Inicio)
form(route, "/inventarios/{id_:uuid}/concluir", Conclusao)
form(route, "/inventarios/{id_:uuid}/reabrir", Reabertura)
form(route, "/inventarios/{id_:uuid}/encerrar", Encerramento)
form(route, "/inventario-itens/{id_:uuid}/decidir", DecisaoDoItem)
form(route, "/inventario-itens/{id_:uuid}/regularizar", RegularizacaoDoItem)


@route("GET", "/inventarios/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """The card of a count: how far it is, where its items are, what happened."""
    counts = await opening.progresso(ctx, id_)
    return await _READING.card(ctx, id_, "inventario/ficha.html", counts=counts, states=EstadoDoItem.labels())


@route("GET", "/inventario-itens/{id_:uuid}")
async def item_card(ctx: RequestContext, id_: UUID) -> Reply:
    """The card of an item: the asset, its readings, what may be decided."""
    stored = orjson.loads(await obter(ctx, ITENS, id_))
    open_ = deciding.possible(stored) if stored["decisao"] is None and ctx.access.may(DECIDIR) else ()
    return await _READING_ITEMS.card(
        ctx,
        id_,
        "inventario/item.html",
        readings=await counting.leituras(ctx, id_),
        results=Resultado.labels(),
        conditions=Conservacao.labels(),
        decides=any(each is not Decisao.REGULARIZAR for each in open_),
        regularizes=Decisao.REGULARIZAR in open_,
    )
