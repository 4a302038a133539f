"""Tablespaces: in every base, and never written over where they were unless that is asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.backup import Backups, Manifest, RestoreRefused
from esteio.backup.base import NotPossible, _pieces
from esteio.backup.restore import parse_mapping
from esteio.backup.restore._tablespaces import sync_all
from esteio.backup.store import Stores, open_store
from esteio.postgres.embedded import Embedded

PAGE = Path(__file__).parents[3] / "docs/how-to/restore-without-us.md"
pytestmark = [pytest.mark.untimed, pytest.mark.timeout(300)]
COUNTED = "SELECT (SELECT count(*) FROM a), (SELECT sum(n) FROM b), (SELECT max(t) FROM c)"


@pytest.fixture
def home() -> Iterator[Path]:
    """A place the server's account can reach."""
    made = Path(tempfile.mkdtemp(prefix="esteio-test-spaces-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def run(server: Embedded, *statements: str) -> list[Any]:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        return [
            cursor.fetchone() if (cursor := conn.execute(each.encode())).description else None for each in statements
        ]


def counted(data: Path) -> Any:
    server = Embedded(data, create=False)
    server.start()
    try:
        return run(server, COUNTED, "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'")
    finally:
        server.stop()


def content(place: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(place).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in place.rglob("*")
        if path.is_file()
    }


def without_us(backup: Path, new: Path, server: Embedded) -> None:
    """As the page has it: the base, then its tablespaces."""
    (block,) = re.findall(r"^```sh tablespaces\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    unpack = (
        'mkdir -m 700 "$NEW"; cat "$BACKUP"/base.tar.zst "$BACKUP"/base-*.tar.zst | zstd -dc | tar -xf - -C "$NEW"\n'
    )
    command = ["/bin/bash", "-eu", "-o", "pipefail", "-c", unpack + block]
    subprocess.run(command, env={**os.environ, "BACKUP": str(backup), "NEW": str(new)}, check=True)
    for path in (new, *new.rglob("*")):
        server.account.own(path)


@pytest.mark.fault
@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd program is not installed (apt install zstd)")
def test_they_are_backed_up_verified_and_restored_beside_elsewhere_in_place_and_by_what_differs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pieces, "LEAST", 1 << 20)
    data, server = home / "data", Embedded(home / "data", settings={"shared_buffers": "32MB", "summarize_wal": "on"})
    server.start()
    fast, slow = home / "fast = quick", home / "slow"
    for place in (fast, slow):
        place.mkdir(mode=0o700)
        server.account.own(place)
    backups = Backups(server.dsn(), Stores([open_store(str(home / "cópias"))]), scratch=home, self_init=True)
    try:
        rows = "SELECT g n, repeat(md5(g::text), 10) t FROM generate_series(1, 10000) g"
        run(server, f"CREATE TABLESPACE fast LOCATION '{fast}'", f"CREATE TABLESPACE slow LOCATION '{slow}'")
        run(server, f"CREATE TABLE a TABLESPACE fast AS {rows}", f"CREATE TABLE b TABLESPACE slow AS {rows}")
        run(server, "CREATE TABLE c AS SELECT 'before' t", "CREATE TABLE d TABLESPACE fast AS SELECT 1")
        done = backups.run(kind="base")  # verified, too
        assert done.verification is not None
        assert {"every table read", "checksums"} <= set(done.verification.checked)
        before = run(server, COUNTED)
        with pytest.raises(NotPossible, match="has 2 tablespaces of its own, which only a base holds"):
            backups.run(kind="incremental")
        run(
            server,
            "DELETE FROM a",
            "UPDATE c SET t = 'later'",
            f"CREATE TABLE e TABLESPACE slow AS {rows}",
            "CHECKPOINT",
        )
    finally:
        server.stop()
    base = done.manifest
    assert base.format == 2
    assert [(each["name"], each["location"]) for each in base.details["tablespaces"]] == [
        ("fast", str(fast)),
        ("slow", str(slow)),
    ]
    assert len(base.details["tablespaces"][0]["pieces"]) > 1
    live = content(fast) | content(slow)

    refused = pytest.raises(
        RestoreRefused, match=r"no tablespace of .* was at /nowhere; they were at .*fast = quick, .*slow"
    )
    with refused:
        backups.recover(home / "new", tablespaces={"/nowhere": home / "x"})
    with pytest.raises(RestoreRefused, match="cannot take a tablespace: it has content"):
        backups.recover(home / "new", tablespaces={str(fast): slow})

    def interrupt(step: str, *_about: Any) -> None:
        if step == "restore":
            raise KeyboardInterrupt

    (home / "empty").mkdir()
    elsewhere = {str(fast): home / "empty", str(slow): home / "made"}
    with pytest.raises(KeyboardInterrupt):
        backups.recover(home / "new", None, interrupt, tablespaces=elsewhere)
    assert (list((home / "empty").iterdir()), (home / "made").exists(), (home / "new").exists()) == ([], False, False)
    backups.recover(home / "new", tablespaces=elsewhere)
    assert counted(home / "new") == [*before, (str(home / "empty"),)]

    without_us(home / "cópias" / base.id, home / "by hand", server)
    assert counted(home / "by hand")[0] == before[0]

    _, kept = backups.recover_in_place(data, lambda _: True)
    assert content(fast) | content(slow) == live  # the old directory, which is kept, goes on with them
    assert kept is not None
    rows_now, (place_now,) = counted(data)
    assert (rows_now, place_now.startswith(f"{data}/tablespaces/")) == (before[0], True)
    assert counted(kept) == [(0, before[0][1], "later"), (str(fast),)]
    backups.recover_in_place(data, lambda _: True)  # of one whose tablespaces are in it: what is kept has its own
    (again,) = set(home.glob("data.before-*")) - {kept}
    assert all(str(path.readlink()).startswith(f"{again}/") for path in (again / "pg_tblspc").iterdir())

    torn = next(path for path in (data / "tablespaces").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20)
    torn.write_bytes(bytes(torn.stat().st_size))
    stay = content(data / "tablespaces")
    backups.recover_in_place(data, lambda _: True, delta=True)
    assert counted(data)[0] == before[0]
    same = [name for name, about in content(data / "tablespaces").items() if stay.get(name) == about]
    assert len(same) > 3
    backups.recover_in_place(kept, lambda _: True, delta=True)  # where they are: outside
    assert counted(kept) == [*before, (str(fast),)]


