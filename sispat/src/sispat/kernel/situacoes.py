"""The states of an asset and the ways between them. Pure.

Promises: what is not in `TRANSITIONS` is refused with the ways that are open. Source: domain rules of the service (baixado
is final but for the audited estorno). Who moves an asset is `kernel.states.move`, and nothing else.
"""

from __future__ import annotations

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.labelled import Labelled

__all__ = ["REVERSALS", "TRANSITIONS", "Conservacao", "FonteDeRecurso", "Posse", "Situacao", "require_open"]


class Situacao(Labelled):
    """Where an asset is in its life."""

    EM_USO = "em_uso", "Em uso"
    EM_MANUTENCAO = "em_manutencao", "Em manutenção"
    EMPRESTADO = "emprestado", "Emprestado"
    EM_TRANSFERENCIA = "em_transferencia", "Em transferência"
    NAO_LOCALIZADO = "nao_localizado", "Não localizado"
    BAIXADO = "baixado", "Baixado"


class Conservacao(Labelled):
    """State of repair, as the yearly inventory writes it down."""

    OTIMO = "otimo", "Ótimo"
    BOM = "bom", "Bom"
    REGULAR = "regular", "Regular"
    RUIM = "ruim", "Ruim"
    INSERVIVEL = "inservivel", "Inservível"


class Posse(Labelled):
    """By what right the city holds the asset."""

    PROPRIO = "proprio", "Bem próprio"
    CESSAO = "cessao", "Recebido em cessão"
    COMODATO = "comodato", "Recebido em comodato"


class FonteDeRecurso(Labelled):
    """What paid for the asset."""

    NAO_INFORMADA = "nao_informada", "Não informada"
    PROPRIO = "proprio", "Recursos próprios"
    CONVENIO = "convenio", "Convênio"
    EMENDA = "emenda", "Emenda parlamentar"
    FUNDO = "fundo", "Fundo"


_S = Situacao
TRANSITIONS: dict[Situacao, frozenset[Situacao]] = {
    _S.EM_USO: frozenset({_S.EM_MANUTENCAO, _S.EMPRESTADO, _S.EM_TRANSFERENCIA, _S.NAO_LOCALIZADO, _S.BAIXADO}),
    _S.EM_MANUTENCAO: frozenset({_S.EM_USO}),
    _S.EMPRESTADO: frozenset({_S.EM_USO}),
    _S.EM_TRANSFERENCIA: frozenset({_S.EM_USO}),
    _S.NAO_LOCALIZADO: frozenset({_S.EM_USO, _S.BAIXADO}),
    _S.BAIXADO: frozenset(),
}

REVERSALS: dict[Situacao, frozenset[Situacao]] = {_S.BAIXADO: frozenset({_S.EM_USO, _S.NAO_LOCALIZADO})}
"""The ways back that only taking a record back opens: an audited estorno."""


def require_open(numero: int, now: Situacao, to: Situacao, *, reversing: bool = False) -> None:
    """Raise `InvalidData` unless the way from `now` to `to` is open, naming the asset and the ways that are.

    `reversing`: what led to `now` is taken back, so that the way is one of `REVERSALS`.
    """
    open_ways = REVERSALS.get(now, frozenset()) if reversing else TRANSITIONS[now]
    if to in open_ways:
        return
    ways = ", ".join(f"“{each.label}”" for each in Situacao if each in open_ways) or _("nenhuma")
    raise InvalidData(
        {
            "situacao": _(
                "O bem %(number)s está “%(now)s” e não passa a “%(to)s”; permitido: %(ways)s.",
                number=f"{numero:06}",
                now=now.label,
                to=to.label,
                ways=ways,
            )
        }
    )
