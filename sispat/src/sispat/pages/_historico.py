"""The audit in people's words.

Promises: what a record refers to is named, not numbered; a field that did not change is not shown; what was
removed meanwhile is shown by its key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sispat.pages import _formatos, _rotulos
from sispat.usecases import cadastros
from sispat.usecases.contexto import Contexto

__all__ = ["Mudanca", "Registro", "legivel"]

_REFERENCIAS = frozenset({"classe_id", "setor_id", "local_id", "agente_id", "pai_id"})
_INTERNOS = frozenset({"id", "versao", "criado_em", "atualizado_em"})
_TELAS = {"patrimonio": "patrimonios", "setor": "setores", "local": "locais", "agente": "agentes", "classe": "classes"}
_POSICAO = {campo: posicao for posicao, campo in enumerate(_rotulos.CAMPOS)}
_LISTAS = {"situacao": _rotulos.SITUACOES, "conservacao": _rotulos.CONSERVACOES, "posse": _rotulos.POSSES}


class Mudanca(NamedTuple):
    """One field, before and after, as people read it."""

    campo: str
    antes: str
    depois: str


@dataclass(frozen=True, slots=True)
class Registro:
    """One record: who did what to what, when, in which request. `endereco` is empty where there is no page for it."""

    id: int
    em: dt.datetime
    ator: str
    acao: str
    entidade: str
    endereco: str
    nome: str
    requisicao: str
    criacao: bool
    mudancas: list[Mudanca]


async def legivel(ctx: Contexto, eventos: Iterable[dict[str, Any]]) -> list[Registro]:
    """`eventos`, in their order."""
    eventos = list(eventos)
    lados = [evento[lado] or {} for evento in eventos for lado in ("antes", "depois")]
    ids = {valor for lado in lados for campo, valor in lado.items() if campo in _REFERENCIAS and valor}
    nomes = await cadastros.nomes(ctx, [UUID(id_) for id_ in ids])
    return [_registro(evento, nomes) for evento in eventos]


def _registro(evento: dict[str, Any], nomes: dict[UUID, str]) -> Registro:
    antes, depois = evento["antes"] or {}, evento["depois"] or {}
    tela = _TELAS.get(evento["entidade"], "") if evento["acao"] != "excluir" else ""
    mudancas = [
        Mudanca(_rotulos.CAMPOS.get(campo, campo), _valor(campo, antes.get(campo), nomes), _valor(campo, valor, nomes))
        for campo, valor in sorted((depois or dict.fromkeys(antes)).items(), key=_ordem)
        if campo not in _INTERNOS and antes.get(campo) != valor and (antes.get(campo) or valor) not in (None, "")
    ]
    return Registro(
        id=evento["id"],
        em=evento["em"],
        ator=evento["ator"],
        acao=_rotulos.ACOES.get(evento["acao"], evento["acao"]),
        entidade=_rotulos.ENTIDADES.get(evento["entidade"], evento["entidade"]),
        endereco=f"/{tela}/{evento['entidade_id']}" if tela else "",
        nome=_nome(evento["entidade"], antes | depois),
        requisicao=evento["requisicao"],
        criacao=evento["antes"] is None,
        mudancas=mudancas,
    )


def _ordem(par: tuple[str, Any]) -> int:
    """Fields in the order of the forms; the unknown last."""
    return _POSICAO.get(par[0], len(_POSICAO))


def _nome(entidade: str, valores: dict[str, Any]) -> str:
    if entidade == "patrimonio" and "numero" in valores:
        return _formatos.numero_do_bem(valores["numero"])
    return str(valores.get("nome") or "")


def _valor(campo: str, valor: Any, nomes: dict[UUID, str]) -> str:
    if valor is None or valor == "":
        return _formatos.VAZIO
    if isinstance(valor, bool):
        return "Sim" if valor else "Não"
    if campo in _REFERENCIAS:
        return nomes.get(UUID(valor), str(valor))
    if campo in _LISTAS:
        return _LISTAS[campo].get(valor, str(valor))
    if campo == "valor":
        return f"R$ {_formatos.moeda(valor)}"
    if campo == "fornecedor_doc":
        return _formatos.documento(valor)
    if campo == "cep":
        return _formatos.cep(valor)
    return _formatos.data(valor) if campo.startswith("data_") else str(valor)
