"""People, as the application sees them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from psycopg import AsyncConnection

from esteio.limit.headers import PROBLEM_TYPE, exhausted_field, policy_field
from sispat.http.errors import Problem
from sispat.http.limit_store import limit
from sispat.http.service import Service
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.errors import SispatError
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import _, lazy
from sispat.pessoas import accounts, keys, rules
from sispat.pessoas.attempts import AttemptGuard, TooManyAttempts
from sispat.pessoas.fields import (
    BLOQUEIO,
    CHAVE,
    USUARIO,
    Codigo,
    Credenciais,
    ListaDeChaves,
    ListaDeUsuarios,
    NovaChave,
    TrocaDaPropriaSenha,
)
from sispat.pessoas.oidc_provider import OidcProvider, OidcRefused, OidcUnavailable
from sispat.pessoas.routes import route
from sispat.pessoas.sql import bloqueios

__all__ = ["SLICE"]


def _too_many(error: TooManyAttempts) -> Problem:
    return Problem(
        429, error.code, _("Muitas tentativas"), error.message,
        extras={"violated-policies": [each.name for each in error.limits], "retry-after": error.wait},
        headers={
            "Retry-After": str(error.wait),
            "RateLimit-Policy": ", ".join(map(policy_field, error.limits)),
            "RateLimit": ", ".join(exhausted_field(each, error.wait) for each in error.limits),
        },
        type_=PROBLEM_TYPE,
    )  # fmt: skip


def _away(error: OidcUnavailable) -> Problem:
    return Problem(503, error.code, _("Serviço indisponível"), error.message, headers={"Retry-After": "10"})


def _refused_there(error: OidcRefused) -> Problem:
    return Problem(401, error.code, _("Entrada não confirmada"), error.message)


def _guard(service: Service) -> AttemptGuard:
    settings = service.settings
    return AttemptGuard(
        service.limiter, limit("auth", settings.limit_auth), limit("auth-address", settings.limit_auth_address)
    )


class ExtraMissing(SispatError):
    """The settings name a provider, and what it is asked with is not installed."""

    code = "falta-authlib"

    def __init__(self) -> None:
        super().__init__(_("SISPAT_OIDC_ISSUER quer o extra: instale `sispat[oidc]`, ou retire a configuração."))


def _provider(service: Service) -> OidcProvider | None:
    settings = service.settings
    if not settings.oidc_issuer:
        return None
    if find_spec("authlib") is None:
        raise ExtraMissing
    secret = settings.oidc_client_secret.get_secret_value()
    return OidcProvider(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_scope)


async def _clean_up(conn: AsyncConnection[Any]) -> None:
    await bloqueios.remove_ended(conn)
    await accounts.terminar_acessos(conn)


SLICE = Slice(
    name="pessoas",
    routes=route,
    menu=[
        MenuEntry(85, "/usuarios", lazy("Usuários"), rules.USUARIO_VER),
        MenuEntry(87, "/chaves", lazy("Chaves da API"), rules.CHAVE_VER),
        MenuEntry(90, "/bloqueios", lazy("Bloqueios"), rules.BLOQUEIO_VER),
    ],
    actions=rules.ACTIONS,
    constraints=accounts.CONSTRAINTS,
    entities=[USUARIO, BLOQUEIO, CHAVE],
    labels={
        **labels_of(Codigo, Credenciais, TrocaDaPropriaSenha, ListaDeUsuarios, ListaDeChaves, NovaChave),
        "sessoes": lazy("Sessões encerradas"),
    },
    verbs={
        "entrar": lazy("Entrou"),
        "entrar_recusado": lazy("Não conseguiu entrar"),
        "entrar_por_provedor": lazy("Entrou, confirmado por outro serviço"),
        "sair": lazy("Saiu"),
        "liberar": lazy("Liberou"),
        "trocar_senha": lazy("Trocou a senha"),
        "gerar_senha": lazy("Gerou senha provisória"),
        "desativar": lazy("Desativou"),
        "reativar": lazy("Reativou"),
        "encerrar_sessao": lazy("Encerrou uma sessão"),
        "encerrar_sessoes": lazy("Encerrou as sessões"),
        "entrar_com_senha": lazy("Informou a senha"),
        "confirmar_codigo": lazy("Entrou, com o código do segundo fator"),
        "usar_codigo_de_recuperacao": lazy("Entrou, com um código de recuperação"),
        "ativar_segundo_fator": lazy("Ativou o segundo fator"),
        "retirar_segundo_fator": lazy("Retirou o segundo fator"),
        "revogar": lazy("Revogou"),
        "terminar_acesso": lazy("O acesso terminou"),
        "usar_chave_recusada": lazy("Usou uma chave que não vale mais"),
    },
    notices={
        "liberado": lazy("Bloqueio encerrado: já é possível tentar entrar de novo."),
        "usuario_criado": lazy("Usuário cadastrado. Gere agora a senha do primeiro acesso e entregue-a à pessoa."),
        "integracao_criada": lazy("Integração cadastrada. Crie agora a chave com que ela entra."),
        "chave_revogada": lazy("Chave revogada: ela não abre mais nada."),
        "usuario_salvo": lazy("Alterações gravadas."),
        "desativado": lazy("Usuário desativado: as sessões dele terminaram e ele não pode mais entrar."),
        "reativado": lazy("Usuário reativado: ele pode entrar de novo, com a senha que tinha."),
        "sessao_encerrada": lazy("Sessão encerrada."),
        "sessoes_encerradas": lazy("Sessões encerradas."),
        "fator_retirado": lazy("Segundo fator retirado; as sessões da pessoa terminaram."),
        "senha_trocada": lazy("Senha trocada. As outras sessões da sua conta terminaram."),
    },
    uncounted=["/entrar", "/sair", "/api/auth/login", "/api/auth/logout"],
    problems={TooManyAttempts: _too_many, OidcRefused: _refused_there, OidcUnavailable: _away},
    names=keys.nomes,
    resources=[_guard, _provider],
    cleanup=_clean_up,
)
