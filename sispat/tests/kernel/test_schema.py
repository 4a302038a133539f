"""The schema: migrated once, all or nothing; what the application's role may and may not do."""

import re
import shutil
import threading
from pathlib import Path

import psycopg
import pytest

from esteio.postgres import Database, Dsn
from sispat.app import SLICES, create_app
from sispat.http.service import DATABASE_ROLE, MigrationUnsuccessful
from sispat.http.slices import Site
from sispat.kernel import schema
from sispat.settings import Settings


@pytest.fixture
def vazio(postgres_server) -> Dsn:
    nome = f"vazio_{id(object())}"
    yield postgres_server.create_database(nome)
    postgres_server.drop_database(nome)


async def test_an_empty_database_is_behind_and_after_migrating_it_is_not(vazio: Dsn) -> None:
    async with Database(vazio) as db:
        assert not await schema.is_current(db)
        assert schema.migrate(vazio) == ("", schema.expected_version())
        assert await schema.is_current(db)
    assert schema.migrate(vazio) == (schema.expected_version(), schema.expected_version())


def test_of_two_that_start_at_once_one_migrates_and_the_other_waits(vazio: Dsn) -> None:
    feitas: list[object] = []

    def migrar() -> None:
        try:
            feitas.append(schema.migrate(vazio)[0])
        except Exception as erro:  # noqa: BLE001 - told to the assertion below
            feitas.append(erro)

    dois = [threading.Thread(target=migrar) for _ in range(2)]
    for um in dois:
        um.start()
    for um in dois:
        um.join()
    assert sorted(map(str, feitas)) == ["", schema.expected_version()]


def test_a_migration_that_fails_half_way_leaves_nothing_of_itself_and_what_came_before(
    vazio: Dsn, tmp_path: Path
) -> None:
    pasta = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, pasta)
    (pasta / "versions/0999_quebrada.py").write_text(
        "from sispat.migrations import executar\n"
        f"revision, down_revision = '0999', '{schema.expected_version()}'\n"
        "def upgrade():\n    executar('create table antes (a int); select 1/0')\n"
    )
    with pytest.raises(schema.MigrationFailed, match="division by zero") as erro:
        schema.migrate(vazio, pasta)
    assert "desfeita" in erro.value.message
    assert (erro.value.de, erro.value.reached) == ("", schema.expected_version())
    with psycopg.connect(vazio.conninfo) as conn:
        assert conn.execute("select to_regclass('antes')").fetchone() == (None,)
        assert conn.execute("select version_num from alembic_version").fetchall() == [(schema.expected_version(),)]
    assert schema.migrate(vazio)[1] == schema.expected_version()


def test_an_index_is_built_beside_who_writes_and_again_after_an_interruption(vazio: Dsn, tmp_path: Path) -> None:
    until = migrations_before("0015", tmp_path)
    schema.migrate(vazio, until)
    with psycopg.connect(vazio.conninfo, autocommit=True) as conn:
        conn.execute("update alembic_version set version_num = '0013'")
        conn.execute("update pg_index set indisvalid = false where indexrelid = 'patrimonio_atualizado_idx'::regclass")
        with psycopg.connect(vazio.conninfo) as writer:  # holds its lock on the table until the build waits for it
            writer.execute("insert into classe (conta, nome, vida_util_meses, residual_pct) values ('9.9', 'X', 1, 1)")
            writer.execute("lock table patrimonio in row exclusive mode")
            building = threading.Thread(target=schema.migrate, args=[vazio, until])
            building.start()
            waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%concurrently%'"
            while not conn.execute(waiting).fetchone():
                assert building.is_alive()
            with psycopg.connect(vazio.conninfo) as other:
                other.execute("set lock_timeout = '5s'")
                other.execute("lock table patrimonio in row exclusive mode")  # whoever writes goes on meanwhile
            writer.commit()
            building.join()
        valid = "select indisvalid from pg_index where indexrelid = 'patrimonio_atualizado_idx'::regclass"
        assert conn.execute(valid).fetchone() == (True,)
    assert schema.migrate(vazio, until) == ("0014", "0014")


def migrations_before(revision: str, folder: Path) -> Path:
    """A copy of the migrations that come before `revision`."""
    copy = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, copy)
    for later in copy.glob("versions/0*.py"):
        if later.name >= revision:
            later.unlink()
    return copy


