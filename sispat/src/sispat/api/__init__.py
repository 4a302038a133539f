"""The JSON API: one file per resource, the same use cases as the pages."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from sispat.api import auditoria, auth, cadastros, patrimonios
from sispat.api.seguranca import Sessao

__all__ = ["rotas"]

rotas = APIRouter(prefix="/api")
rotas.include_router(auth.rotas)  # the only ones that answer without a session, and only for /login
for _recurso in (patrimonios, cadastros, auditoria):
    rotas.include_router(_recurso.rotas, dependencies=[Depends(Sessao())])
