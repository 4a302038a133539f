"""What a list is asked for, as the page shows it: fields, links that keep the rest, what is being filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from sispat.domain.erros import NaoEncontrado
from sispat.pages import _escolhas as escolhas
from sispat.pages import _rotulos
from sispat.pages._campos import Campo, opcoes
from sispat.usecases import cadastros
from sispat.usecases.contexto import Contexto

__all__ = ["TETO", "Busca", "filtros"]

TETO = 1000  # counted no further: "mais de 1.000"
_NOMES = ("q", "setor", "local", "classe", "agente", "situacao", "conservacao", "sort", "pagina")
_COLUNAS = {"numero": "Número", "descricao": "Descrição", "valor": "Valor", "data_aquisicao": "Aquisição"}


class Coluna(NamedTuple):
    """A heading that sorts."""

    rotulo: str
    endereco: str
    sentido: str  # as aria-sort says it, or empty


class Busca:
    """The parameters that are set."""

    def __init__(self, parametros: Mapping[str, str]) -> None:
        self.valores = {n: parametros[n] for n in _NOMES if parametros.get(n, "").strip()}

    @property
    def ordem(self) -> str:
        """The sort in force."""
        return self.valores.get("sort", "numero")

    @property
    def filtrada(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.valores.keys() - {"sort", "pagina"})

    @property
    def com_filtros(self) -> bool:
        """Whether more than words narrows the list."""
        return bool(self.valores.keys() - {"q", "sort", "pagina"})

    def endereco(self, caminho: str = "/patrimonios", **mudancas: str | None) -> str:
        """The list with `mudancas` (None takes a parameter away), from its first page unless they say otherwise."""
        valores = {n: v for n, v in {**self.valores, "pagina": None, **mudancas}.items() if v}
        return f"{caminho}?{urlencode(valores)}" if valores else caminho

    def coluna(self, nome: str) -> Coluna:
        """The heading of a column that can be sorted by."""
        crescente = self.ordem == nome
        atual = self.ordem.lstrip("-") == nome
        sentido = ("ascending" if crescente else "descending") if atual else ""
        return Coluna(_COLUNAS[nome], self.endereco(sort=f"-{nome}" if crescente else nome), sentido)


async def filtros(ctx: Contexto, valores: Mapping[str, str]) -> list[Campo]:
    """The fields of the filter; locais and agentes are offered once their setor is chosen."""
    setor = _uuid(valores.get("setor", ""))
    campos = [
        Campo("situacao", "escolha", grupos=opcoes(_rotulos.SITUACOES)),
        Campo("conservacao", "escolha", grupos=opcoes(_rotulos.CONSERVACOES)),
        Campo("classe", "escolha", grupos=await escolhas.classes(ctx, valores.get("classe", ""))),
        Campo("setor", "escolha", grupos=await escolhas.setores(ctx, valores.get("setor", ""))),
    ]
    for nome, oferecer in (("local", escolhas.locais), ("agente", escolhas.agentes)):
        atual = valores.get(nome, "")
        grupos = await oferecer(ctx, atual, setor) if setor else ()
        if id_ := _uuid(atual):
            with suppress(NaoEncontrado):
                grupos = escolhas.com_atual(grupos, atual, (await cadastros.obter(ctx, nome, id_))["nome"])
        campos.append(Campo(nome, "escolha", grupos=grupos, dica="" if setor else "Escolha antes o setor."))
    return campos


def _uuid(texto: str) -> UUID | None:
    try:
        return UUID(texto)
    except ValueError:
        return None
