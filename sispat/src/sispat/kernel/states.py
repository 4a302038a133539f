"""The states of an asset and the ways between them.

Promises: `transitar` is the only way from one state to another; what is not in `TRANSICOES` is refused
with the ways that are open. Source: domain rules of the service (baixado is final but for the audited estorno).
"""

from __future__ import annotations

from enum import StrEnum

from sispat.kernel.errors import InvalidData

__all__ = ["TRANSICOES", "Conservacao", "Posse", "Situacao", "transitar"]


class Situacao(StrEnum):
    """Where an asset is in its life."""

    EM_USO = "em_uso"
    EM_MANUTENCAO = "em_manutencao"
    EMPRESTADO = "emprestado"
    EM_TRANSFERENCIA = "em_transferencia"
    NAO_LOCALIZADO = "nao_localizado"
    BAIXADO = "baixado"


class Conservacao(StrEnum):
    """State of repair, as the yearly inventory writes it down."""

    OTIMO = "otimo"
    BOM = "bom"
    REGULAR = "regular"
    RUIM = "ruim"
    INSERVIVEL = "inservivel"


class Posse(StrEnum):
    """By what right the city holds the asset."""

    PROPRIO = "proprio"
    CESSAO = "cessao"
    COMODATO = "comodato"


_S = Situacao
TRANSICOES: dict[Situacao, frozenset[Situacao]] = {
    _S.EM_USO: frozenset({_S.EM_MANUTENCAO, _S.EMPRESTADO, _S.EM_TRANSFERENCIA, _S.NAO_LOCALIZADO, _S.BAIXADO}),
    _S.EM_MANUTENCAO: frozenset({_S.EM_USO}),
    _S.EMPRESTADO: frozenset({_S.EM_USO}),
    _S.EM_TRANSFERENCIA: frozenset({_S.EM_USO}),
    _S.NAO_LOCALIZADO: frozenset({_S.EM_USO, _S.BAIXADO}),
    _S.BAIXADO: frozenset(),
}


def transitar(de: Situacao, para: Situacao) -> Situacao:
    """`para`, if the way is open; else `InvalidData` naming the ways that are."""
    if para in TRANSICOES[de]:
        return para
    abertas = ", ".join(sorted(TRANSICOES[de])) or "nenhuma"
    raise InvalidData({"situacao": f"de “{de}” não se passa a “{para}”; permitido: {abertas}."})
