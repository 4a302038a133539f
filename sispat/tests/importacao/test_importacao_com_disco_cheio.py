"""An import for which a disk has no room leaves nothing half, says so in words, and is done once there is room."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from planilhas import Importer, csv_bytes

from esteio.postgres import Database, DiskRoom, Dsn

pytestmark = [pytest.mark.fault, pytest.mark.untimed]


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of its own, of so many bytes."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param},mode=711", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small file system, and not everywhere")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def spreadsheet(dsn: Dsn, rows: int) -> bytes:
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute(
            """select c.conta, s.codigo, l.nome, a.matricula from patrimonio p join classe c on c.id = classe_id
               join setor s on s.id = p.setor_id join local l on l.id = local_id join agente a on a.id = agente_id limit 1"""
        ).fetchone()
    assert row is not None
    heading = ["Descrição", "Conta", "Valor", "Data de aquisição", "Setor", "Local", "Matrícula", "Observação"]
    line = ["Cadeira importada", row[0], "10,00", "31/01/2026", *row[1:], "x" * 400]
    return csv_bytes([heading, *[line] * rows])


def assets(dsn: Dsn) -> tuple[int, int]:
    """How many there are of the import, and audit records of them."""
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute(
            """select (select count(*) from patrimonio where descricao = 'Cadeira importada'),
                      (select count(*) from evento where acao = 'importar')"""
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def told(row: dict[str, Any]) -> None:
    error = row["tarefa"]["erro"]
    assert (row["tarefa"]["estado"], error["code"]) == ("falhou", "disco-cheio")
    assert "disco do servidor está cheio" in error["message"]
    assert "Nada foi gravado" in error["message"]


def filled(disk: Path, leave: int) -> Path:
    found = os.statvfs(disk)
    filler = disk / "cheio"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - leave)
    return filler


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
async def test_no_room_for_the_temporary_file(
    gestor: Importer, cidade: Dsn, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    filler = filled(small_disk, 100_000)
    row = await gestor.send(spreadsheet(cidade, 500))
    told(row)
    assert row["estado"] == "recebida"
    assert os.listdir(small_disk) == [filler.name], "nothing is left of it"
    filler.unlink()
    row = await gestor.check(row["id"], existentes="recusar")
    assert (row["estado"], row["linhas"], row["erros"]) == ("conferida", 500, 0)


@pytest.mark.parametrize("small_disk", ["80m"], indirect=True)
async def test_our_own_server_keeps_what_it_needs_to_live(gestor: Importer, cidade: Dsn, small_disk: Path) -> None:
    row = await gestor.send(spreadsheet(cidade, 100))
    gestor.room = DiskRoom("sispat", [small_disk])
    filler = filled(small_disk, 60 << 20)
    refused = await gestor.save(row)
    told(refused)
    assert assets(cidade) == (0, 0)
    filler.unlink()
    saved = await gestor.save(refused)
    assert (saved["tarefa"]["estado"], assets(cidade)) == ("concluida", (100, 100))


@pytest.mark.parametrize("small_disk", ["60m"], indirect=True)
async def test_a_server_whose_disk_fills_in_the_middle_keeps_nothing_of_it(
    postgres_server: Any, cidade: Dsn, small_disk: Path
) -> None:
    """The tables lie on a real small disk; the log, without which a server ends, on another one."""
    with psycopg.connect(postgres_server.dsn("postgres").conninfo, autocommit=True) as conn:
        directory = conn.execute("select current_setting('data_directory')").fetchone()
        assert directory is not None
        owner = os.stat(directory[0])
        os.chown(small_disk, owner.st_uid, owner.st_gid)
        for parent in small_disk.parents[:3]:  # of the tests' own temporary directory, which is root's
            parent.chmod(0o711)
        conn.execute(f"create tablespace pequeno location '{small_disk}'")
        conn.execute(f"create database disco_pequeno template {cidade.database} tablespace pequeno")
    cidade = postgres_server.dsn("disco_pequeno")
    try:
        async with Database(cidade, settings={"role": "sispat_app"}, min_size=1) as db:
            gestor = Importer(db, await db.fetch_value("select id from usuario where papel = 'gestor'"))
            row = await gestor.send(spreadsheet(cidade, 12_000))
            filler = filled(small_disk, 4 << 20)
            refused = await gestor.save(row)
            told(refused)
            assert assets(cidade) == (0, 0)
            filler.unlink()
            assert refused["estado"] == "conferida"
            with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
                conn.execute("vacuum patrimonio")
                conn.execute("vacuum evento")
            small = await gestor.send(spreadsheet(cidade, 500))
            saved = await gestor.save(small)
            assert (saved["tarefa"]["estado"], assets(cidade)) == ("concluida", (500, 500)), saved["tarefa"]["erro"]
    finally:
        with psycopg.connect(postgres_server.dsn("postgres").conninfo, autocommit=True) as conn:
            conn.execute("drop database disco_pequeno with (force)")
            conn.execute("drop tablespace pequeno")