def test_a_restored_directory_is_made_durable_with_all_its_files_directories_and_tablespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    for folder in (data / "base/1", data / "pg_tblspc", data / "tablespaces/2", elsewhere / "PG_18"):
        folder.mkdir(parents=True)
    for file in (data / "base/1/a", data / "tablespaces/2/b", elsewhere / "PG_18/c"):
        file.write_bytes(b"1")
    (data / "pg_tblspc/1").symlink_to(elsewhere)
    (data / "pg_tblspc/2").symlink_to(data / "tablespaces/2")
    durable: set[tuple[int, int]] = set()

    def noted(handle: int) -> None:
        durable.add((os.fstat(handle).st_dev, os.fstat(handle).st_ino))

    monkeypatch.setattr(os, "fsync", noted)
    sync_all(data)
    paths = [path for path in (data, elsewhere, *data.rglob("*"), *elsewhere.rglob("*")) if not path.is_symlink()]
    assert durable == {(path.stat().st_dev, path.stat().st_ino) for path in paths}


def test_an_older_release_refuses_a_base_with_tablespaces_and_this_one_reads_both() -> None:
    for number in (1, 2):
        made = Manifest(
            "b_20260101_000000", "base", "2026-01-01T00:00:00+00:00", 1.0, "18.0", "18.0", (), format=number
        )
        assert Manifest.from_json(made.to_json()) == made
    assert json.loads(made.to_json())["format"] == 2  # which releases that know only 1 refuse as of a later version


@pytest.mark.parametrize("text", ["/a", "/a=", "=/b", "a=/b", "/a=b", "/a=/b=/c", ""])
def test_a_mapping_is_two_absolute_directories(text: str) -> None:
    assert parse_mapping([r"/a\=b=/c", "/d=/e"]) == {"/a=b": Path("/c"), "/d": Path("/e")}
    with pytest.raises(ValueError, match="allowed: OLD=NEW"):
        parse_mapping([text])
