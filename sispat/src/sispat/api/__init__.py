"""The JSON API: one file per resource, the same use cases as the pages."""

from __future__ import annotations

from fastapi import APIRouter

from sispat.api import auditoria, auth, cadastros, patrimonios

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api")
for _recurso in (auth, patrimonios, cadastros, auditoria):
    rotas.include_router(_recurso.rotas)
