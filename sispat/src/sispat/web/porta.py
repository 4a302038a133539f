"""The door: every request that needs a person comes through `Atendimento`.

Promises: the session comes from the cookie or from `Authorization: Bearer`; one connection serves the
whole request and is given back however it ends; what is slow on it is told with the name of the route. While
the service is closed the door is too (`EmManutencao`). A request that may write is one transaction: an error
undoes it all, and when the answer to its COMMIT is lost, what became of it is looked up (`CommitUnknown` where
nobody knows). A write that was authorised by the cookie alone needs the CSRF token (form field or
`X-CSRF-Token`), because a browser sends cookies to whoever asks.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType

from starlette.requests import HTTPConnection, Request

from esteio.postgres import Database, tagged
from sispat.domain.erros import NaoAutenticado, PedidoForjado
from sispat.identity import tokens
from sispat.usecases import sessoes
from sispat.usecases.contexto import Contexto, Vez
from sispat.web.servico import Servico

__all__ = ["COOKIE", "Atendimento", "endereco_de", "id_da_requisicao", "rota_de", "servico_de", "token_de"]

COOKIE = "sispat_sessao"
_SEGUROS = frozenset({"GET", "HEAD", "OPTIONS"})


def servico_de(request: Request) -> Servico:
    """The process' own things."""
    servico: Servico = request.app.state.servico
    return servico


def id_da_requisicao(request: Request) -> str:
    """What logs and audit call this request."""
    return str(request.scope["state"]["request_id"])


def endereco_de(request: Request) -> str:
    """The client's address, as far as the server trusts its proxies."""
    return request.client.host if request.client else ""


def rota_de(request: Request) -> str:
    """Method and path pattern, such as `GET /api/patrimonios/{id}`: what a request asked for, but not of whom."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', '?')}"


def token_de(request: HTTPConnection) -> tuple[str, bool]:
    """The session token and whether a cookie brought it; raises `NaoAutenticado` where there is none."""
    esquema, _, valor = request.headers.get("authorization", "").partition(" ")
    if esquema.lower() == "bearer" and valor:
        return valor.strip(), False
    cookie = request.cookies.get(COOKIE)
    if cookie:
        return cookie, True
    raise NaoAutenticado


class Atendimento:
    """`async with Atendimento(request) as ctx:` - a connection (for what may write, a transaction) and whose request it is."""

    __slots__ = ("_conexao", "_csrf", "_nome", "_request", "_vez")

    def __init__(self, request: Request, csrf: str | None = None) -> None:
        self._request = request
        self._csrf = csrf
        self._conexao: AbstractAsyncContextManager[object] | None = None
        self._nome = tagged(rota_de(request))
        self._vez = Vez()

    async def __aenter__(self) -> Contexto:
        self._nome.__enter__()
        try:
            return await self._entrar()
        except BaseException:
            self._nome.__exit__()
            raise

    async def _entrar(self) -> Contexto:
        request = self._request
        servico = servico_de(request)
        servico.exigir_aberto()  # before the session: who has none should not be led to signing in now
        token, do_cookie = token_de(request)
        db: Database = servico.db
        escreve = request.method not in _SEGUROS
        emprestada = db.transaction() if escreve else db.connection()
        conn = await emprestada.__aenter__()
        try:
            acesso = await sessoes.quem(conn, token, servico.validade)
            # After the session: an expired one must lead to signing in, not to a complaint about CSRF.
            if do_cookie and escreve:
                csrf = self._csrf if self._csrf is not None else request.headers.get("x-csrf-token", "")
                if not tokens.csrf_confere(token, csrf):
                    raise PedidoForjado
        except BaseException as erro:
            await emprestada.__aexit__(type(erro), erro, erro.__traceback__)
            raise
        self._conexao = emprestada
        self._vez = Vez(servico.fila_de_numeros)
        return Contexto(conn, acesso, id_da_requisicao(request), self._vez)

    async def __aexit__(
        self, tipo: type[BaseException] | None, erro: BaseException | None, rastro: TracebackType | None
    ) -> None:
        assert self._conexao is not None
        try:
            await self._conexao.__aexit__(tipo, erro, rastro)
        finally:
            self._vez.devolver()
            self._nome.__exit__()
