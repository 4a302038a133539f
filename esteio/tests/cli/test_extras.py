"""A part whose extra is missing says which one to install; what needs none works without any."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import esteio
from esteio.extras import ExtraMissing, needs

SOURCES = Path(esteio.__file__).parent.parent
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, {sources!r})
"""
EVERYTHING = {
    "alembic", "apprise", "cronsim", "fastapi", "hiredis", "httptools", "obstore", "opentelemetry", "prometheus_client",
    "psycopg", "pyrage", "redis", "rich", "sentry_sdk", "sqlalchemy", "starlette", "typer", "uvicorn", "zstandard",
}  # fmt: skip


def without(absent: set[str], code: str) -> subprocess.CompletedProcess[str]:
    text = WITHOUT.format(absent=absent, sources=str(SOURCES)) + code
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    ("code", "absent", "extra"),
    [
        ("from esteio.postgres import Database", "psycopg", "postgres"),
        ("from esteio.postgres import SyncDatabase", "psycopg", "postgres"),
        ("import esteio.postgres.sync", "psycopg", "postgres"),
        ("import esteio.postgres.migrations", "psycopg", "postgres"),
        ("import esteio.postgres.embedded", "psycopg", "embedded"),
        ("import esteio.testing.postgres", "psycopg", "embedded"),
        ("import esteio.postgres.sqlalchemy", "psycopg", "sqlalchemy"),
        ("import esteio.postgres.prometheus", "psycopg", "postgres"),
        ("import esteio.postgres.sqlalchemy", "sqlalchemy", "sqlalchemy"),
        ("import esteio.postgres.prometheus", "prometheus_client", "prometheus"),
        ("import esteio.postgres.migrations.alembic", "alembic", "alembic"),
        ("import esteio.limit.redis", "hiredis", "redis"),
        ("import esteio.policy.hooks.opentelemetry", "opentelemetry", "otel"),
        ("import esteio.postgres.opentelemetry", "opentelemetry", "otel"),
        ("import esteio.web.opentelemetry", "opentelemetry", "otel"),
        ("import esteio.policy.hooks.sentry", "sentry_sdk", "sentry"),
        ("import esteio.policy.hooks.prometheus", "prometheus_client", "prometheus"),
        ("import esteio.backup", "zstandard", "backup"),
        ("import esteio.doctor.postgres", "psycopg", "postgres"),
        ("import esteio.doctor.redis", "redis", "redis"),
        ("import esteio.web", "starlette", "web"),
        ("import esteio.cli", "typer", "cli"),
        ("import esteio.watch", "httptools", "watch"),
        ("import esteio.cron", "cronsim", "watch"),
        ("from esteio.web.database import connection; connection(None)", "fastapi", "fastapi"),
    ],
)
def test_a_part_without_its_extra_says_what_to_install(code: str, absent: str, extra: str) -> None:
    done = without({absent}, code)
    assert f'{absent} is not installed; the extra brings it: pip install "esteio[{extra}]"' in done.stderr


def test_the_supervisor_without_uvicorn_says_what_to_install() -> None:
    code = "from importlib import machinery, util\nfind = util.find_spec\n"
    code += "import esteio.serve._supervisor as s\ns.find_spec = lambda name: None\ns.Supervisor('a:b').run()"
    assert 'uvicorn is not installed; the extra brings it: pip install "esteio[serve]"' in without(set(), code).stderr


def test_the_core_needs_nothing() -> None:
    parts = ("policy", "limit", "health", "maintenance", "serve", "alert", "testing", "doctor")
    code = "import " + ", ".join(f"esteio.{part}" for part in parts)
    done = without(EVERYTHING, code)
    assert done.returncode == 0, done.stderr


