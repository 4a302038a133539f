"""Both wheels in an empty environment serve; one release follows another under load, and bad ones are taken back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx2
import psutil
import pytest
from carga import Carga, corpo_de_bem, criados_sob_carga, entrar, trabalhadores
from pacotes import Made, environment, wheel
from processos import Service, ambiente

from sispat.kernel.schema import expected_version

pytestmark = [
    pytest.mark.fault,
    pytest.mark.untimed,
    pytest.mark.timeout(1200),  # three changes of a release: on a machine with ten times the work ten minutes
    pytest.mark.skipif(os.name != "posix" or shutil.which("sh") is None, reason="releases are links of POSIX"),
]
NEXT = f"{int(expected_version()) + 1:04d}"
EXPANDS = f'''"""Of a test: only adds."""

from sispat.migrations import executar

revision, down_revision, branch_labels, depends_on = "{NEXT}", "{expected_version()}", None, None


def upgrade():
    executar("create table proxima_versao (id int primary key)")
'''
GOOD = {f"src/sispat/migrations/versions/{NEXT}_proxima.py": ("", EXPANDS)}
LISTING = "    return walked(asked, await sql.listar("
FAILS = f'    raise RuntimeError("of a bad release")\n{LISTING}'
LEAKED = 8 << 20  # bytes by each list: some seconds until a worker has twice what it may
LEAKS = f"    leaked.append(b'x' * {LEAKED})\n{LISTING}"


async def test_a_release_follows_another_under_load_and_bad_ones_are_taken_back(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 requests lost by the change; old and new side by side on one database; 5xx and leaks of bad ones end by themselves."""
    home, data = made.directory / "opt", made.directory / "dados"
    old = environment(home / "releases" / "0.1.0", *made.first_wheels).parent
    (home / "current").symlink_to(old)
    wheel("sispat", made.wheels, "0.2.0", GOOD)
    variables = made.variables(
        SISPAT_DATA_DIR=str(data), ESTEIO_RELEASE=str(home / "current"), SISPAT_JOBS="1", SISPAT_BACKUP="sim",
        SISPAT_BACKUP_ARCHIVE="não", SISPAT_BACKUP_BASE="não", SISPAT_BACKUP_DUMP="não", SISPAT_WORKER_MEMORY="256MB",
    )  # fmt: skip
    settings = made.directory / "sispat.env"
    settings.write_text(
        "".join(f"{name}='{value}'\n" for name, value in variables.items() if name.startswith("SISPAT"))
    )
    with Service("--demo", "--size", "300", programa=[str(home / "current/bin/sispat")], **variables) as service:
        await up(service)
        async with entrar(service) as client:
            body = await corpo_de_bem(client)
            async with Carga(client, body, taxa=50) as load, versions_seen(client) as versions:
                good = await upgraded("0.2.0", made, home, settings, service, watch="3")
            assert good.returncode == 0, good.stdout + good.stderr
            assert load.perdidos == [], "the change of the release lost requests"
            assert versions.together, "the old release and the new one served side by side"
            assert os.readlink(home / "current") == str(home / "releases/0.2.0")
            assert (await client.get("/api/health")).json()["version"] == "0.2.0"
            assert set(releases_of(service)) == {"0.2.0"}, "workers, and the programs beside them"
            created = load.criados
            bad_copy(home / "releases/0.2.0", home / "releases/0.3.0", FAILS)
            async with Carga(client, body, taxa=50) as load:
                bad = await upgraded("0.3.0", made, home, settings, service, watch="60", backup=False)
            assert bad.returncode == 1, bad.stdout + bad.stderr
            assert "respostas foram erros" in bad.stderr
            assert os.readlink(home / "current") == str(home / "releases/0.2.0")
            await ended("0.3.0", service)
            created += load.criados
            bad_copy(home / "releases/0.2.0", home / "releases/0.4.0", LEAKS)
            async with Carga(client, body, taxa=20) as leaking:
                bad = await upgraded("0.4.0", made, home, settings, service, watch="300", backup=False)
            assert bad.returncode == 1, bad.stdout + bad.stderr
            # Where processes start slowly both are gone before another one is ready, and what waited for them may fail first.
            reasons = ("passaram do limite de memória", "não está pronto", "respostas foram erros")
            assert any(reason in bad.stderr for reason in reasons), bad.stderr
            assert "A volta não terminou" not in bad.stderr
            assert os.readlink(home / "current") == str(home / "releases/0.2.0")
            assert "MiB of memory, the limit is " in service.saida
            await ended("0.4.0", service)
            created += leaking.criados
            assert len(created) == len(set(created))
            assert set(created) <= await criados_sob_carga(client), "acknowledged creates are missing"
            with capsys.disabled():
                print(
                    f"\n    change to 0.2.0: lost 0, longest pause {versions.pause:.2f} s; change to a release of errors: "
                    f"{len(load.perdidos)} of {load.enviados} failed until it was taken back; to one that leaks: "
                    f"{len(leaking.perdidos)} of {leaking.enviados} ({bad.stderr.strip().splitlines()[-1]})"
                )
        assert service.encerrar() == 0


