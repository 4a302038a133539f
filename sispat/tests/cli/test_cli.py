"""The commands as an operator meets them: what they print, how they fail, what they leave."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from processos import comando, pasta_de_dados, por_dentro

import sispat
from sispat.cli._data_lock import DataInUse, DataLock
from sispat.pessoas import passwords


def test_the_version_is_the_packages() -> None:
    assert comando("version").stdout == f"sispat {sispat.__version__}\n"


def test_settings_say_what_is_in_force_and_where_it_came_from() -> None:
    feito = por_dentro("settings", "--json", SISPAT_PORT="8123", DATABASE_URL="postgresql://u:segredo@h/b")
    assert feito.returncode == 0
    linhas = {linha["nome"]: linha for linha in json.loads(feito.stdout)}
    assert linhas["SISPAT_PORT"] == {"nome": "SISPAT_PORT", "valor": "8123", "origem": "ambiente", "reservada": False}
    assert linhas["DATABASE_URL"]["valor"] == "postgresql://u:***@h/b"
    assert linhas["SISPAT_WORKERS"]["origem"] == "padrão"


def test_settings_warn_of_a_name_nobody_reads() -> None:
    feito = por_dentro("settings", SISPAT_PROT="1")
    assert "SISPAT_PORT?" in feito.stderr
    assert "SISPAT_PORT=8000\t(padrão)" in feito.stdout


@pytest.mark.parametrize(
    ("variaveis", "trecho"),
    [
        ({"SISPAT_PORT": "oitenta"}, "SISPAT_PORT = “oitenta” (ambiente)"),
        ({"DATABASE_URL": "mysql://u:segredo@h/b"}, "DATABASE_URL = “***” (ambiente)"),
        ({"SISPAT_DATA_DIR": "/dev/null/dados"}, "/dev/null/dados"),
    ],
)
def test_a_start_that_cannot_be_says_why_in_one_block(variaveis: dict[str, str], trecho: str) -> None:
    feito = comando("serve", **({"SISPAT_PORT": "0"} | variaveis))
    assert feito.returncode == 1
    assert trecho in feito.stderr
    assert "segredo" not in feito.stderr
    assert "Traceback" not in feito.stderr


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in comando("--debug", "settings", SISPAT_PORT="x").stderr
    url = "postgresql://u@127.0.0.1:1/b"
    assert "Traceback" in comando("migrate", SISPAT_DEBUG="sim", DATABASE_URL=url).stderr


def test_a_wrong_command_line_is_exit_code_two() -> None:
    assert comando("serve", "--porta", "1").returncode == 2
    assert por_dentro("usuario", "criar", "--email", "a@b.c", "--nome", "A", "--papel", "rei").returncode == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "prefeitura.example"])
def test_the_demo_is_never_shown_to_a_network(host: str) -> None:
    feito = comando("serve", "--demo", "--host", host, "--port", "0")
    assert feito.returncode == 1
    assert host in feito.stderr


def test_migrate_says_what_it_did_and_does_it_once(postgres_database: str) -> None:
    primeira = por_dentro("migrate", DATABASE_URL=postgres_database)
    assert primeira.returncode == 0, primeira.stderr
    assert re.search(r"da versão vazia para a \d{4}", primeira.stdout)
    assert "já está em dia" in por_dentro("migrate", DATABASE_URL=postgres_database).stdout


def test_a_database_that_does_not_answer_is_one_line() -> None:
    feito = por_dentro("migrate", DATABASE_URL="postgresql://u:segredo@127.0.0.1:1/b")
    assert feito.returncode == 1
    assert "127.0.0.1" in feito.stderr
    assert "segredo" not in feito.stderr
    assert "Traceback" not in feito.stderr


def test_a_person_is_made_with_a_password_from_standard_input(postgres_database: str) -> None:
    argumentos = ("usuario", "criar", "--email", "Ana@prefeitura.br", "--nome", "Ana Souza", "--papel", "gestor")
    feito = por_dentro(*argumentos, entrada="uma senha longa\n", DATABASE_URL=postgres_database)
    assert feito.returncode == 0, feito.stderr
    assert "uma senha" not in feito.stdout + feito.stderr
    with psycopg.connect(postgres_database) as conn:
        linha = conn.execute("select email, nome, papel, senha_hash from usuario").fetchone()
        eventos = conn.execute("select acao, requisicao, depois::text from evento").fetchall()
    assert linha is not None
    assert linha[:3] == ("ana@prefeitura.br", "Ana Souza", "gestor")
    assert passwords.is_right("uma senha longa", linha[3])
    assert [evento[:2] for evento in eventos] == [("criar", "linha de comando")]
    assert "senha" not in eventos[0][2]

    outra = por_dentro(*argumentos, entrada="outra senha\n", DATABASE_URL=postgres_database)
    assert (outra.returncode, "ana@prefeitura.br" in outra.stderr) == (1, True)
    curta = por_dentro(
        "usuario", "senha", "--email", "ana@prefeitura.br", entrada="x\n", DATABASE_URL=postgres_database
    )
    assert (curta.returncode, "senha" in curta.stderr) == (1, True)


def test_a_changed_password_ends_the_sessions(cidade) -> None:  # type: ignore[no-untyped-def]
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            "insert into sessao (token_hash, usuario_id, expira_em) select sha256(email::bytea), id,"
            " now() + interval '1 hour' from usuario"
        )
    feito = por_dentro(
        "usuario", "senha", "--email", "gestor@demo.local", entrada="nova senha longa\n", DATABASE_URL=cidade.url
    )
    assert feito.returncode == 0, feito.stderr
    with psycopg.connect(cidade.conninfo) as conn:
        com_sessao = "select u.email from sessao s join usuario u on u.id = s.usuario_id"
        emails = {linha[0] for linha in conn.execute(com_sessao)}
        hash_ = conn.execute("select senha_hash from usuario where email = 'gestor@demo.local'").fetchone()
    assert "gestor@demo.local" not in emails
    assert "admin@demo.local" in emails
    assert hash_ is not None
    assert passwords.is_right("nova senha longa", hash_[0])


def test_an_unknown_person_or_setor_is_named(cidade) -> None:  # type: ignore[no-untyped-def]
    ninguem = por_dentro("usuario", "senha", "--email", "x@y.z", entrada="nova senha longa\n", DATABASE_URL=cidade.url)
    assert (ninguem.returncode, "x@y.z" in ninguem.stderr) == (1, True)
    argumentos = ("--email", "x@y.z", "--nome", "X", "--papel", "responsavel", "--setor", "NENHUM")
    setor = por_dentro("usuario", "criar", *argumentos, entrada="nova senha longa\n", DATABASE_URL=cidade.url)
    assert (setor.returncode, "NENHUM" in setor.stderr) == (1, True)


def test_a_data_directory_has_one_holder_and_the_lock_dies_with_it() -> None:
    with pasta_de_dados() as pasta:
        with DataLock(pasta) as trava:
            trava.note("postgresql:///sispat")
            with pytest.raises(DataInUse, match="processo") as erro, DataLock(pasta):
                pass
            assert erro.value.url == "postgresql:///sispat"
        with DataLock(pasta):
            pass


def test_the_report_shows_the_database_and_changes_nothing(postgres_database: str) -> None:
    por_dentro("migrate", DATABASE_URL=postgres_database)
    feito = por_dentro("banco", "relatorio", DATABASE_URL=postgres_database)
    assert feito.returncode == 0, feito.stderr
    assert "PostgreSQL 18" in feito.stdout
    assert "patrimonio: " in feito.stdout
    todo = json.loads(por_dentro("banco", "relatorio", "--json", DATABASE_URL=postgres_database).stdout)
    assert {"patrimonio", "setor", "usuario"} <= {tabela["name"] for tabela in todo["tables"]}
    assert todo["sessions"] == []
    fora = por_dentro("banco", "relatorio", DATABASE_URL="postgresql://u:segredo@127.0.0.1:1/b?pool_timeout=0.3")
    assert fora.returncode == 1
    assert "segredo" not in fora.stderr
    assert "Traceback" not in fora.stderr
