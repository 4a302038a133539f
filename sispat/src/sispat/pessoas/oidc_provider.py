"""The provider that people may sign in with (OpenID Connect Core 1.0, authorization code with PKCE): asked, and believed.

Promises: what an answer says counts only with a signature by a key the provider publishes, an issuer and audience that are
ours, the nonce of this very sign-in and a time that is now; only asymmetric algorithms are taken. Whatever else comes
is `OidcRefused`; a provider that does not answer in time is `OidcUnavailable`. What it publishes is read anew once an hour,
and once a minute at most where a key is not known. This is the only file that knows the HTTP client and authlib.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from esteio.clock import SYSTEM, Clock
from sispat.kernel.errors import NotAuthenticated, SispatError
from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

__all__ = ["Attempted", "OidcProvider", "OidcRefused", "OidcUnavailable"]

_PATIENCE = 8.0  # seconds for all that is asked of the provider in one request of ours
_AT_ONCE = 20
_FRESH, _AGAIN = 3600.0, 60.0  # seconds
_LEEWAY = 60  # seconds that its clock may differ from ours
_ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384"]


class OidcRefused(NotAuthenticated):
    """The sign-in was broken off, or what came back is not to be believed; `why` is for the log."""

    code = "oidc-recusado"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(_("A entrada não pôde ser confirmada. Comece de novo, ou entre com a sua senha."))


class OidcUnavailable(SispatError):
    """The provider does not answer; `why` is for the log."""

    code = "oidc-indisponivel"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            _("O serviço que confirma quem você é não respondeu. Tente de novo em instantes, ou entre com a sua senha.")
        )


@dataclass(frozen=True, slots=True)
class Attempted:
    """A sign-in on its way: kept by the browser alone, so that only the browser that began it can end it."""

    state: str
    nonce: str
    verifier: str
    after: str

    @classmethod
    def begin(cls, after: str) -> Self:
        """A new one; `after` is where the person wants to get."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), after)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What `text` keeps, or None where it is none of ours."""
        try:
            values = json.loads(bytes.fromhex(text))
            kept = cls(**values)
        except (ValueError, TypeError):
            return None
        return kept if all(isinstance(value, str) and value for value in asdict(kept).values()) else None

    def text(self) -> str:
        """For the cookie."""
        return json.dumps(asdict(self)).encode().hex()

    def answers(self, state: str) -> bool:
        """Whether the provider sends back what it was given."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class _Published:
    """What the provider says of itself, and when it was read."""

    metadata: dict[str, Any]
    keys: KeySet
    at: float


class OidcProvider:
    """One per process; nothing is asked before somebody signs in."""

    def __init__(
        self, issuer: str, client_id: str, secret: str, scope: str = "openid email", clock: Clock = SYSTEM
    ) -> None:
        self._issuer, self._client_id, self._secret, self._scope = issuer.rstrip("/"), client_id, secret, scope
        self._clock = clock
        self._published: _Published | None = None
        self._reading = asyncio.Lock()  # one reads, the others take what it read
        self._turns = asyncio.Semaphore(_AT_ONCE)  # whoever makes up codes must not use up the provider, or our sockets

    async def address(self, attempted: Attempted, redirect_uri: str) -> str:
        """Where to send the browser."""
        published = await self._patiently(self._read(_FRESH))
        client = self._client(redirect_uri)
        url, _state = client.create_authorization_url(
            published.metadata["authorization_endpoint"],
            state=attempted.state, code_verifier=attempted.verifier, nonce=attempted.nonce,
        )  # fmt: skip
        return str(url)

    async def claims(self, attempted: Attempted, code: str, redirect_uri: str) -> dict[str, Any]:
        """Who it was, for the code that the browser brought back."""
        claims: dict[str, Any] = await self._patiently(self._exchange(attempted, code, redirect_uri))
        return claims

    async def _exchange(self, attempted: Attempted, code: str, redirect_uri: str) -> dict[str, Any]:
        published = await self._read(_FRESH)
        async with self._client(redirect_uri) as client:
            token = await client.fetch_token(
                published.metadata["token_endpoint"], grant_type="authorization_code", code=code,
                code_verifier=attempted.verifier,
            )  # fmt: skip
        if not isinstance(token.get("id_token"), str):
            raise OidcRefused("no id_token")
        try:
            return self._believed(published, token, attempted.nonce)
        except _unknown_key():
            return self._believed(await self._read(_AGAIN), token, attempted.nonce)

    def _believed(self, published: _Published, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt

        read = jwt.decode(token["id_token"], published.keys, algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            read.claims,
            read.header,
            options={
                "iss": {"essential": True, "value": published.metadata["issuer"]},
                "aud": {"essential": True, "value": self._client_id},
            },
            params={"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")},
        )
        claims.validate(now=int(self._clock.time()), leeway=_LEEWAY)
        return dict(claims)

    async def _read(self, age: float) -> _Published:
        """What it publishes, read again where that is older than `age`."""
        async with self._reading:
            if self._published is None or self._clock.monotonic() - self._published.at >= age:
                self._published = await self._fetch()
            return self._published

    async def _fetch(self) -> _Published:
        from joserfc.jwk import KeySet

        async with self._client("") as client:
            metadata = await _document(client, f"{self._issuer}/.well-known/openid-configuration")
            if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
                raise OidcUnavailable(f"it says that it is {metadata.get('issuer')!r}, not {self._issuer!r}")
            keys = KeySet.import_key_set(await _document(client, metadata["jwks_uri"]))  # type: ignore[arg-type]
        return _Published(metadata, keys, self._clock.monotonic())

    def _client(self, redirect_uri: str) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self._client_id, self._secret, scope=self._scope, redirect_uri=redirect_uri, code_challenge_method="S256",
            timeout=_PATIENCE, follow_redirects=False,
        )  # fmt: skip

    async def _patiently(self, asked: Any) -> Any:
        """What is asked, within our patience, and its errors as ours."""
        import httpx2
        from authlib.integrations.base_client import OAuthError
        from joserfc.errors import JoseError

        try:
            async with asyncio.timeout(_PATIENCE), self._turns:
                return await asked
        except (OAuthError, JoseError) as error:
            raise OidcRefused(f"{type(error).__name__}: {error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError, KeyError, ValueError) as error:
            raise OidcUnavailable(f"{type(error).__name__}: {error}") from error


async def _document(client: Any, url: str) -> dict[str, Any]:
    response = await client.request("GET", url, withhold_token=True)
    response.raise_for_status()
    document = response.json()
    if not isinstance(document, dict):
        raise ValueError(f"{url} is no JSON object")
    return document


def _unknown_key() -> type[Exception]:
    from joserfc.errors import InvalidKeyIdError

    return InvalidKeyIdError