def test_locais_that_were_there_before_addresses_get_empty_ones(vazio: Dsn, tmp_path: Path) -> None:
    pasta = migrations_before("0002", tmp_path)
    assert schema.migrate(vazio, pasta) == ("", "0001")
    with psycopg.connect(vazio.conninfo) as conn:
        conn.execute("with s as (insert into setor (codigo, nome) values ('S', 'S') returning id)"
                     " insert into local (setor_id, nome) select id, 'Sala' from s")  # fmt: skip
    schema.migrate(vazio)
    with psycopg.connect(vazio.conninfo) as conn:
        assert conn.execute("select nome, cep || logradouro || uf from local").fetchall() == [("Sala", "")]
        for errado in ("cep = '0100100'", "cep = '01001-000'", "uf = 'sp'"):
            with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
                conn.execute(f"update local set {errado}")


@pytest.mark.parametrize(
    "sql",
    [
        "update evento set acao = 'nada'",
        "delete from evento",
        "truncate evento",
        "delete from patrimonio",
        "insert into depreciacao select * from depreciacao",
        "delete from depreciacao",
        "delete from fechamento",
        "update alembic_version set version_num = '0'",
        "create table minha (a int)",
        "drop table evento",
        "alter table evento disable trigger all",
    ],
)
def test_the_applications_role_cannot_rewrite_what_was_audited_nor_the_schema(cidade: Dsn, sql: str) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute(f"set role {DATABASE_ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(sql)


@pytest.mark.parametrize("sql", ["update evento set acao = 'nada'", "delete from evento", "truncate evento"])
def test_not_even_the_owner_rewrites_the_audit_by_accident(cidade: Dsn, sql: str) -> None:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(sql)


def test_a_number_never_changes(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo) as conn, pytest.raises(psycopg.errors.RestrictViolation):
        conn.execute("update patrimonio set numero = 999999 where numero = 1")


def test_every_translated_constraint_exists_and_every_named_unique_and_foreign_key_of_input_is_translated(
    cidade,
) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        nomes = {
            nome
            for (nome,) in conn.execute(
                "select conname from pg_constraint join pg_class c on c.oid = conrelid"
                " where connamespace = 'public'::regnamespace and contype in ('u', 'f', 'c')"
                " and c.relname in ('setor', 'local', 'agente', 'classe', 'patrimonio', 'usuario', 'transferencia',"
                " 'emprestimo', 'manutencao', 'baixa', 'localizacao', 'regularizacao', 'comissao', 'comissao_membro',"
                " 'imovel', 'imovel_destinacao', 'imovel_baixa', 'fechamento', 'inventario', 'reavaliacao')"
                " union select indexname from pg_indexes where indexdef like '%%UNIQUE%%'"
                " and indexname ~ '_uma?_(pendente|abert|efetiva|vigente|vez)|_email_unico|_matricula_unica'"
            )
        }
        # What a trigger checks has a name as well: the one it raises, or is given to raise.
        fontes = conn.execute(
            "select prosrc from pg_proc where pronamespace = 'public'::regnamespace"
            " union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal"
        )
        dos_gatilhos = {n for (fonte,) in fontes for n in re.findall(r"(?:constraint = |FUNCTION \w+\()'(\w+)'", fonte)}
    assert set(Site(SLICES).constraints) <= nomes | dos_gatilhos
    assert dos_gatilhos <= set(Site(SLICES).constraints)
    # Checks of single values are the entry types' work; what only the database can know must have words.
    so_o_banco_sabe = {n for n in nomes if re.search(r"(_unic[oa]|_fkey|_fk)$", n)} - {
        "patrimonio_numero_unico",  # numbers come from numeracao, or from an identity
    }
    # What the service fills in of movements: numbers, what it is about and the setor that stands in, who is signed in; the
    # members of a commission, looked up by their matrículas.
    so_o_banco_sabe -= {
        n
        for n in so_o_banco_sabe
        if re.match(r"\w+_(numero_unico|(origem|patrimonio|imovel)_id_fkey|\w+_por_fkey)|comissao_membro_", n)
        or re.match(r"(\w+_)?(emprestimo|manutencao|baixa|localizacao|regularizacao|destinacao)_setor_id_fkey", n)
    }
    assert so_o_banco_sabe <= set(Site(SLICES).constraints)


async def test_a_program_whose_migration_fails_serves_nobody(cidade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "expected_version", lambda: "9999")
    # Where the migration, a process of its own, finds nobody.
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    app = create_app(Settings(database_url=cidade, cep_url=None))
    with pytest.raises(MigrationUnsuccessful, match="não atende"):
        async with app.router.lifespan_context(app):
            pass
