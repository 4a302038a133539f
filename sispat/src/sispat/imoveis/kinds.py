"""Imóveis and what happens to them, as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from sispat.imoveis import rules
from sispat.imoveis.fields import IMOVEL
from sispat.imoveis.movements import BAIXA, DESTINACAO
from sispat.imoveis.rules import Destinacao, EstadoDaBaixaDeImovel, EstadoDaDestinacao, EstadoDoImovel, TipoDeImovel
from sispat.kernel.fields import Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import As, BlankIsNone, Legible
from sispat.kernel.record_sql import Condition, Table
from sispat.kernel.records import Kind, ListaPorSetor
from sispat.kernel.situacoes import Conservacao
from sispat.kernel.words import term, words_of

__all__ = ["BAIXAS", "DESTINACOES", "IMOVEIS", "KINDS", "ListaDeImoveis"]

_EXPORTED = "exportar_imoveis"
_FILTERS = ("estado", "tipo", "destinacao", "conservacao")


class ListaDeImoveis(ListaPorSetor):
    """What the list may be asked for; `q`: words of name, use, address and registry data, or the number."""

    q: Annotated[str, Field(max_length=100), Legible, Ui("Busca")] = ""
    estado: Annotated[EstadoDoImovel | None, BlankIsNone, Ui("Situação")] = None
    tipo: Annotated[TipoDeImovel | None, BlankIsNone, Ui("Tipo")] = None
    destinacao: Annotated[Destinacao | None, BlankIsNone, Ui("Destinação")] = None
    conservacao: Annotated[Conservacao | None, BlankIsNone, Ui("Conservação")] = None
    agente: Annotated[UUID | None, BlankIsNone, Ui("Agente responsável", refers_to="agente")] = None
    sort: Annotated[Literal["numero", "-numero", "nome", "-nome", "valor", "-valor"], As("code"), Ui("Ordem")] = (
        "numero"
    )

    def conditions(self, kind: Kind, today: dt.date) -> list[Condition]:
        """The filters, and the words."""
        del kind, today
        asked = [(f"m.{name} = %s", getattr(self, name)) for name in _FILTERS]
        asked.append(("m.agente_id = %s", self.agente))
        found: list[Condition] = [(sql, value) for sql, value in asked if value is not None]
        if self.q:
            words = words_of(self.q)
            query = " & ".join(f"({term(word)})" for word in words)
            found.append(("m.busca @@ %s::tsquery", query) if words else ("%s", False))
        return found

    def is_about_few(self) -> bool | None:
        """The planner's statistics say."""
        return None

    def order(self) -> str:
        """As asked for."""
        return self.sort


class _SobreImoveis(ListaPorSetor):
    """What the list of what happens to imóveis may be asked for."""

    imovel: Annotated[int | None, Field(ge=1, lt=2**63), BlankIsNone, Ui("Número do imóvel")] = None

    def conditions(self, kind: Kind, today: dt.date) -> list[Condition]:
        """The filters, and that it is about this imóvel."""
        found = super().conditions(kind, today)
        about = ("m.imovel_id = (select id from imovel where numero = %s)", self.imovel)
        return found if self.imovel is None else [*found, about]

    def is_about_few(self) -> bool | None:
        """An imóvel has few, perhaps old ones."""
        return self.imovel is not None


class ListaDeDestinacoes(_SobreImoveis):
    """The same of changes of use."""

    estado: Annotated[EstadoDaDestinacao | None, BlankIsNone, Ui("O que foi")] = None


class ListaDeBaixasDeImoveis(_SobreImoveis):
    """The same of write-offs."""

    estado: Annotated[EstadoDaBaixaDeImovel | None, BlankIsNone, Ui("Estado")] = None


_ATIVO = EstadoDoImovel.ATIVO
IMOVEIS = Kind(
    table=Table(
        IMOVEL,
        sorts={"numero": ("numero", "bigint"), "nome": ("ordem", "text"), "valor": ("valor", "numeric")},
        within={"conservacao": tuple(Conservacao), "estado": (EstadoDoImovel.BAIXADO,)},
    ),
    plural="imoveis",
    title=lazy("Imóveis"),
    help=lazy("Os terrenos e prédios da cidade: o que são, onde ficam, quanto valem e para que servem."),
    new=lazy("Cadastrar imóvel"),
    action=rules.CRIAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=EstadoDoImovel,
    asked=ListaDeImoveis,
    columns=("nome", "destinacao", "setor_id", "area_terreno", "valor"),
    acts=(
        (_ATIVO, "editar", lazy("Editar"), rules.EDITAR),
        (_ATIVO, "destinar", lazy("Mudar a destinação"), rules.DESTINAR),
        (_ATIVO, "baixar", lazy("Dar baixa"), rules.BAIXAR),
    ),
    made_at="novo",
    searched_by=lazy("Nome, endereço, matrícula, inscrição ou número"),
    sort_labels={
        "numero": lazy("Número, do menor ao maior"),
        "-numero": lazy("Número, do maior ao menor"),
        "nome": lazy("Nome, de A a Z"),
        "-nome": lazy("Nome, de Z a A"),
        "valor": lazy("Valor, do menor ao maior"),
        "-valor": lazy("Valor, do maior ao menor"),
    },
    summed=("valor_terreno", "valor_edificacao"),
)
DESTINACOES = Kind(
    table=Table(DESTINACAO),
    plural="destinacoes",
    title=lazy("Destinações"),
    help=lazy("Afetações e desafetações de imóveis, com a lei ou o decreto de cada uma."),
    new="",
    action=rules.DESTINAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=EstadoDaDestinacao,
    asked=ListaDeDestinacoes,
    columns=("imovel_id", "de", "para", "ato", "numero_ato", "data"),
    made_at="",
)
BAIXAS = Kind(
    table=Table(BAIXA),
    plural="baixas-de-imoveis",
    title=lazy("Baixas de imóveis"),
    help=lazy("Imóveis que saíram do patrimônio, por que e com que papéis."),
    new="",
    action=rules.BAIXAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=EstadoDaBaixaDeImovel,
    asked=ListaDeBaixasDeImoveis,
    columns=("imovel_id", "motivo", "data", "destinatario", "registrada_por"),
    acts=((EstadoDaBaixaDeImovel.EFETIVA, "estornar", lazy("Desfazer a baixa"), rules.ESTORNAR),),
    made_at="",
)
KINDS = (IMOVEIS, DESTINACOES, BAIXAS)
