"""Whatever breaks is in `/api/health` and on the operations page with its cause, and gone from there when it is mended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from processos import Service, comando, pasta_de_dados

from esteio.testing.redis import RedisServer, RedisServerMissing

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(400)]
TOKEN = "so-para-quem-opera"
_PATIENCE = 60.0  # seconds, on a machine that does much else; what it takes on one that does not is printed


class House(NamedTuple):
    """A running service: two workers, its operator with backups on a disk of their own, and a Redis."""

    service: Service
    copies: Path
    redis: psutil.Process

    def ask(self, path: str) -> str:
        """The text of an answer; empty when there is none: a connection may have gone to a worker that is stopped."""
        request = urllib.request.Request(self.service.endereco() + path, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def causes(self) -> dict[str, str]:
        """The checks that are not well, with the reason."""
        with contextlib.suppress(ValueError):
            checks = json.loads(self.ask("/api/health"))["checks"]
            return {name: each[0].get("output", "") for name, each in checks.items() if each[0]["status"] != "pass"}
        return {}

    def one(self, words: str) -> psutil.Process:
        """The first process of the service whose command line has these words."""
        return next(each for each in self.service.descendentes() if words in _command(each))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


class Case(NamedTuple):
    """`broken(house)` breaks something and returns what mends it."""

    name: str
    broken: Callable[[House], Callable[[], object]]
    check: str
    says: str
    heals: bool = True
    """False: it is told for a minute, although it is mended at once."""

    def shown(self, causes: dict[str, str]) -> bool:
        """Whether it is told."""
        return self.check in causes and self.says in causes[self.check]


def _frozen(words: str) -> Callable[[House], Callable[[], object]]:
    def broken(house: House) -> Callable[[], object]:
        process = house.one(words)
        process.suspend()
        return process.resume

    return broken


def _killed(words: str) -> Callable[[House], Callable[[], object]]:
    def broken(house: House) -> Callable[[], object]:
        house.one(words).kill()
        return lambda: None

    return broken


def _frozen_postgres(house: House) -> Callable[[], object]:
    frozen = house.service.postgres()
    for process in frozen:
        process.suspend()

    def mend() -> None:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):  # a connection that was given up
                process.resume()

    return mend


def _killed_postgres(house: House) -> Callable[[], object]:
    house.service.postgres()[0].kill()
    return lambda: None


def _frozen_redis(house: House) -> Callable[[], object]:
    house.redis.suspend()
    return house.redis.resume


def _full_disk(house: House) -> Callable[[], object]:
    filler = house.copies / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while file.write(bytes(1 << 20)):
            file.flush()
    return filler.unlink


def _deleted_copies(house: House) -> Callable[[], object]:
    where = house.copies / "copias"
    where.rename(house.copies / "elsewhere")
    return lambda: (shutil.rmtree(where, ignore_errors=True), (house.copies / "elsewhere").rename(where))


# What stays told for a minute comes last: it would stand in the way of the others, which are looked at one by one.
CASES = [
    Case("PostgreSQL frozen", _frozen_postgres, "postgres:responseTime", ""),
    Case("Redis frozen", _frozen_redis, "redis:responseTime", ""),
    Case("the disk of the backups full", _full_disk, "backup:free", "% free"),
    Case("the directory of the backups gone", _deleted_copies, "backup:directory", "the directory is gone"),
    Case("operator frozen", _frozen("sispat operator"), "host:watched", "health monitor has been silent"),
    Case("receiver of the log frozen", _frozen("pg_receivewal"), "host:watched", "esteio_wal"),
    Case("worker frozen", _frozen("spawn_main"), "workers:count", "has been silent", heals=False),
    Case("worker killed", _killed("spawn_main"), "workers:count", "was killed", heals=False),
    Case("receiver of the log killed", _killed("pg_receivewal"), "host:watched", "wal archive died", heals=False),
    Case("operator killed", _killed("sispat operator"), "host:watched", "operator died", heals=False),
    Case("PostgreSQL killed", _killed_postgres, "host:watched", "PostgreSQL died", heals=False),
]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount or os.geteuid():
        pytest.skip("no file system can be mounted here")
    try:
        redis = RedisServer()
        redis.start()
    except RedisServerMissing as error:
        pytest.skip(str(error))
    with pasta_de_dados() as data:
        disk = data.parent / "disk"
        disk.mkdir()
        subprocess.run([mount, "-t", "tmpfs", "-o", "size=300m,mode=0755", "tmpfs", disk], check=True)
        settings = {
            "SISPAT_DATA_DIR": str(data), "BACKUP_DIR": str(disk / "copias"), "ENABLE_HEALTH_MONITOR": "sim",
            "HEALTH_CHECK_INTERVAL": "1000", "SISPAT_OPERATIONS_TOKEN": TOKEN, "REDIS_URL": redis.url,
        }  # fmt: skip
        (disk / "copias").mkdir()
        try:
            comando("backup", "init", **settings)
            with Service("--demo", "--size", "50", "--workers", "2", SISPAT_BACKUP="sim", **settings) as service:
                service.pronto()
                service.esperar(lambda: "base finished after" in service.saida, 120)
                yield House(service, disk, psutil.Process(redis.pid))
        finally:
            subprocess.run([umount, "--lazy", disk], check=True)
            redis.stop()


def test_whatever_breaks_is_told_with_its_cause_and_no_longer_when_it_is_mended(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    wait, told = house.service.esperar, []
    wait(lambda: house.ask("/api/health") and "host:watched" not in house.causes(), _PATIENCE)
    for case in CASES:
        wait(lambda case=case: not case.shown(house.causes()), _PATIENCE)
        mend, began = case.broken(house), time.monotonic()
        try:
            wait(lambda case=case: case.shown(house.causes()), _PATIENCE)
            told.append(f"{case.name}: {time.monotonic() - began:.1f} s")
            page = wait(lambda: house.ask("/operacao"), _PATIENCE)
            assert 'class="verdict well"' not in page, case.name
        except AssertionError as error:
            raise AssertionError(f"{case.name}: {house.causes()}") from error
        finally:
            mend()
        if case.heals:
            wait(lambda case=case: not case.shown(house.causes()), _PATIENCE)
    for mark in ("processos mortos", "Morreu e foi reiniciado"):  # the monitor writes them a look later
        wait(lambda mark=mark: mark in (house.ask("/operacao?window=24h") or ""), _PATIENCE)
    with capsys.disabled():
        print("\n    told in /api/health after: " + "; ".join(told))
