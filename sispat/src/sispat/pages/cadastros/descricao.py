"""The four registers as their screens see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sispat.pages import _escolhas as escolhas
from sispat.pages._campos import SIM_NAO, Campo, Secao
from sispat.usecases.contexto import Contexto

__all__ = ["CADASTROS", "ENDERECO", "Cadastro", "campos", "secoes"]


@dataclass(frozen=True, slots=True)
class Cadastro:
    """One register: `plural` is its address, `colunas` what its list shows beside the name."""

    tipo: str
    plural: str
    titulo: str
    nome: str
    novo: str
    colunas: tuple[str, ...]
    ajuda: str

    @property
    def endereco(self) -> str:
        """Of the list."""
        return f"/{self.plural}"


CADASTROS = (
    Cadastro(
        "setor", "setores", "Setores", "setor", "Novo setor", ("codigo", "pai_id"),
        "As unidades da prefeitura. Cada pessoa alcança os bens dos seus setores.",
    ),
    Cadastro(
        "local", "locais", "Locais", "local", "Novo local", ("setor_id",),
        "Salas, depósitos e pátios. Um local pertence sempre ao mesmo setor.",
    ),
    Cadastro(
        "agente", "agentes", "Agentes responsáveis", "agente", "Novo agente", ("matricula", "cargo", "setor_id"),
        "As pessoas que respondem por bens (Lei 4.320/64, art. 94).",
    ),
    Cadastro(
        "classe", "classes", "Classes", "classe", "Nova classe", ("conta", "vida_util_meses", "residual_pct"),
        "As contas do patrimônio, com a vida útil e o valor residual de cada uma.",
    ),
)  # fmt: skip

_NOME = Campo("nome", dica="Até 120 caracteres.")
_ATIVO = Campo("ativo", "radio", grupos=SIM_NAO, dica="O que não está em uso continua nos registros antigos.")
_ENDERECO = (
    Campo("cep", "cep", "Como 01001-000.", opcional=True, largura="curta", botao="Buscar endereço pelo CEP"),
    Campo("logradouro", opcional=True),
    Campo("numero", opcional=True, largura="curta"),
    Campo("complemento", opcional=True, largura="media"),
    Campo("bairro", opcional=True, largura="media"),
    Campo("cidade", opcional=True, largura="media"),
    Campo("uf", "codigo", opcional=True, largura="curta"),
)
ENDERECO = frozenset(campo.nome for campo in _ENDERECO)
_CODIGO = "Use letras, algarismos, ponto e hífen, começando por letra ou algarismo; no máximo 20 caracteres."
_FIXOS = {
    "setor": (
        Campo("codigo", "codigo", "A sigla do setor, como SEMED.", largura="curta", formato=_CODIGO),
        _NOME,
        Campo("pai_id", "escolha", "A unidade de que este setor faz parte.", opcional=True),
        _ATIVO,
    ),
    "local": (Campo("setor_id", "escolha", "Não muda depois."), _NOME, _ATIVO, *_ENDERECO),
    "agente": (
        _NOME,
        Campo("matricula", "codigo", largura="curta", formato="Use letras, algarismos, ponto e hífen; no máximo 20."),
        Campo("cargo", opcional=True),
        Campo("setor_id", "escolha"),
        Campo("cpf", "documento", "Só é mostrado em parte.", opcional=True, largura="media"),
        _ATIVO,
    ),
    "classe": (
        Campo(
            "conta", dica="Como no plano de contas: 1.2.3.1.1.03.01.", largura="media",
            formato="Use de um a nove grupos de até três algarismos, separados por pontos, como 1.2.3.1.1.03.01.",
        ),
        _NOME,
        Campo("vida_util_meses", "inteiro", "De 1 a 1.200 meses.", largura="curta"),
        Campo("residual_pct", "decimal", "De 0 a 100, como 10 ou 12,5.", largura="curta"),
        Campo("depreciavel", "radio", grupos=SIM_NAO, dica="Terrenos e bens culturais não sofrem."),
        _ATIVO,
    ),
}  # fmt: skip


def campos(tipo: str, *, novo: bool) -> tuple[Campo, ...]:
    """The fields of one register, without choices; those of a row that exists lack what never changes."""
    return tuple(campo for campo in _FIXOS[tipo] if novo or (tipo, campo.nome) != ("local", "setor_id"))


async def secoes(
    ctx: Contexto, tipo: str, valores: dict[str, str], id_: UUID | None, *, botoes: bool
) -> tuple[Secao, ...]:
    """The fields with their choices; a setor is not offered as its own superior."""
    prontos = []
    for campo in campos(tipo, novo=id_ is None):
        grupos = campo.grupos
        if campo.tipo == "escolha":
            grupos = await escolhas.setores(ctx, valores.get(campo.nome, ""), exceto=str(id_))
        prontos.append(replace(campo, grupos=grupos, botao=campo.botao if botoes else ""))
    partes = {titulo: [c for c in prontos if (c.nome in ENDERECO) == bool(titulo)] for titulo in ("", "Endereço")}
    return tuple(Secao(titulo, tuple(parte)) for titulo, parte in partes.items() if parte)
