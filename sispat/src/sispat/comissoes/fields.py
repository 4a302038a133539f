"""What a commission has: the table that form, API, document, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from sispat.comissoes.rules import EstadoDaComissao, FinalidadeDaComissao
from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, Date, Input, Legible, example
from sispat.kernel.records import ListaDeRegistros

__all__ = ["COMISSAO", "Comissao", "EncerramentoDeComissao", "ListaDeComissoes"]

_MOST = 20  # members


def _codes(value: Any) -> Any:
    """The matrículas in a text of a form, however they are separated; a list of a program as it is."""
    return tuple(each.upper() for each in re.findall(r"[^\s,;]+", value)) if isinstance(value, str) else value


class DadosDaComissao(Input):
    """The act by which it was named, what for, and from when until when."""

    portaria: Annotated[
        str,
        Field(min_length=1, max_length=60),
        Legible,
        Ui("Portaria", "O número e o ano, como 17/2026.", width="media"),
    ]
    finalidade: Annotated[FinalidadeDaComissao, Ui("Para que")] = FinalidadeDaComissao.GERAL
    inicio: Annotated[Date, Ui("Vale desde", width="curta")]
    fim: Annotated[Date | None, BlankIsNone, Ui("Vale até", "Em branco, até ser encerrada.", width="curta")] = None
    observacao: Annotated[str, Field(max_length=500), Legible, Ui("Observação", long=True)] = ""


class Comissao(DadosDaComissao):
    """A commission with its members, who are agentes."""

    model_config = example(
        portaria="21/2026", finalidade="baixa", inicio="2026-01-05", fim="2026-12-31",
        matriculas=["10007", "10014", "10021"],
    )  # fmt: skip

    matriculas: Annotated[
        tuple[Annotated[str, Field(max_length=20), Legible], ...],
        BeforeValidator(_codes),
        Field(min_length=1, max_length=_MOST),
        As("long"),
        Ui("Matrículas dos membros", "Uma por linha; a primeira é de quem preside."),
    ]

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.fim is not None and self.fim < self.inicio:
            first = formats.date(self.inicio)
            raise InvalidData({"fim": _("A data deve ser igual ou posterior a %(date)s.", date=first)})
        return self


class EncerramentoDeComissao(Input):
    """The last day on which it acts."""

    model_config = example(encerrada_em="2026-06-30")

    encerrada_em: Annotated[Date, Ui("Encerrada em", "O último dia em que a comissão atua.", width="curta")]


class _Dada(Shape):
    """What the service gives a commission."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaComissao, Ui("Estado")]
    membros: Annotated[list[Any], As("text"), Ui("Membros")]
    encerrada_em: Annotated[dt.date | None, Ui("Encerrada em")]
    registrada_por: Annotated[UUID, Ui("Cadastrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Cadastrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


COMISSAO = Entity(
    name="comissao",
    label=lazy("Comissão"),
    typed=(DadosDaComissao,),
    given=_Dada,
    path="/comissoes",
    title="portaria",
)


class ListaDeComissoes(ListaDeRegistros):
    """What the list of commissions may be asked for; `vencida`: not ended, and its last day is over."""

    estado: Annotated[EstadoDaComissao | None, BlankIsNone, Ui("Estado")] = None
