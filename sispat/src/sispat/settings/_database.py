"""The database: an address, or a server of our own."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from esteio.postgres import Dsn
from sispat.settings._readers import DURATION, read_dsn
from sispat.settings._types import Group, Seconds
from sispat.settings._variable import Variable

__all__ = ["DatabaseSettings"]


class DatabaseSettings(Group):
    """The database: an address, or a server of our own."""

    database_url: Annotated[
        Dsn | None,
        BeforeValidator(read_dsn),
        Variable(
            "DATABASE_URL",
            "Endereço do PostgreSQL. Sem ele, o SISPAT inicia um PostgreSQL próprio em SISPAT_DATA_DIR/postgres.",
            accepts="postgresql://usuario:senha@servidor:5432/banco, com os parâmetros connection_limit, "
            "pool_timeout (s), statement_timeout (ms) e os da libpq",
            default="PostgreSQL embutido",
            secret=True,
        ),
    ] = None
    database_app_url: Annotated[
        Dsn | None,
        BeforeValidator(read_dsn),
        Variable(
            "SISPAT_DATABASE_APP_URL",
            "Endereço com que os processos que atendem entram no mesmo banco, como um papel que só lê e grava (membro de "
            "sispat_app). Sem ele entram por DATABASE_URL, o dono das tabelas, e passam a sispat_app por SET ROLE. O "
            "PostgreSQL embutido o tem por si.",
            accepts="como DATABASE_URL",
            secret=True,
        ),
    ] = None
    pg_account: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$"),
        Variable(
            "SISPAT_PG_ACCOUNT",
            "Conta do sistema que roda o PostgreSQL embutido quando o SISPAT é iniciado como root.",
            accepts="o nome de uma conta do sistema que não seja root",
            default="uma conta sem privilégios",
        ),
    ] = None
    pg_timeout: Annotated[
        Seconds,
        Field(ge=2, le=600),
        Variable(
            "SISPAT_PG_TIMEOUT",
            "O PostgreSQL embutido que não responde no seu socket por este tempo é morto e substituído; o que foi "
            "confirmado fica. Não conta o tempo em que a máquina dormiu.",
            unit=DURATION,
        ),
    ] = 15.0