def test_outages_are_answered_without_fastapi() -> None:
    done = without({"fastapi"}, "from esteio.web.database import answer_outages")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_and_version_need_no_extra(arguments: list[str]) -> None:
    code = f"import sys; sys.argv[1:] = {arguments!r}; from esteio.__main__ import main; main()"
    bare, full = without(EVERYTHING, code), without(set(), code)
    assert bare.returncode == 0, bare.stderr
    assert "esteio" in bare.stdout
    if "--version" in arguments:
        assert bare.stdout == full.stdout == f"esteio {esteio.__version__}\n"
    else:
        assert 'pip install "esteio[cli]"' in bare.stdout
        for command in ("serve", "backup", "maintenance", "doctor"):
            assert command in bare.stdout
            assert command in full.stdout + full.stderr


def test_a_command_without_its_extra_says_what_to_install() -> None:
    code = "import sys; sys.argv[1:] = ['backup', 'list']; from esteio.__main__ import main; main()"
    assert 'pip install "esteio[cli]"' in without({"typer"}, code).stderr
    done = without({"zstandard"}, code)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert 'pip install "esteio[backup]"' in done.stderr


def test_the_doctor_goes_on_without_the_extras_of_what_it_looks_at() -> None:
    code = "import os, sys; sys.argv[1:] = ['doctor', '--verbose']; "
    code += "os.environ.update(DATABASE_URL='postgresql:///x', REDIS_URL='redis://127.0.0.1:1'); "
    code += "from esteio.__main__ import main; main()"
    done = without({"psycopg", "redis", "zstandard"}, code)
    for extra in ("postgres", "redis", "backup"):
        assert f'pip install "esteio[{extra}]" [NOT_SEEN]' in done.stdout, done.stderr
    assert "[VERSIONS]" in done.stdout


def test_a_watcher_needs_neither_a_database_nor_backups(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text(
        f'[watch]\nname = "a"\ndirectory = "{tmp_path}"\n[[tcp]]\nname = "x"\naddress = "127.0.0.1:1"\n'
        'retry = 0.5\n[[heartbeat]]\nname = "j"\nkey = "0123456789abcdef"\nschedule = "0 2 * * *"\n'
        '[[dns]]\nname = "d"\nquery = "nothing.invalid"\nserver = "127.0.0.1:1"\ntimeout = 0.1\nretry = 0.5\n'
    )
    absent = EVERYTHING - {"apprise", "cronsim", "httptools", "rich", "starlette", "typer", "uvicorn"}
    code = (
        f"import sys\nsys.argv = ['esteio', 'watch', 'run', '--once', '--config', {str(tmp_path / 'watch.toml')!r}]\n"
    )
    code += "from esteio.__main__ import main\nmain()"
    done = without(absent | {"fastapi", "psutil", "uvloop"}, code)
    assert done.returncode == 1, done.stderr
    assert "the connection was refused" in done.stdout


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"esteio\.nowhere") as raised, needs("x"):
        import esteio.nowhere  # type: ignore[import-not-found]  # noqa: F401
    assert not isinstance(raised.value, ExtraMissing)
    with pytest.raises(ImportError, match="cannot import name"), needs("x"):
        from esteio.clock import nothing  # type: ignore[attr-defined]  # noqa: F401


def test_the_error_is_an_import_error_and_pickles() -> None:
    error = pickle.loads(pickle.dumps(ExtraMissing("web", "starlette")))
    assert isinstance(error, ImportError)
    assert (error.extra, error.module) == ("web", "starlette")


def test_the_extra_all_has_all() -> None:
    extras = tomllib.loads((SOURCES.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(extras["all"][0].removeprefix("esteio[").removesuffix("]").split(","))
    assert named == extras.keys() - {"all", "testing"}


def test_the_names_of_the_package_are_listed() -> None:
    assert {"Retry", "__version__", "Pipeline"} <= set(dir(esteio))


def test_the_wheel_carries_the_licence_of_the_repository() -> None:
    assert (SOURCES.parent / "LICENSE").read_text() == (SOURCES.parent.parent / "LICENSE").read_text()
