"""The JSON API: one file per resource, the same use cases as the pages."""

from __future__ import annotations

from fastapi import FastAPI

from sispat.api import auditoria, auth, bloqueios, cadastros, cep, patrimonios
from sispat.api.documentacao import documentar

__all__ = ["montar"]


def montar(aplicacao: FastAPI) -> None:
    """Add the API to the application.

    The routes are added one by one: an included router is matched at every level on the way down,
    which was measured to cost as much as a query.
    """
    for recurso in (patrimonios, auth, cadastros, auditoria, bloqueios, cep):
        aplicacao.router.routes.extend(recurso.rotas.routes)
    documentar(aplicacao)
