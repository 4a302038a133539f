"""The limits of the service, and whose allowance a request uses.

Promises: a token counts as a person only after the database said whose it is; any other - missing, made up, ended -
counts by address, so that a false one buys nothing. What was said is remembered for a minute, for limits alone: the door
asks each time. While the database is away, or the service closed, nobody is counted, and nobody served.
"""

from __future__ import annotations

import time
from collections import OrderedDict

import psycopg
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from esteio import EsteioError
from esteio.maintenance import Maintenance
from esteio.postgres import Database
from esteio.web import Rule, by_address
from sispat.domain.erros import NaoAutenticado
from sispat.identity import tokens
from sispat.settings import Settings
from sispat.usecases import sessoes
from sispat.usecases.sessoes import Validade
from sispat.web.armazem import limite
from sispat.web.porta import token_de

__all__ = ["Identificacao", "Reconhecidas", "regras"]

_GRAVAM = ("POST", "PUT", "PATCH", "DELETE")
_RELATORIOS = ("/patrimonios.csv", "/api/patrimonios.csv")
_SAUDE = "/api/health"
_ENTRAR_E_SAIR = frozenset({"/entrar", "/sair", "/api/auth/login", "/api/auth/logout"})

_QUEM = "quem"  # in scope["state"]: a person's id; "" for nobody; missing where nobody knows
_LEMBRANCA = 60.0  # seconds
_LEMBRADAS = 10_000  # sessions
_PRAZO = 1.0  # seconds to wait for a connection; whoever waits longer is not counted

_endereco = by_address()  # the server has already resolved SISPAT_FORWARDED_ALLOW_IPS


def regras(settings: Settings) -> list[Rule]:
    """The limits that settings ask for, but those of signing in: they are in usecases.tentativas."""
    possiveis = [
        (settings.limit_global, "global", {"key": _anonimo, "paths": ["/api/*"], "exempt": _livre}),
        (settings.limit_user, "user", {"key": _pessoa, "paths": ["/api/*"], "exempt": _livre}),
        (settings.limit_write, "write", {"key": _pessoa, "methods": _GRAVAM, "exempt": _livre}),
        (settings.limit_report, "report", {"key": _pessoa, "methods": ["GET"], "paths": _RELATORIOS}),
    ]
    return [Rule(limit=limite(nome, cota), **opcoes) for cota, nome, opcoes in possiveis if cota is not None]  # type: ignore[arg-type]


def _pessoa(scope: Scope) -> str | None:
    return scope["state"].get(_QUEM) or None


def _anonimo(scope: Scope) -> str | None:
    return _endereco(scope) if scope["state"].get(_QUEM) == "" else None


def _livre(scope: Scope) -> bool:
    """Probes must always be answered, and signing in has limits of its own that count failures only."""
    caminho: str = scope["path"]
    return caminho in _ENTRAR_E_SAIR or caminho == _SAUDE or caminho.startswith(f"{_SAUDE}/")


class Reconhecidas:
    """Sessions that were found valid a moment ago: a bounded number, for a bounded time."""

    def __init__(self) -> None:
        self._pessoas: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def quem(self, resumo: bytes) -> str | None:
        """Whose session this is, or None where it has to be asked."""
        achada = self._pessoas.get(resumo)
        if achada is None:
            return None
        if achada[1] < time.monotonic():
            del self._pessoas[resumo]
            return None
        return achada[0]

    def lembrar(self, resumo: bytes, pessoa: str) -> None:
        """The session is this person's."""
        self._pessoas[resumo] = pessoa, time.monotonic() + _LEMBRANCA
        if len(self._pessoas) > _LEMBRADAS:
            self._pessoas.popitem(last=False)


class Identificacao:
    """ASGI middleware before the limits: writes down whose request this is, where a limit asks."""

    def __init__(self, app: ASGIApp, db: Database, validade: Validade, manutencao: Maintenance) -> None:
        self.app = app
        self._db = db
        self._manutencao = manutencao
        self._validade = validade
        self._reconhecidas = Reconhecidas()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify, then pass on."""
        if scope["type"] == "http" and _interessa(scope) and self._manutencao.state() is None:
            quem = await self._quem(scope)
            if quem is not None:
                scope["state"][_QUEM] = quem
        await self.app(scope, receive, send)

    async def _quem(self, scope: Scope) -> str | None:
        try:
            token, _ = token_de(HTTPConnection(scope))
        except NaoAutenticado:
            return ""
        resumo = tokens.hash_do_token(token)
        conhecida = self._reconhecidas.quem(resumo)
        return conhecida if conhecida is not None else await self._perguntar(token, resumo)

    async def _perguntar(self, token: str, resumo: bytes) -> str | None:
        try:
            async with self._db.connection(timeout=_PRAZO) as conn:
                acesso = await sessoes.quem(conn, token, self._validade)
        except NaoAutenticado:
            return ""
        except (EsteioError, psycopg.Error):
            return None
        pessoa = str(acesso.usuario_id)
        self._reconhecidas.lembrar(resumo, pessoa)
        return pessoa


def _interessa(scope: Scope) -> bool:
    caminho: str = scope["path"]
    return (caminho.startswith("/api/") or scope["method"] in _GRAVAM or caminho in _RELATORIOS) and not _livre(scope)
