"""Server-rendered screens, in Portuguese, working without JavaScript.

Promises: every screen goes through `Atendimento` except those of `PUBLICAS`, here in one place; the use cases decide
what a role may do. Errors are pages that help, and keep what was typed.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from sispat.pages import _estaticos
from sispat.pages.auditoria import rotas as auditoria
from sispat.pages.bloqueios import rotas as bloqueios
from sispat.pages.cadastros import rotas as cadastros
from sispat.pages.entrada import rotas as entrada
from sispat.pages.erro.pagina import pagina_de_erro
from sispat.pages.painel import rotas as painel
from sispat.pages.patrimonios import rotas as patrimonios

__all__ = ["PUBLICAS", "montar", "pagina_de_erro"]

# What anybody may ask for. Leaving needs no session that still lives, only the form of our own page.
PUBLICAS = frozenset({"/entrar", "/sair", "/static/{resumo}/{nome}"})


def montar(aplicacao: FastAPI) -> None:
    """Add the screens to the application."""
    rotas = APIRouter(include_in_schema=False)
    for tela in (_estaticos, entrada, painel, patrimonios, cadastros, auditoria, bloqueios):
        rotas.include_router(tela.rotas)
    aplicacao.include_router(rotas)
