"""Who may do what with counts, the states of one, and what may be decided of an item. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel
from sispat.kernel.situacoes import Situacao

__all__ = [
    "ABRIR", "ACTIONS", "CONTAR", "DECIDIR", "DE_UMA_VEZ", "ENCERRAR", "TRANSITIONS", "VER", "Decisao", "EscopoDoInventario",
    "EstadoDoInventario", "EstadoDoItem", "RecorteDeItens", "Resultado", "decisions", "require_open",
]  # fmt: skip

DE_UMA_VEZ = 100  # readings of one request: a phone that was offline for a day sends them in such parts

VER = Action("inventario.ver", gettext_noop("ver os inventários"), EVERYBODY)
ABRIR = Action("inventario.abrir", gettext_noop("abrir inventários"), GESTAO)
CONTAR = Action("inventario.contar", gettext_noop("contar bens"), GESTAO | {Papel.RESPONSAVEL})
DECIDIR = Action("inventario.decidir", gettext_noop("decidir divergências de inventários"), GESTAO)
ENCERRAR = Action("inventario.encerrar", gettext_noop("mudar o estado de inventários"), GESTAO)
ACTIONS = (VER, ABRIR, CONTAR, DECIDIR, ENCERRAR)


class EscopoDoInventario(Labelled):
    """What is counted."""

    CIDADE = "cidade", "Toda a cidade"
    SETOR = "setor", "Um setor"
    LOCAL = "local", "Um local"
    AGENTE = "agente", "A carga de um agente"
    CLASSE = "classe", "Uma classe"


class EstadoDoInventario(Labelled):
    """Where a count is."""

    ABERTO = "aberto", "Aberto"
    CONTANDO = "contando", "Em contagem"
    DECIDINDO = "decidindo", "Em decisão"
    ENCERRADO = "encerrado", "Encerrado"


_E = EstadoDoInventario
TRANSITIONS: Mapping[EstadoDoInventario, frozenset[EstadoDoInventario]] = {
    _E.ABERTO: frozenset({_E.CONTANDO}),
    _E.CONTANDO: frozenset({_E.DECIDINDO}),
    _E.DECIDINDO: frozenset({_E.CONTANDO, _E.ENCERRADO}),
    _E.ENCERRADO: frozenset(),
}


class EstadoDoItem(Labelled):
    """What the last reading says of an item."""

    NAO_VERIFICADO = "nao_verificado", "Não verificado"
    ENCONTRADO = "encontrado", "Encontrado"
    OUTRO_LOCAL = "outro_local", "Em outro local ou com dano"
    NAO_ENCONTRADO = "nao_encontrado", "Não encontrado"
    SEM_TOMBO = "sem_tombo", "Sem plaqueta"


class Resultado(Labelled):
    """What somebody with a phone says of an asset."""

    ENCONTRADO = "encontrado", "Encontrado aqui"
    OUTRO_LOCAL = "outro_local", "Em outro local ou com dano"
    NAO_ENCONTRADO = "nao_encontrado", "Não encontrado"
    SEM_TOMBO = "sem_tombo", "Achei um bem sem plaqueta"


class Decisao(Labelled):
    """What becomes of a divergence."""

    TRANSFERIR = "transferir", "Transferir para onde foi encontrado"
    NAO_LOCALIZAR = "nao_localizar", "Registrar como não localizado"
    REENCONTRAR = "reencontrar", "Registrar que foi encontrado de novo"
    REGULARIZAR = "regularizar", "Regularizar: entra no patrimônio"
    MANTER = "manter", "Manter o cadastro como está"


class RecorteDeItens(Labelled):
    """Which items a list shows."""

    DIVERGENTES = "divergentes", "Só divergências"
    SEM_DECISAO = "sem_decisao", "Só divergências sem decisão"
    CONTRADITORIOS = "contraditorios", "Só leituras que se contradizem"


def require_open(numero: int, now: EstadoDoInventario, to: EstadoDoInventario) -> None:
    """Raise `InvalidData` unless the way from `now` to `to` is open, naming the count and the ways that are."""
    if to in TRANSITIONS[now]:
        return
    ways = ", ".join(f"“{each.label}”" for each in EstadoDoInventario if each in TRANSITIONS[now]) or _("nenhum")
    raise InvalidData(
        {
            "estado": _(
                "O inventário %(number)s está “%(now)s” e não passa a “%(to)s”; permitido: %(ways)s.",
                number=numero,
                now=now.label,
                to=to.label,
                ways=ways,
            )
        }
    )


def decisions(estado: str, situacao: str | None, *, elsewhere: bool) -> tuple[Decisao, ...]:
    """What may be decided of an item in this state; nothing where it is no divergence.

    `situacao` is that of the asset when the list was frozen, `elsewhere` whether it was seen in another local.
    """
    if estado == EstadoDoItem.SEM_TOMBO:
        return (Decisao.REGULARIZAR, Decisao.MANTER)
    found = estado in (EstadoDoItem.ENCONTRADO, EstadoDoItem.OUTRO_LOCAL)
    if found and situacao == Situacao.NAO_LOCALIZADO:
        return (Decisao.REENCONTRAR, Decisao.MANTER)
    if estado == EstadoDoItem.OUTRO_LOCAL:
        moves = elsewhere and situacao == Situacao.EM_USO
        return (Decisao.TRANSFERIR, Decisao.MANTER) if moves else (Decisao.MANTER,)
    if estado == EstadoDoItem.NAO_ENCONTRADO:
        return (Decisao.NAO_LOCALIZAR, Decisao.MANTER) if situacao == Situacao.EM_USO else (Decisao.MANTER,)
    return ()
