"""The real command as a real process, for tests."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from unittest import mock

import psutil

import esteio
import sispat
from sispat.cli._limit_file import sweep

T = TypeVar("T")

# For one person who does the work of many.
SEM_LIMITES = {"SISPAT_LIMIT_WRITE": "não", "SISPAT_LIMIT_USER": "não", "SISPAT_LIMIT_UPLOAD": "não"}

FONTES = os.pathsep.join(str(Path(modulo.__file__ or "").parents[1]) for modulo in (esteio, sispat))


def ambiente(**variaveis: str) -> dict[str, str]:
    """An environment with nothing of the machine's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": FONTES} | variaveis


def comando(*argumentos: str, entrada: str = "", **variaveis: str) -> subprocess.CompletedProcess[str]:
    """Run `sispat ARGUMENTOS` to its end, in a folder without `.env`."""
    with tempfile.TemporaryDirectory() as pasta:
        return subprocess.run(
            [sys.executable, "-m", "sispat", *argumentos],
            env=ambiente(**variaveis),
            cwd=pasta,
            input=entrada,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


def por_dentro(*argumentos: str, entrada: str = "", **variaveis: str) -> subprocess.CompletedProcess[str]:
    """As `comando`, in this process: a start of Python costs more than most commands."""
    from sispat.cli import main

    saida, erros, codigo = io.StringIO(), io.StringIO(), 0
    with (
        tempfile.TemporaryDirectory() as pasta,
        contextlib.chdir(pasta),
        mock.patch.dict(os.environ, ambiente(**variaveis), clear=True),
        mock.patch.object(sys, "argv", ["sispat", *argumentos]),
        mock.patch.object(sys, "stdin", io.StringIO(entrada)),
        contextlib.redirect_stdout(saida),
        contextlib.redirect_stderr(erros),
    ):
        try:
            main()
        except SystemExit as fim:
            codigo = int(fim.code or 0)
    return subprocess.CompletedProcess(argumentos, codigo, saida.getvalue(), erros.getvalue())


@contextmanager
def pasta_de_dados() -> Iterator[Path]:
    """A data directory that the account of an embedded server can reach when the tests run as root."""
    pasta = Path(tempfile.mkdtemp(prefix="sispat-test-"))
    pasta.chmod(0o711)
    try:
        yield pasta / "dados"
    finally:
        shutil.rmtree(pasta, ignore_errors=True)


class Service:
    """`sispat serve ARGUMENTOS` on a free port, in a process group of its own; ended with the block, hard if need be.

    `programa` is the command that `serve` is given to, where it is not this environment's.
    """

    def __init__(
        self,
        *argumentos: str,
        programa: Sequence[str] = (sys.executable, "-m", "sispat"),
        **variaveis: str,
    ) -> None:
        self._pasta = tempfile.TemporaryDirectory()
        self._saida = Path(self._pasta.name, "saida.txt")
        self.nasceu = time.monotonic()
        with self._saida.open("wb") as saida:
            self.processo = psutil.Popen(
                [*programa, "serve", "--port", "0", *argumentos],
                env=ambiente(
                    **{"SISPAT_BACKUP": "não", "ENABLE_HEALTH_MONITOR": "não", "SISPAT_JOBS": "0"} | variaveis
                ),
                cwd=self._pasta.name,
                stdin=subprocess.DEVNULL,
                stdout=saida,
                stderr=saida,
                start_new_session=True,
            )
        self._todos: list[psutil.Process] = [self.processo]

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.descendentes()
        for processo in reversed(self._todos):
            try:
                processo.kill()
            except psutil.NoSuchProcess:
                continue
        self.processo.wait(60)
        self._pasta.cleanup()
        sweep()  # killed, it had no time to

    @property
    def saida(self) -> str:
        """All it has written so far."""
        return self._saida.read_text("utf-8", errors="replace")

    def descendentes(self) -> list[psutil.Process]:
        """Every process below it now; remembered for the end."""
        try:
            filhos = self.processo.children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self._todos += [filho for filho in filhos if filho not in self._todos]
        return filhos

    def postgres(self) -> list[psutil.Process]:
        """The processes of the embedded server, the first one first."""
        achados = []
        for processo in self.descendentes():
            try:
                if "postgres" in processo.name():
                    achados.append((processo.create_time(), processo.pid, processo))
            except psutil.NoSuchProcess:  # it ended between the list and the look
                continue
        return [processo for _, _, processo in sorted(achados, key=lambda achado: achado[:2])]

    def endereco(self, prazo: float = 90) -> str:
        """Where it serves, as its log says once it does."""
        achado = self.esperar(lambda: re.search(r"serving \S+ on ([\d.:]+) with", self.saida), prazo)
        assert achado is not None
        return f"http://{achado[1]}"

    def pronto(self, prazo: float = 90) -> float:
        """Wait for the first 200 of the readiness route; seconds since the process was started."""
        self.esperar(lambda: self.estado("/api/health/ready") == 200, prazo)
        return time.monotonic() - self.nasceu

    def estado(self, caminho: str) -> int:
        """The status of a GET."""
        try:
            with urllib.request.urlopen(self.endereco() + caminho, timeout=60) as resposta:
                return int(resposta.status)
        except urllib.error.HTTPError as erro:
            return erro.code

    def encerrar(self, sinal: signal.Signals = signal.SIGINT) -> int:
        """End it as a terminal does, the whole process group; the exit code, once nothing of it is left."""
        filhos = self.descendentes()
        os.killpg(self.processo.pid, sinal)
        codigo = int(self.processo.wait(60))
        _, vivos = psutil.wait_procs(filhos, timeout=30)
        assert not vivos, f"left running: {vivos}\n{self.saida}"
        return codigo

    def esperar(self, pergunta: Callable[[], T], prazo: float) -> T:
        """Ask until the answer is true, `prazo` seconds at most; the answer."""
        fim = time.monotonic() + prazo
        while not (resposta := pergunta()):
            assert self.processo.poll() is None, f"ended with {self.processo.poll()}:\n{self.saida}"
            assert time.monotonic() < fim, f"nothing within {prazo} s:\n{self.saida}"
            time.sleep(0.05)
        return resposta
