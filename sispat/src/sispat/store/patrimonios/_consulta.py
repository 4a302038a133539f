"""What a list asks for, and the conditions that say so in SQL.

Promises: a reader's setores are always among the conditions; values are always parameters; what people type
as words becomes lexemes of letters and digits only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["ORDENS", "RAROS", "Consulta", "condicoes"]

# Offered sorts: name -> (column, its type). `numero` breaks ties and is itself unique.
ORDENS = {
    "numero": ("numero", "bigint"),
    "descricao": ("ordem", "text"),
    "valor": ("valor", "numeric"),
    "data_aquisicao": ("data_aquisicao", "date"),
}
FILTROS = ("setor_id", "local_id", "classe_id", "agente_id", "situacao", "conservacao")
RAROS = frozenset({"local_id", "agente_id"})  # filters of many values, each of few assets


@dataclass(frozen=True, slots=True)
class Consulta:
    """What a list asks for. `setores` None = the whole city; `apos` = the key to go on from: (sort value, numero)."""

    setores: tuple[UUID, ...] | None
    q: str = ""
    filtros: Mapping[str, Any] = field(default_factory=dict)
    ordem: str = "numero"
    descendente: bool = False
    apos: tuple[str, int] | None = None
    limite: int = 50


def condicoes(consulta: Consulta) -> tuple[list[str], list[Any]]:
    """The parts of WHERE over `patrimonio p`, to be joined by AND, and their values."""
    onde: list[str] = []
    valores: list[Any] = []
    # Where there are words, their index answers for these filters too, and here they only weed out chance hits.
    certeza = " is true" if consulta.q else ""
    if consulta.setores is not None and "setor_id" not in consulta.filtros:
        onde.append(f"(p.setor_id = any(%s)){certeza}")
        valores.append(list(consulta.setores))
    elif consulta.setores is not None and consulta.filtros["setor_id"] not in consulta.setores:
        onde.append("false")
    for coluna, valor in consulta.filtros.items():
        if coluna not in FILTROS:
            raise KeyError(coluna)
        onde.append(f"(p.{coluna} = %s){'' if coluna in RAROS else certeza}")
        valores.append(valor)
    if consulta.q:
        condicao, achados = _busca(consulta.q, _facetas(consulta))
        onde.append(condicao)
        valores += achados
    return onde, valores


def _facetas(consulta: Consulta) -> list[str]:
    """The filters as the schema's function `facetas` writes them, for the index of words."""
    setores = [consulta.filtros["setor_id"]] if "setor_id" in consulta.filtros else consulta.setores
    lexemas = [] if not setores else [" | ".join(f"'s={str(setor)[:8]}'" for setor in setores)]
    if "classe_id" in consulta.filtros:
        lexemas.append(f"'c={str(consulta.filtros['classe_id'])[:8]}'")
    for sinal, coluna in (("t", "situacao"), ("e", "conservacao")):
        if coluna in consulta.filtros:
            valor = re.sub("[^a-z_]", "", str(consulta.filtros[coluna]))
            lexemas.append(f"'{sinal}={valor}'")
    return lexemas


_PREFIXO = 3  # letters: the beginnings that are shorter match half of the city


def _busca(q: str, facetas: list[str]) -> tuple[str, list[Any]]:
    """A word of three letters or more may be the beginning of one; digits alone may also be the asset's number."""
    limpo = unicodedata.normalize("NFKD", q.lower()).encode("ascii", "ignore").decode()
    palavras = re.findall("[a-z0-9]+", limpo)
    if not palavras:
        return "false", []
    termos = [f"'{palavra}'" + (":*" if len(palavra) >= _PREFIXO else "") for palavra in palavras]
    tsquery = " & ".join(f"({termo})" for termo in [*termos, *facetas])
    if len(palavras) == 1 and palavras[0].isdigit() and len(palavras[0]) <= 18:
        return "(p.numero = %s or p.busca @@ %s::tsquery)", [int(palavras[0]), tsquery]
    return "p.busca @@ %s::tsquery", [tsquery]
