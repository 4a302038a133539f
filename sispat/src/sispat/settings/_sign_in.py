"""Sessions, the second factor, and the sign-in with a provider."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from sispat.kernel.i18n import _
from sispat.settings._readers import DURATION, read_roles, read_secrets, read_url_or_no
from sispat.settings._types import Group, Seconds, auto_yes_or_no
from sispat.settings._variable import Variable

__all__ = ["SignInSettings"]


def _read_issuer(value: object) -> str | None:
    """An address that nobody on the way reads along: TLS, or this machine."""
    issuer: str | None = read_url_or_no("https", "http")(value)
    if issuer is not None:
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(_("http:// só em 127.0.0.1 e localhost"))
    return issuer


class SignInSettings(Group):
    """Sessions, the second factor, and the sign-in with a provider."""

    session_idle: Annotated[
        Seconds,
        Field(ge=60, le=7 * 86400),
        Variable(
            "SISPAT_SESSION_IDLE",
            "Sem uso por este tempo, a sessão termina. No máximo SISPAT_SESSION_MAX.",
            unit=DURATION,
        ),
    ] = 8 * 3600.0
    session_max: Annotated[
        Seconds,
        Field(ge=300, le=30 * 86400),
        Variable("SISPAT_SESSION_MAX", "Depois deste tempo a sessão termina, mesmo em uso.", unit=DURATION),
    ] = 24 * 3600.0
    secure_cookies: Annotated[
        Literal["auto", "sim", "não"],
        BeforeValidator(auto_yes_or_no),
        Variable(
            "SISPAT_SECURE_COOKIES",
            "Se o cookie da sessão só viaja por HTTPS; auto: sim quando o pedido chegou por HTTPS.",
            accepts="auto, sim ou não",
        ),
    ] = "auto"
    second_factor: Annotated[
        str,
        BeforeValidator(read_roles),
        Variable(
            "SISPAT_SECOND_FACTOR",
            "Papéis que só entram com um segundo fator (código no celular); os outros podem cadastrar um.",
            accepts="papéis separados por vírgulas: administrador, gestor, responsavel, consulta, auditor; não para nenhum",
        ),
    ] = "não"
    secret: Annotated[
        SecretStr | None,
        BeforeValidator(read_secrets),
        Variable(
            "SISPAT_SECRET",
            "Com que se cifram as chaves dos segundos fatores no banco; a mesma em todas as máquinas. Sem ela ficam como "
            "são. Para trocá-la: a nova, uma vírgula, a antiga; depois `sispat usuario recifrar` e só a nova.",
            accepts="pelo menos 32 caracteres ao acaso (`openssl rand -base64 32`), ou mais de uma, separadas por vírgulas",
            secret=True,
        ),
    ] = None
    provisional_password: Annotated[
        Seconds,
        Field(ge=3600, le=90 * 86400),
        Variable(
            "SISPAT_PROVISIONAL_PASSWORD",
            "Por quanto tempo uma senha provisória serve para entrar pela primeira vez.",
            unit=DURATION,
        ),
    ] = 7 * 86400.0
    oidc_issuer: Annotated[
        str | None,
        BeforeValidator(_read_issuer),
        Variable(
            "SISPAT_OIDC_ISSUER",
            "Quem mais confirma quem entra, por OpenID Connect (o gov.br ou outro); quer o extra `sispat[oidc]`. Só entra "
            "quem já tem cadastro ativo.",
            accepts="o endereço do emissor, https:// (http:// só em 127.0.0.1 e localhost), ou não",
            default="ninguém: só a senha",
        ),
    ] = None
    oidc_client_id: Annotated[
        str, Variable("SISPAT_OIDC_CLIENT_ID", "Com que nome o SISPAT está registrado lá.", accepts="qualquer texto")
    ] = ""
    oidc_client_secret: Annotated[
        SecretStr,
        Variable("SISPAT_OIDC_CLIENT_SECRET", "O segredo desse registro.", accepts="qualquer texto", secret=True),
    ] = SecretStr("")
    oidc_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=60),
        Variable("SISPAT_OIDC_NAME", "Como as telas o chamam: Entrar com ...", accepts="de 1 a 60 letras"),
    ] = "gov.br"
    oidc_match: Annotated[
        Literal["email", "cpf"],
        Variable(
            "SISPAT_OIDC_MATCH",
            "Por que se acha a pessoa: o e-mail, se ele o dá por verificado, ou o CPF do cadastro de usuários.",
            accepts="email ou cpf",
        ),
    ] = "email"
    oidc_claim: Annotated[
        str,
        StringConstraints(pattern=r"^[\w.:/-]{1,100}$"),
        Variable(
            "SISPAT_OIDC_CLAIM", "A declaração (claim) que o traz; no gov.br o CPF está em sub.", accepts="um nome"
        ),
    ] = "email"
    oidc_scope: Annotated[
        str,
        StringConstraints(pattern=r"^openid( [\w.:/-]+)*$"),
        Variable("SISPAT_OIDC_SCOPE", "O que se pede a ele.", accepts="openid, e mais nomes separados por espaços"),
    ] = "openid email"

    @model_validator(mode="after")
    def _idle_fits_into_max(self) -> Self:
        if self.session_idle > self.session_max:
            raise ValueError("SISPAT_SESSION_IDLE")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys of SISPAT_SECRET, the one in force first."""
        return tuple(self.secret.get_secret_value().split(",")) if self.secret else ()
