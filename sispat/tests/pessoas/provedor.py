"""An OpenID Connect provider of our own, on loopback: authlib's server, which checks the client, the code and PKCE itself."""

from __future__ import annotations

import base64
import json
import threading
from types import TracebackType
from typing import Any, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, abort, jsonify, request
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "sispat", "segredo de teste"
_KEYS = [RSAKey.generate_key(2048, {"kid": f"k{n}", "use": "sig"}) for n in range(2)]


class _Client(ClientMixin):  # type: ignore[misc]
    def __init__(self, redirect_uris: list[str]) -> None:
        self.redirect_uris = redirect_uris

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method, endpoint) == ("client_secret_basic", "token")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _Code(AuthorizationCodeMixin):  # type: ignore[misc]
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    get_acr = get_amr = get_auth_time


class Provedor:
    """`pessoa` is who is signed in there: claims, which may also replace those of the token. Falsehoods are asked for by
    `chave` (which of two keys signs; only `publicadas` are told), `algoritmo`, `fora` (no answer but 500).
    """

    def __init__(self, redirect_uri: str) -> None:
        self.pessoa: dict[str, Any] = {}
        self.algoritmo, self.chave, self.publicadas, self.fora = "RS256", 0, [0], False
        self.pedidos: list[str] = []
        self.codigos: dict[str, _Code] = {}
        app = Flask(__name__)
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        server = AuthorizationServer(
            app, query_client=lambda _: _Client([redirect_uri]), save_token=lambda token, asked: None
        )
        server.register_grant(_grant(self), [_id_token(self)(require_nonce=True), CodeChallenge(required=True)])

        @app.before_request
        def seen() -> None:
            self.pedidos.append(request.path)
            if self.fora:
                abort(500)

        @app.get("/.well-known/openid-configuration")
        def metadata() -> Response:
            return jsonify(
                issuer=self.url, authorization_endpoint=f"{self.url}/authorize", token_endpoint=f"{self.url}/token",
                jwks_uri=f"{self.url}/keys",
            )  # fmt: skip

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(keys=[_KEYS[n].as_dict(private=False) for n in self.publicadas])

        @app.get("/authorize")
        def authorize() -> Response:
            grant = server.get_consent_grant(end_user=self.pessoa)
            return server.create_authorization_response(grant_user=self.pessoa, grant=grant)

        @app.post("/token")
        def token() -> Response:
            return server.create_token_response()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _grant(provedor: Provedor) -> type:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        def save_authorization_code(self, code: str, asked: Any) -> None:
            data = asked.payload.data
            provedor.codigos[code] = _Code(
                code=code, redirect_uri=asked.payload.redirect_uri, scope=asked.payload.scope, nonce=data.get("nonce"),
                code_challenge=data.get("code_challenge"), code_challenge_method=data.get("code_challenge_method"),
            )  # fmt: skip

        def query_authorization_code(self, code: str, client: Any) -> _Code | None:
            return provedor.codigos.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            del provedor.codigos[authorization_code.code]

        def authenticate_user(self, authorization_code: _Code) -> dict[str, Any]:
            return provedor.pessoa

    return Grant


def _id_token(provedor: Provedor) -> type:
    class IdToken(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return any(code.nonce == nonce for code in provedor.codigos.values())

        def resolve_client_private_key(self, client: Any) -> RSAKey:
            return _KEYS[provedor.chave]

        def encode_id_token(self, token: dict[str, Any], asked: Any) -> str:
            signed = str(super().encode_id_token(token, asked))
            if provedor.algoritmo == "RS256":
                return signed
            header = json.dumps({"alg": provedor.algoritmo}).encode()
            return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{signed.split('.')[1]}."

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": provedor.url, "aud": [CLIENT], "sub": "1"}

        def get_encode_header(self, client: Any) -> dict[str, Any]:
            return {"alg": "RS256", "kid": f"k{provedor.chave}"}

        def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
            return user

    return IdToken
