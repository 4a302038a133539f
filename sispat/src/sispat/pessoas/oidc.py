"""Signing in with a provider (gov.br, or any other of OpenID Connect).

Promises: it opens a session only for an active person who is there already, found by what the provider vouches for - a
verified e-mail, or the CPF; nobody is made, and no password is asked for or changed. A second factor that the person has, or
whose role needs one, is asked for all the same. Attempts that failed are audited and limited as those with passwords are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from esteio.postgres import Database
from sispat.kernel import audit, tokens
from sispat.kernel.brazil import valid_cpf, without_separators
from sispat.kernel.errors import AccessEnded, NotAuthenticated
from sispat.kernel.i18n import _
from sispat.kernel.sessions import OpenedSession, Origin, SessionLifetime
from sispat.pessoas.attempts import AttemptGuard
from sispat.pessoas.oidc_provider import OidcRefused
from sispat.pessoas.sign_in import begin_session, lacking
from sispat.pessoas.sql import users
from sispat.pessoas.sql.users import Column

__all__ = ["entrar", "vouched"]


def vouched(claims: Mapping[str, Any], match: Column, claim: str) -> tuple[Column, str]:
    """The column and the value that the provider vouches for; raises `OidcRefused` where there is none to rely on."""
    value = claims.get(claim)
    if not isinstance(value, str) or not value:
        raise OidcRefused(f"no claim {claim!r}")
    if match == "cpf":
        cpf = without_separators(value)
        if not valid_cpf(cpf):
            raise OidcRefused(f"the claim {claim!r} is no CPF")
        return "cpf", cpf
    # Whoever may write any address into their account there would else be whoever has it here.
    if claims.get("email_verified") not in (True, "true"):
        raise OidcRefused("the e-mail is not verified")
    return "email", value.lower()


async def entrar(
    db: Database, guard: AttemptGuard, found: tuple[Column, str], lifetime: SessionLifetime, origin: Origin,
    need_second_factor: frozenset[str],
) -> OpenedSession:  # fmt: skip
    """Open a session for whom the provider vouched. Raises `NotAuthenticated`, `TooManyAttempts`."""
    column, value = found
    async with db.connection() as conn:
        attempt = await guard.begin(conn, value, origin.address, None)
        credential = await users.credential(conn, value, column)
    if credential is None or not credential.active:
        await _refused(db, value, credential and credential.usuario_id, origin)
        raise NotAuthenticated(
            _("Ninguém com acesso ao SISPAT tem estes dados. Peça a um administrador que os ponha no seu cadastro.")
        )
    if credential.ended is not None:
        await _refused(db, value, credential.usuario_id, origin)
        raise AccessEnded(credential.ended)
    await guard.forgive(attempt)
    missing, token = lacking(credential, need_second_factor), tokens.new_token()
    async with db.transaction() as conn:
        access = await begin_session(conn, token, credential, missing, lifetime, origin, by_provider=True)
        if access is None:  # retired between the two looks
            raise NotAuthenticated
        await audit.record(
            conn, actor=access.usuario_id, request_id=origin.request_id, entidade="usuario",
            entidade_id=access.usuario_id, acao="entrar_por_provedor",
        )  # fmt: skip
    return OpenedSession(token, access, "")


async def _refused(db: Database, value: str, usuario_id: UUID | None, origin: Origin) -> None:
    """Whom we do not know is kept as a digest."""
    nobody = UUID(bytes=hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()[:16])
    async with db.transaction() as conn:
        await audit.record(
            conn, actor=None, request_id=origin.request_id, entidade="usuario", entidade_id=usuario_id or nobody,
            acao="entrar_recusado", depois={"endereco": origin.address},
        )  # fmt: skip
