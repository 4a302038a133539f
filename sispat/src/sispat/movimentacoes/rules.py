"""Who may do what with movements, the states these have, and what each reason for a write-off asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sispat.kernel.i18n import _, gettext_noop, ngettext
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel
from sispat.kernel.situacoes import Posse

__all__ = [
    "ACTIONS",
    "BAIXAR",
    "CARGA_MAXIMA",
    "CONCLUIR_MANUTENCAO",
    "DECIDIR_TRANSFERENCIA",
    "DEVOLVER",
    "DE_UMA_VEZ",
    "EMPRESTAR",
    "ENVIAR_PARA_MANUTENCAO",
    "ESTORNAR_BAIXA",
    "LOCALIZAR",
    "PASSAR_CARGA",
    "PEDIR_TRANSFERENCIA",
    "PRORROGAR",
    "REGULARIZAR",
    "REQUIRED",
    "VER",
    "EstadoDaBaixa",
    "EstadoDaLocalizacao",
    "EstadoDaManutencao",
    "EstadoDaRegularizacao",
    "EstadoDaTransferencia",
    "EstadoDoEmprestimo",
    "MotivoDaBaixa",
    "TipoDeManutencao",
    "may_leave_by",
    "missing_of_baixa",
]  # fmt: skip

DE_UMA_VEZ = 2000  # assets that one request names: some seconds of locks
CARGA_MAXIMA = 10_000  # assets of a person that are transferred as a whole: 5,000 take up to 3 s (benchmarks.handover)

_MANAGED_AND_OWN = GESTAO | {Papel.RESPONSAVEL}
VER = Action("movimentacao.ver", gettext_noop("ver as movimentações"), EVERYBODY)
PEDIR_TRANSFERENCIA = Action("transferencia.pedir", gettext_noop("pedir transferências"), _MANAGED_AND_OWN)
DECIDIR_TRANSFERENCIA = Action("transferencia.decidir", gettext_noop("decidir transferências"), _MANAGED_AND_OWN)
EMPRESTAR = Action("emprestimo.emprestar", gettext_noop("emprestar bens"), _MANAGED_AND_OWN)
DEVOLVER = Action("emprestimo.devolver", gettext_noop("registrar devoluções"), _MANAGED_AND_OWN)
ENVIAR_PARA_MANUTENCAO = Action("manutencao.enviar", gettext_noop("enviar bens para manutenção"), GESTAO)
CONCLUIR_MANUTENCAO = Action("manutencao.concluir", gettext_noop("concluir manutenções"), GESTAO)
BAIXAR = Action("baixa.baixar", gettext_noop("dar baixa em bens"), GESTAO)
ESTORNAR_BAIXA = Action("baixa.estornar", gettext_noop("estornar baixas"), frozenset({Papel.ADMINISTRADOR}))
PRORROGAR = Action("emprestimo.prorrogar", gettext_noop("prorrogar empréstimos"), _MANAGED_AND_OWN)
LOCALIZAR = Action("localizacao.registrar", gettext_noop("registrar a falta e o reencontro de bens"), _MANAGED_AND_OWN)
REGULARIZAR = Action("regularizacao.registrar", gettext_noop("regularizar bens sem plaqueta"), GESTAO)
PASSAR_CARGA = Action("agente.passar_carga", gettext_noop("passar a carga de um agente"), GESTAO)
ACTIONS = (
    VER, PEDIR_TRANSFERENCIA, DECIDIR_TRANSFERENCIA, EMPRESTAR, DEVOLVER, ENVIAR_PARA_MANUTENCAO, CONCLUIR_MANUTENCAO, BAIXAR,
    ESTORNAR_BAIXA, PASSAR_CARGA, PRORROGAR, LOCALIZAR, REGULARIZAR,
)  # fmt: skip


class EstadoDaTransferencia(Labelled):
    """What became of a transfer, or of one of its items.

    A transfer is pending as long as one of its items is. Decided in parts, it is what the best of them is: `aceita` where
    one item was accepted, `recusada` where none was and one was refused.
    """

    PENDENTE = "pendente", "Pendente"
    ACEITA = "aceita", "Aceita"
    RECUSADA = "recusada", "Recusada"
    CANCELADA = "cancelada", "Cancelada"


class EstadoDoEmprestimo(Labelled):
    """Where a loan is; `atrasado` is asked for and shown, and never stored: it is `aberto` after its day."""

    ABERTO = "aberto", "Aberto"
    ATRASADO = "atrasado", "Atrasado"
    DEVOLVIDO = "devolvido", "Devolvido"


class EstadoDaManutencao(Labelled):
    """Where a maintenance is; `atrasada` as with loans."""

    ABERTA = "aberta", "Aberta"
    ATRASADA = "atrasada", "Atrasada"
    CONCLUIDA = "concluida", "Concluída"


class EstadoDaBaixa(Labelled):
    """Whether a write-off stands."""

    EFETIVA = "efetiva", "Efetiva"
    ESTORNADA = "estornada", "Estornada"


class EstadoDaLocalizacao(Labelled):
    """What was noticed of an asset: that it is missing, or that it is there again."""

    NAO_LOCALIZADO = "nao_localizado", "Não localizado"
    LOCALIZADO = "localizado", "Encontrado"


class EstadoDaRegularizacao(Labelled):
    """An asset found without a plate is regular from its registration on."""

    REGULARIZADO = "regularizado", "Regularizado"


class TipoDeManutencao(Labelled):
    """Why an asset is looked after."""

    CORRETIVA = "corretiva", "Corretiva: algo quebrou"
    PREVENTIVA = "preventiva", "Preventiva: revisão"


class MotivoDaBaixa(Labelled):
    """Why an asset leaves the books."""

    LEILAO = "leilao", "Leilão"
    DOACAO = "doacao", "Doação"
    PERMUTA = "permuta", "Permuta"
    INUTILIZACAO = "inutilizacao", "Inutilização"
    FURTO_ROUBO = "furto_roubo", "Furto ou roubo"
    EXTRAVIO = "extravio", "Extravio"
    SINISTRO = "sinistro", "Sinistro"
    ERRO_CADASTRO = "erro_cadastro", "Erro de cadastro"


_M = MotivoDaBaixa
_COMMISSION = ("portaria", "membros")
_ALIENATION = ("processo", *_COMMISSION, "valor_avaliado")
REQUIRED: Mapping[MotivoDaBaixa, tuple[str, ...]] = {
    _M.LEILAO: _ALIENATION,
    _M.DOACAO: (*_ALIENATION, "destinatario", "destinatario_doc"),
    _M.PERMUTA: (*_ALIENATION, "destinatario", "destinatario_doc"),
    _M.INUTILIZACAO: ("laudo", *_COMMISSION),
    _M.FURTO_ROUBO: ("boletim", "data_ocorrencia"),
    _M.EXTRAVIO: ("processo", "data_ocorrencia"),
    _M.SINISTRO: ("laudo", "data_ocorrencia"),
    _M.ERRO_CADASTRO: (),
}
"""What a motive asks for beside the justification; the constraints `baixa_<motivo>_exige` say the same (a test compares)."""

OF_OWN_ONLY = frozenset({_M.LEILAO, _M.DOACAO, _M.PERMUTA})  # nobody sells or gives away what was lent to them


def missing_of_baixa(motivo: MotivoDaBaixa, given: Mapping[str, Any], fewest_members: int) -> dict[str, str]:
    """What `motivo` asks for and `given` lacks: field -> sentence."""
    wrong = {
        name: _("“%(motive)s” exige este dado.", motive=motivo.label)
        for name in REQUIRED[motivo]
        if given[name] in ("", None)
    }
    members = [line for line in str(given["membros"]).splitlines() if line.strip()]
    if "membros" in REQUIRED[motivo] and "membros" not in wrong and len(members) < fewest_members:
        wrong["membros"] = ngettext(
            "A comissão tem pelo menos %(num)s membro, um por linha.",
            "A comissão tem pelo menos %(num)s membros, um por linha.",
            fewest_members,
            num=fewest_members,
        )
    return wrong


def may_leave_by(motivo: MotivoDaBaixa, posse: str) -> bool:
    """Whether an asset that the city holds by this right may leave the books by this motive."""
    return posse == Posse.PROPRIO or motivo not in OF_OWN_ONLY
