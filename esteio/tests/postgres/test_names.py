"""The names of `esteio.postgres` are there, and only what is used is loaded."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from esteio import postgres


def test_every_name_is_found_in_its_module() -> None:
    assert sorted(postgres._HOMES) == sorted(postgres.__all__)
    for name in postgres.__all__:
        assert getattr(postgres, name).__module__.startswith("esteio.postgres.")
    with pytest.raises(AttributeError, match="no attribute 'Datenbank'"):
        postgres.Datenbank  # noqa: B018


def test_backups_in_a_directory_wait_neither_for_pools_nor_for_object_stores() -> None:
    code = (
        "import sys; from esteio.backup import Backups; from esteio.backup.store import open_store; open_store('/x');"
        "print([name for name in sys.modules if name.startswith(('esteio.policy', 'esteio.postgres._pool', 'obstore'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_psycopg_without_what_the_pool_needs_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from esteio.postgres import _psycopg

    monkeypatch.delattr(psycopg.errors, "_WaitTimeout")
    source = Path(_psycopg.__file__).read_text()
    with pytest.raises(ImportError, match=r"cannot work with psycopg .*_WaitTimeout.*allowed: 3\.3\.7 or newer"):
        exec(compile(source, _psycopg.__file__, "exec"), {"__name__": "another copy"})
