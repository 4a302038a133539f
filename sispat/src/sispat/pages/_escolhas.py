"""The choices of the forms and filters about assets, from the registers.

Promises: what is retired can still be shown where it is the present value, and not be chosen anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sispat.pages._campos import Grupo, Opcao
from sispat.usecases import cadastros
from sispat.usecases.contexto import Contexto

__all__ = ["agentes", "classes", "com_atual", "locais", "setores"]


async def classes(ctx: Contexto, atual: str = "") -> tuple[Grupo, ...]:
    """Classes, by account."""
    linhas = _oferecidas(await cadastros.listar(ctx, "classe"), atual)
    return (Grupo("", tuple(Opcao(str(c["id"]), f"{c['nome']}{_retirado(c)}") for c in linhas)),)


async def setores(ctx: Contexto, atual: str = "", exceto: str = "") -> tuple[Grupo, ...]:
    """Setores, by code."""
    linhas = [s for s in _oferecidas(await cadastros.listar(ctx, "setor"), atual) if str(s["id"]) != exceto]
    return (Grupo("", tuple(Opcao(str(s["id"]), f"{s['codigo']} · {s['nome']}{_retirado(s)}") for s in linhas)),)


async def locais(ctx: Contexto, atual: str = "", setor_id: UUID | None = None) -> tuple[Grupo, ...]:
    """Locais, grouped by setor."""
    linhas = _oferecidas(await cadastros.listar(ctx, "local", setor_id=setor_id), atual)
    return await _por_setor(ctx, [(local, f"{local['nome']}{_retirado(local)}") for local in linhas])


async def agentes(ctx: Contexto, atual: str = "", setor_id: UUID | None = None) -> tuple[Grupo, ...]:
    """Agentes, grouped by setor."""
    linhas = _oferecidas(await cadastros.listar(ctx, "agente", setor_id=setor_id), atual)
    return await _por_setor(ctx, [(a, f"{a['nome']} ({a['matricula']}){_retirado(a)}") for a in linhas])


def com_atual(grupos: tuple[Grupo, ...], id_: str, rotulo: str) -> tuple[Grupo, ...]:
    """`grupos`, and the present value where it lies beyond the reach of who is choosing."""
    if any(opcao.valor == id_ for grupo in grupos for opcao in grupo.opcoes):
        return grupos
    return (Grupo("Atual", (Opcao(id_, rotulo),)), *grupos)


def _oferecidas(linhas: Iterable[dict[str, Any]], atual: str) -> list[dict[str, Any]]:
    return [linha for linha in linhas if linha["ativo"] or str(linha["id"]) == atual]


def _retirado(linha: dict[str, Any]) -> str:
    return "" if linha["ativo"] else " (inativo)"


async def _por_setor(ctx: Contexto, linhas: list[tuple[dict[str, Any], str]]) -> tuple[Grupo, ...]:
    grupos: dict[UUID, list[Opcao]] = {}
    for linha, rotulo in linhas:
        grupos.setdefault(linha["setor_id"], []).append(Opcao(str(linha["id"]), rotulo))
    nomes = await cadastros.nomes(ctx, list(grupos))
    return tuple(
        Grupo(nomes[setor], tuple(escolhas)) for setor, escolhas in sorted(grupos.items(), key=lambda g: nomes[g[0]])
    )
