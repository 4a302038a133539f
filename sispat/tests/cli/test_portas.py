"""As whom the processes enter the database, and that no public password is served to a network."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from processos import Service, comando, pasta_de_dados

from esteio.postgres import Dsn
from sispat.cli._safety_checks import PublicPasswords, UnsafeServiceRole, check_passwords, check_service_role
from sispat.http.service import Service as DoProcesso
from sispat.settings import Settings


@pytest.fixture
def papel(postgres_server, cidade: Dsn) -> Iterator[str]:
    """A login that is a member of sispat_app and no more."""
    nome = f"web_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_server.dsn().conninfo, autocommit=True) as conn:
        conn.execute(f"create role {nome} login in role sispat_app")
        yield nome
        conn.execute(f"drop role {nome}")


def test_a_login_that_is_only_a_member_passes_and_others_are_told_what_is_wrong(
    postgres_server, cidade: Dsn, papel: str
) -> None:
    check_service_role(cidade.with_(user=papel))
    with pytest.raises(UnsafeServiceRole, match=r"dono das tabelas.*create role .* in role sispat_app"):
        check_service_role(cidade)
    with psycopg.connect(postgres_server.dsn().conninfo, autocommit=True) as conn:
        conn.execute(f"revoke sispat_app from {papel}")
    with pytest.raises(UnsafeServiceRole, match="não é membro de sispat_app"):
        check_service_role(cidade.with_(user=papel))


async def test_with_a_login_of_their_own_processes_cannot_become_the_owner(cidade: Dsn, papel: str) -> None:
    settings = Settings(database_url=cidade, database_app_url=cidade.with_(user=papel))
    async with DoProcesso.build(settings).db as db:
        assert await db.fetch_value("select session_user = current_user and session_user = %s", [papel])
        for injetado in ("set role postgres", "set session authorization postgres", "delete from evento"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await db.execute(injetado)
        assert await db.fetch_value("select count(*) from patrimonio") == 300


def test_public_passwords_are_found_until_each_is_changed(cidade: Dsn) -> None:
    with pytest.raises(PublicPasswords, match=r"admin@demo\.local.*usuario senha.*127\.0\.0\.1"):
        check_passwords(cidade, "0.0.0.0")
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update usuario set senha_hash = 'outra' where email <> 'gestor@demo.local'")
    with pytest.raises(PublicPasswords) as erro:
        check_passwords(cidade, "0.0.0.0")
    assert erro.value.emails == ("gestor@demo.local",)
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update usuario set senha_hash = 'outra'")
    check_passwords(cidade, "0.0.0.0")


def test_a_demo_is_not_served_to_the_network_by_a_later_start(cidade: Dsn) -> None:
    r = comando("serve", "--port", "0", "--host", "0.0.0.0", DATABASE_URL=cidade.url, SISPAT_BACKUP="não")
    assert r.returncode == 1
    assert "senha que todos conhecem" in r.stderr
    assert "Traceback" not in r.stderr


@pytest.mark.fault
@pytest.mark.untimed
def test_workers_of_the_embedded_server_log_in_as_their_role() -> None:
    with pasta_de_dados() as pasta, Service("--workers", "1", SISPAT_DATA_DIR=str(pasta)) as servico:
        servico.pronto()
        (url,) = {
            p.environ()["SISPAT_DATABASE_APP_URL"] for p in servico.descendentes() if "spawn" in " ".join(p.cmdline())
        } or {""}
        with psycopg.connect(Dsn.parse(url).conninfo, autocommit=True) as conn:
            assert conn.execute("select session_user").fetchone() == ("sispat_app",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("set role sispat")
            sessoes = conn.execute(
                "select distinct usename from pg_stat_activity where application_name like 'sispat w%'"
            ).fetchall()
        assert sessoes == [("sispat_app",)]
        assert "SET ROLE" not in servico.saida
