"""What counts and their items have: the tables that forms, API, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.inventario.rules import (
    DE_UMA_VEZ,
    Decisao,
    EscopoDoInventario,
    EstadoDoInventario,
    EstadoDoItem,
    RecorteDeItens,
    Resultado,
)
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, Date, Input, Legible, Moment, Whole, example
from sispat.kernel.record_sql import Condition
from sispat.kernel.records import Kind, ListaDeRegistros, ListaPorSetor
from sispat.kernel.situacoes import Conservacao, Situacao

__all__ = [
    "INVENTARIO", "ITEM", "DecisaoDeItem", "ListaDeInventarios", "ListaDeItens", "LoteDeLeituras", "MudancaDeEstado",
    "NovaLeitura", "NovoInventario",
]  # fmt: skip

_NEEDED = {
    EscopoDoInventario.SETOR: "setor_id",
    EscopoDoInventario.LOCAL: "local_id",
    EscopoDoInventario.AGENTE: "agente_id",
    EscopoDoInventario.CLASSE: "classe_id",
}
_ONLY = lazy("Só quando é isto que se conta.")


class DadosDoInventario(Input):
    """What is counted, by whom, as of when."""

    escopo: Annotated[EscopoDoInventario, Ui("O que se conta")]
    setor_id: Annotated[UUID | None, BlankIsNone, Ui("Setor", _ONLY, refers_to="setor")] = None
    local_id: Annotated[UUID | None, BlankIsNone, Ui("Local", _ONLY, refers_to="local")] = None
    agente_id: Annotated[UUID | None, BlankIsNone, Ui("Agente responsável", _ONLY, refers_to="agente")] = None
    classe_id: Annotated[UUID | None, BlankIsNone, Ui("Classe", _ONLY, refers_to="classe")] = None
    comissao_id: Annotated[UUID, Ui("Comissão que conta", refers_to="comissao")]
    data_base: Annotated[
        Date, Ui("Data-base", "O dia a que o inventário se refere, como 31 de dezembro.", width="curta")
    ]
    observacao: Annotated[str, Field(max_length=1000), Legible, Ui("Observação", long=True)] = ""


class NovoInventario(DadosDoInventario):
    """A count to be opened; what it expects is frozen at once."""

    model_config = example(
        escopo="setor", setor_id="f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419", comissao_id="41e37779-cf68-9c53-7191-a19cf18b9990",
        data_base="2026-12-31",
    )  # fmt: skip

    @model_validator(mode="after")
    def _says_what_is_counted(self) -> Self:
        needed = _NEEDED.get(self.escopo)
        for name in _NEEDED.values():
            given = getattr(self, name) is not None
            if name == needed and not given:
                raise InvalidData({name: _("Escolha um item da lista.")})
            if name != needed and given:
                raise InvalidData({name: _("Deixe em branco: o que se conta é “%(scope)s”.", scope=self.escopo.label)})
        return self


class MudancaDeEstado(Input):
    """Where a count goes on to."""

    model_config = example(estado="contando")

    estado: Annotated[EstadoDoInventario, Ui("Estado")]


class _InventarioDado(Shape):
    """What the service gives a count."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDoInventario, Ui("Estado")]
    portaria: Annotated[str, Ui("Portaria da comissão")]
    membros: Annotated[str, Ui("Membros da comissão", long=True)]
    esperados: Annotated[int, Ui("Bens esperados")]
    aberto_por: Annotated[UUID, Ui("Aberto por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Aberto em")]
    encerrado_em: Annotated[dt.datetime | None, Ui("Encerrado em")]
    encerrado_por: Annotated[UUID | None, Ui("Encerrado por", refers_to="usuario")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


INVENTARIO = Entity(
    name="inventario",
    label=lazy("Inventário"),
    typed=(DadosDoInventario,),
    given=_InventarioDado,
    path="/inventarios",
    title="numero",
)


class _ItemDado(Shape):
    """An item: the asset as it was when the list was frozen, what was read of it, what was decided."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Item")]
    estado: Annotated[EstadoDoItem, Ui("Resultado")]
    inventario_id: Annotated[UUID, Ui("Inventário", refers_to="inventario")]
    esperado: Annotated[bool, Ui("Esperado")]
    patrimonio_id: Annotated[UUID | None, Ui("Bem", refers_to="patrimonio")]
    plaqueta: Annotated[int | None, As("plate"), Ui("Plaqueta")]
    descricao: Annotated[str, Ui("Descrição")]
    classe_id: Annotated[UUID | None, Ui("Classe", refers_to="classe")]
    valor: Annotated[Decimal, As("money"), Ui("Valor")]
    situacao: Annotated[Situacao | None, Ui("Situação ao abrir")]
    conservacao: Annotated[Conservacao | None, Ui("Conservação ao abrir")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    local_id: Annotated[UUID | None, Ui("Local", refers_to="local")]
    agente_id: Annotated[UUID | None, Ui("Agente responsável", refers_to="agente")]
    local_visto_id: Annotated[UUID | None, Ui("Onde foi visto", refers_to="local")]
    conservacao_vista: Annotated[Conservacao | None, Ui("Conservação vista")]
    nota: Annotated[str, Ui("Nota de quem contou")]
    leituras: Annotated[int, Ui("Leituras")]
    contraditorio: Annotated[bool, Ui("Leituras que se contradizem")]
    divergente: Annotated[bool, Ui("Divergência")]
    decisao: Annotated[Decisao | None, Ui("Decisão")]
    justificativa: Annotated[str, Ui("Justificativa da decisão")]
    movimento: Annotated[str, Ui("Registro que a decisão fez")]
    decidido_por: Annotated[UUID | None, Ui("Decidido por", refers_to="usuario")]
    decidido_em: Annotated[dt.datetime | None, Ui("Decidido em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


ITEM = Entity(
    name="inventario_item",
    label=lazy("Item de inventário"),
    given=_ItemDado,
    path="/inventario-itens",
    title="descricao",
)


class ListaDeInventarios(ListaDeRegistros):
    """What the list of counts may be asked for."""

    estado: Annotated[EstadoDoInventario | None, BlankIsNone, Ui("Estado")] = None


class ListaDeItens(ListaPorSetor):
    """What the list of items may be asked for; in the order of rooms and plates."""

    estado: Annotated[EstadoDoItem | None, BlankIsNone, Ui("Resultado")] = None
    inventario: Annotated[
        int | None, BlankIsNone, Whole, Field(ge=1, le=10**15), Ui("Nº do inventário", width="curta")
    ] = None
    so: Annotated[RecorteDeItens | None, BlankIsNone, Ui("Mostrar")] = None
    bem: Annotated[int | None, BlankIsNone, Whole, Field(ge=1, le=10**18 - 1), Ui("Plaqueta", width="curta")] = None

    def conditions(self, kind: Kind, today: dt.date) -> list[Condition]:
        """What the filters mean in SQL."""
        found = super().conditions(kind, today)
        if self.inventario is not None:
            found.append(("m.inventario_id = (select id from inventario where numero = %s)", self.inventario))
        if self.so is not None:
            found.append((_ONLY_THESE[self.so], True))
        if self.bem is not None:
            found.append(("m.plaqueta = %s", self.bem))
        return found

    def is_about_few(self) -> bool | None:
        """An asset is an item once in each count."""
        return self.bem is not None

    def order(self) -> str:
        """By room and plate."""
        return "numero"


_ONLY_THESE = {
    RecorteDeItens.DIVERGENTES: "m.divergente and %s",
    RecorteDeItens.SEM_DECISAO: "m.divergente and m.decisao is null and %s",
    RecorteDeItens.CONTRADITORIOS: "m.contraditorio and %s",
}


class DadosDaLeitura(Input):
    """What somebody says of one asset, standing before it or before its empty place."""

    codigo: Annotated[
        str,
        Field(max_length=300),
        Legible,
        Ui("Plaqueta", "O número, ou o que o código QR da etiqueta diz.", width="media"),
    ] = ""
    resultado: Annotated[Resultado, Ui("Resultado")]
    local_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Onde estou", "Onde o bem foi visto; vale para as próximas leituras.", refers_to="local"),
    ] = None
    conservacao: Annotated[Conservacao | None, BlankIsNone, Ui("Conservação")] = None
    descricao: Annotated[str, Field(max_length=500), Legible, Ui("O que é", "Só de um bem sem plaqueta.")] = ""
    nota: Annotated[str, Field(max_length=1000), Legible, Ui("Nota")] = ""


class NovaLeitura(DadosDaLeitura):
    """A reading as a phone sends it: `id` is its own, so that sending it again changes nothing."""

    id: Annotated[UUID, Ui("Identificador")]
    lida_em: Annotated[Moment, Ui("Lida em", "Pelo relógio do telefone; a mais nova vale.")]


class LoteDeLeituras(Input):
    """Readings that wait in a phone; each is taken or refused by itself."""

    model_config = example(
        leituras=[
            {
                "id": "5e1f7c1e-6f5e-4d52-9a44-2f3e7c7d9b10", "codigo": "000001", "resultado": "encontrado",
                "lida_em": "2026-12-01T09:30:00-03:00",
            }
        ]
    )  # fmt: skip

    leituras: Annotated[tuple[NovaLeitura, ...], Field(min_length=1, max_length=DE_UMA_VEZ), As("text"), Ui("Leituras")]


class DecisaoDeItem(Input):
    """What becomes of a divergence, and why."""

    model_config = example(decisao="manter", justificativa="Está emprestado à Escola Estadual")

    decisao: Annotated[Decisao, Ui("Decisão")]
    justificativa: Annotated[
        str, Field(min_length=3, max_length=500), Legible, Ui("Justificativa", "O que se apurou.", long=True)
    ]
    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Novo agente responsável", "Só de uma transferência; em branco, quem aceita escolhe.", refers_to="agente"),
    ] = None