async def up(service: Service) -> None:
    """Ready, however long a first start without compiled files takes on a busy machine."""
    end = time.monotonic() + 150
    while True:
        with contextlib.suppress(OSError):
            if await asyncio.to_thread(service.estado, "/api/health/ready") == 200:
                return
        assert time.monotonic() < end, service.saida
        await asyncio.sleep(0.2)


def bad_copy(release: Path, other: Path, listing: str) -> None:
    """A copy of a whole release that lists assets as `listing` does; cheaper than a wheel and an environment of its own."""
    shutil.copytree(release, other, symlinks=True)
    (actions,) = other.glob("lib/python*/site-packages/sispat/patrimonios/actions.py")
    text = actions.read_text()
    assert LISTING in text
    actions.write_text(text.replace(LISTING, listing) + "\n\nleaked: list[bytes] = []\n")


async def ended(release: str, service: Service) -> None:
    """Wait until nothing of `release` runs any more, and both workers do."""
    end = time.monotonic() + 150
    while release in releases_of(service) or len(trabalhadores(service)) != 2:
        assert time.monotonic() < end, service.saida
        await asyncio.sleep(0.2)


@dataclass
class Versions:
    """Which releases answered."""

    seen: list[tuple[float, str]]

    @property
    def together(self) -> bool:
        """Whether an old one answered after a new one had begun to."""
        newest = [max(version for _, version in self.seen[: at + 1]) for at in range(len(self.seen))]
        return any(version < high for (_, version), high in zip(self.seen, newest, strict=True))

    @property
    def pause(self) -> float:
        return max(b[0] - a[0] for a, b in pairwise(self.seen))


@asynccontextmanager
async def versions_seen(client: httpx2.AsyncClient) -> AsyncIterator[Versions]:
    """Ask who answers, over a new connection each time, for as long as the block lasts."""
    found, ended = Versions([]), False

    async def ask() -> None:
        while not ended:
            answer = await client.get("/api/health", headers={"Connection": "close"})
            found.seen.append((time.monotonic(), answer.json()["version"]))
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    try:
        yield found
    finally:
        ended = True
        await asking


async def upgraded(
    version: str, made: Made, home: Path, settings: Path, service: Service, *, watch: str, backup: bool = True
) -> subprocess.CompletedProcess[str]:
    """`sispat upgrade`, of the release in force."""
    words = [
        str(home / "current/bin/sispat"), "upgrade", version, "--wheels", str(made.wheels), "--watch", watch,
        "--home", str(home), "--environment", str(settings), "--pid", str(service.processo.pid),
        *([] if backup else ["--no-backup"]),
    ]  # fmt: skip
    # What the wheels need is here already, as links; pip would look for it at an index. Esteio is a wheel of ours.
    ours = made.directory / "ours.txt"
    ours.write_text("esteio\n")
    variables = ambiente(PYTHONPATH=str(made.needed), PIP_NO_DEPS="1", PIP_REQUIREMENT=str(ours), SISPAT_LANG="pt-BR")
    return await asyncio.to_thread(
        subprocess.run, words, env=variables, capture_output=True, text=True, timeout=400, check=False
    )


def releases_of(service: Service) -> list[str]:
    """Of each process below the supervisor that runs our Python."""
    found = []
    for child in service.processo.children():
        with contextlib.suppress(psutil.Error, ValueError):  # it ends just now
            word, *others = child.cmdline()
            if "/releases/" in word and "resource_tracker" not in " ".join(others):
                found.append(Path(word).parents[1].name)
    return found
