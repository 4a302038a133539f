"""Who may call at all: asked before a body is looked at, and shown in the documentation."""

from __future__ import annotations

from fastapi import Request
from fastapi.security import HTTPBearer

from sispat.web.porta import token_de

__all__ = ["Sessao"]


class Sessao(HTTPBearer):
    """Refuses a request without any session token; whose it is, and whether it still holds, the use case asks."""

    def __init__(self) -> None:
        super().__init__(scheme_name="Sessão", description="O `token` de POST /api/auth/login")

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Raise `NaoAutenticado` when neither cookie nor header brings a token."""
        token_de(request)
