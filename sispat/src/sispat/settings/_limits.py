"""How many requests are taken from whom, and where they are counted."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from sispat.settings._readers import QUOTA, Quota, read_redis
from sispat.settings._types import OR_NO, Group, Limit, LimitOrNo
from sispat.settings._variable import Variable

__all__ = ["LimitSettings"]


class LimitSettings(Group):
    """How many requests are taken from whom, and where they are counted."""

    redis_url: Annotated[
        SecretStr | None,
        BeforeValidator(read_redis),
        Variable(
            "REDIS_URL",
            "Endereço do Redis, para limites de requisições comuns a todas as máquinas. Sem ele, cada máquina conta os "
            "seus; enquanto ele não responde, cada processo permite a sua parte.",
            accepts="redis://, rediss:// (TLS), unix://, redis+sentinel://um:26379,outro:26379/servico ou redis+cluster://",
            secret=True,
        ),
    ] = None
    redis_password: Annotated[
        SecretStr | None,
        Variable(
            "REDIS_PASSWORD", "Senha do Redis, se não estiver em REDIS_URL.", accepts="qualquer texto", secret=True
        ),
    ] = None
    limit_global: Annotated[
        LimitOrNo,
        Variable(
            "SISPAT_LIMIT_GLOBAL",
            "Pedidos à API sem sessão válida, por endereço; telas, arquivos e /api/health não contam.",
            unit=QUOTA,
            accepts=OR_NO,
        ),
    ] = Quota(100, 900.0)
    limit_user: Annotated[
        LimitOrNo,
        Variable("SISPAT_LIMIT_USER", "Pedidos à API de uma pessoa que entrou, por pessoa.", unit=QUOTA, accepts=OR_NO),
    ] = Quota(90_000, 900.0)
    limit_key: Annotated[
        LimitOrNo,
        Variable(
            "SISPAT_LIMIT_KEY",
            "Pedidos à API de uma integração, por chave; as gravações e exportações dela contam também por chave.",
            unit=QUOTA,
            accepts=OR_NO,
        ),
    ] = Quota(9_000, 900.0)
    limit_auth: Annotated[
        Limit,
        Variable(
            "SISPAT_LIMIT_AUTH",
            "Tentativas de entrar que falham, por conta; um navegador em que a pessoa já entrou tem as suas à parte.",
            unit=QUOTA,
        ),
    ] = Quota(5, 900.0)
    limit_auth_address: Annotated[
        Limit,
        Variable(
            "SISPAT_LIMIT_AUTH_ADDRESS",
            "Tentativas de entrar que falham, por endereço: uma prefeitura inteira pode estar atrás de um só.",
            unit=QUOTA,
        ),
    ] = Quota(100, 900.0)
    limit_write: Annotated[
        LimitOrNo,
        Variable(
            "SISPAT_LIMIT_WRITE",
            "Gravações (POST, PUT, PATCH, DELETE), por pessoa; um lote de bens iguais é uma só.",
            unit=QUOTA,
            accepts=OR_NO,
        ),
    ] = Quota(30, 60.0)
    limit_upload: Annotated[
        LimitOrNo,
        Variable(
            "SISPAT_LIMIT_UPLOAD",
            "Envios de arquivos, por pessoa; vários arquivos no mesmo envio contam uma vez.",
            unit=QUOTA,
            accepts=OR_NO,
        ),
    ] = Quota(10, 3600.0)
    limit_report: Annotated[
        LimitOrNo,
        Variable("SISPAT_LIMIT_REPORT", "Relatórios e exportações (CSV), por pessoa.", unit=QUOTA, accepts=OR_NO),
    ] = Quota(20, 3600.0)
