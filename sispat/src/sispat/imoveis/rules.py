"""Who may do what with imóveis, what each use allows, and what each way out of the books asks for. Pure.

Sources: Código Civil (Lei 10.406/2002), arts. 98 to 103: bens de uso comum and de uso especial cannot be alienated while
they are that, dominicais can; Lei 14.133/2021, art. 76, I: an alienation needs a law, an appraisal, a public interest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel
from sispat.kernel.situacoes import Posse

__all__ = [
    "ACTIONS", "BAIXAR", "CRIAR", "DESTINAR", "EDITAR", "ESTORNAR", "OF_DOMINICAIS_ONLY", "REQUIRED", "VER", "Ato",
    "Destinacao", "EstadoDaBaixaDeImovel", "EstadoDaDestinacao", "EstadoDoImovel", "FormaDeAquisicao", "MotivoDaBaixaDeImovel",
    "TipoDeImovel", "missing_of_baixa", "why_not_alienated", "wrong_act",
]  # fmt: skip

VER = Action("imovel.ver", gettext_noop("ver imóveis"), EVERYBODY)
CRIAR = Action("imovel.criar", gettext_noop("cadastrar imóveis"), GESTAO)
EDITAR = Action("imovel.editar", gettext_noop("corrigir imóveis"), GESTAO)
DESTINAR = Action("imovel.destinar", gettext_noop("afetar e desafetar imóveis"), GESTAO)
BAIXAR = Action("imovel.baixar", gettext_noop("dar baixa em imóveis"), GESTAO)
ESTORNAR = Action("imovel.estornar", gettext_noop("estornar baixas de imóveis"), frozenset({Papel.ADMINISTRADOR}))
ACTIONS = (VER, CRIAR, EDITAR, DESTINAR, BAIXAR, ESTORNAR)


class TipoDeImovel(Labelled):
    """What there is on the land."""

    PREDIAL = "predial", "Terreno com edificação"
    TERRITORIAL = "territorial", "Terreno sem edificação"
    UNIDADE = "unidade", "Unidade em condomínio"
    RURAL = "rural", "Imóvel rural"
    LOGRADOURO = "logradouro", "Praça, parque ou rua"


class Destinacao(Labelled):
    """The classes of public goods (Código Civil, art. 99)."""

    USO_COMUM = "uso_comum", "De uso comum do povo"
    USO_ESPECIAL = "uso_especial", "De uso especial"
    DOMINICAL = "dominical", "Dominical"


class FormaDeAquisicao(Labelled):
    """How the city came by it."""

    COMPRA = "compra", "Compra"
    DESAPROPRIACAO = "desapropriacao", "Desapropriação"
    DOACAO = "doacao", "Doação"
    PERMUTA = "permuta", "Permuta"
    LOTEAMENTO = "loteamento", "Loteamento"
    CONSTRUCAO = "construcao", "Construção"
    DACAO = "dacao", "Dação em pagamento"
    USUCAPIAO = "usucapiao", "Usucapião"
    HERANCA = "heranca", "Herança vacante ou legado"
    CESSAO = "cessao", "Cessão ou comodato"
    OUTRA = "outra", "Outra"


class EstadoDoImovel(Labelled):
    """Whether it is in the books."""

    ATIVO = "ativo", "No patrimônio"
    BAIXADO = "baixado", "Baixado"


class Ato(Labelled):
    """The kind of act that dedicates an imóvel to a use, or frees it."""

    LEI = "lei", "Lei"
    DECRETO = "decreto", "Decreto"


class EstadoDaDestinacao(Labelled):
    """What a change of use was."""

    AFETACAO = "afetacao", "Afetação"
    DESAFETACAO = "desafetacao", "Desafetação"
    MUDANCA = "mudanca", "Mudança de uso"


class MotivoDaBaixaDeImovel(Labelled):
    """Why an imóvel leaves the books."""

    VENDA = "venda", "Venda por leilão"
    DOACAO = "doacao", "Doação"
    PERMUTA = "permuta", "Permuta"
    DACAO = "dacao", "Dação em pagamento"
    INVESTIDURA = "investidura", "Investidura"
    DESAPROPRIACAO = "desapropriacao", "Desapropriação por outro ente"
    DEVOLUCAO = "devolucao", "Devolução do que foi cedido"
    ERRO_CADASTRO = "erro_cadastro", "Erro de cadastro"


class EstadoDaBaixaDeImovel(Labelled):
    """Whether a write-off stands."""

    EFETIVA = "efetiva", "Efetiva"
    ESTORNADA = "estornada", "Estornada"


_M = MotivoDaBaixaDeImovel
_ALIENATION = ("lei", "data_lei", "processo", "valor_avaliado", "laudo", "destinatario", "destinatario_doc")
REQUIRED: Mapping[MotivoDaBaixaDeImovel, tuple[str, ...]] = {
    _M.VENDA: _ALIENATION,
    _M.DOACAO: _ALIENATION,
    _M.PERMUTA: _ALIENATION,
    _M.DACAO: _ALIENATION,
    _M.INVESTIDURA: _ALIENATION,
    _M.DESAPROPRIACAO: ("processo", "destinatario"),
    _M.DEVOLUCAO: ("processo", "destinatario"),
    _M.ERRO_CADASTRO: (),
}
"""What a motive asks for beside the justification; the constraints `imovel_baixa_<motivo>_exige` say the same."""

OF_DOMINICAIS_ONLY = frozenset({_M.VENDA, _M.DOACAO, _M.PERMUTA, _M.DACAO, _M.INVESTIDURA})


def missing_of_baixa(motivo: MotivoDaBaixaDeImovel, given: Mapping[str, Any]) -> dict[str, str]:
    """What `motivo` asks for and `given` lacks: field -> sentence."""
    return {
        name: _("“%(motive)s” exige este dado.", motive=motivo.label)
        for name in REQUIRED[motivo]
        if given[name] in ("", None)
    }


def why_not_alienated(motivo: MotivoDaBaixaDeImovel, destinacao: str, posse: str) -> str:
    """Why an imóvel of this use, held by this right, may not leave the books by `motivo`; empty: it may."""
    if motivo is _M.DEVOLUCAO:
        return _("O imóvel é da cidade: não há a quem devolvê-lo.") if posse == Posse.PROPRIO else ""
    if motivo not in OF_DOMINICAIS_ONLY:
        return ""
    if posse != Posse.PROPRIO:
        return _("O imóvel não é da cidade, e ela não pode aliená-lo.")
    if destinacao != Destinacao.DOMINICAL:
        return _(
            "Só um bem dominical pode ser alienado (Código Civil, arts. 100 e 101). Primeiro a desafetação, por lei."
        )
    return ""


def wrong_act(de: str, para: str, ato: Ato) -> str:
    """Why this act cannot make an imóvel of use `de` one of use `para`; empty: it can."""
    if ato is not Ato.LEI and para == Destinacao.DOMINICAL:
        return _("A desafetação se faz por lei.")
    if ato is not Ato.LEI and de == Destinacao.USO_COMUM:
        return _("O que é de uso comum do povo só muda de uso por lei.")
    return ""
