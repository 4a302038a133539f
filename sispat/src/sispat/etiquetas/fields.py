"""What labels may be asked for: which assets, on what, from which place of a sheet on."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sispat.etiquetas.formats import Formato
from sispat.etiquetas.rules import DE_UMA_VEZ
from sispat.kernel.fields import Ui
from sispat.kernel.inputs import As, Whole
from sispat.patrimonios.listing import ListaDePatrimonios

__all__ = ["PedidoDeEtiquetas"]


def _numbers(value: Any) -> Any:
    return tuple(re.findall(r"[^\s,;]+", value)) if isinstance(value, str) else value


_Shift = Annotated[float, Field(ge=-20, le=20)]


class PedidoDeEtiquetas(ListaDePatrimonios):
    """Labels of these numbers, or of all that the list finds; `cursor` and `limit` say nothing here."""

    numeros: Annotated[
        tuple[Annotated[int, Field(ge=1, le=10**18 - 1)], ...],
        BeforeValidator(_numbers),
        Field(max_length=DE_UMA_VEZ),
        As("long"),
        Ui("Números dos bens", "Separados por vírgula; em branco, todos os que os filtros acham."),
    ] = ()
    formato: Annotated[Formato, Ui("Etiquetas", "O que está na impressora.")] = Formato.A4_33
    inicio: Annotated[
        int,
        Whole,
        Field(ge=1, le=100),
        Ui("Começar na posição", "Numa folha já usada: 2 deixa a primeira em branco.", width="curta"),
    ] = 1
    ajuste_x: Annotated[_Shift, As("decimal"), Ui("Deslocar para a direita (mm)", "De −20 a 20.", width="curta")] = 0.0
    ajuste_y: Annotated[_Shift, As("decimal"), Ui("Deslocar para baixo (mm)", "De −20 a 20.", width="curta")] = 0.0
