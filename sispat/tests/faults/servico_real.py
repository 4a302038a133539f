"""`sispat serve --demo` as a process, and people who use it while it is being broken."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil

import esteio
import sispat

FONTES = os.pathsep.join(str(Path(pacote.__file__).parent.parent) for pacote in (esteio, sispat))


class ServicoReal:
    """Started by the constructor; `encerrar` is the ordered stop and says whether anything was left running."""

    def __init__(self, pasta: Path, tamanho: int = 500) -> None:
        self.pasta = pasta
        self.diario = pasta / "diario.txt"
        ambiente = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
        ambiente |= {"SISPAT_DATA_DIR": str(pasta / "dados"), "PYTHONPATH": FONTES}
        with self.diario.open("w") as diario:
            self.processo = subprocess.Popen(
                [sys.executable, "-m", "sispat", "serve", "--demo", "--port", "0", "--size", str(tamanho)],
                env=ambiente,
                cwd=pasta,
                stdout=subprocess.PIPE,
                stderr=diario,
                text=True,
                start_new_session=True,
            )
        self._pronto = threading.Event()
        self.url = ""
        self._leitor = threading.Thread(target=self._ler, daemon=True)
        self._leitor.start()
        if not self._pronto.wait(60):
            self.encerrar()
            raise AssertionError(f"não ficou pronto:\n{self.diario.read_text()}")

    def _ler(self) -> None:
        assert self.processo.stdout is not None
        for linha in self.processo.stdout:
            achado = re.search(r"http://127\.0\.0\.1:\d+", linha)
            if achado and not self.url:
                self.url = achado[0]
                self._pronto.set()

    def trabalhadores(self) -> list[psutil.Process]:
        """The worker processes."""
        filhos = psutil.Process(self.processo.pid).children()
        return [filho for filho in filhos if any("spawn_main" in parte for parte in _linha_de_comando(filho))]

    def postmaster(self) -> int:
        """Pid of the embedded PostgreSQL."""
        return int((self.pasta / "dados/postgres/postmaster.pid").read_text().split()[0])

    def encerrar(self) -> tuple[int, list[psutil.Process]]:
        """Ordered stop; the exit code, and what was left running (killed, so that nothing stays)."""
        familia = psutil.Process(self.processo.pid).children(recursive=True) if self.processo.poll() is None else []
        self.processo.send_signal(signal.SIGTERM)
        codigo = self.processo.wait(60)
        self._leitor.join(10)
        assert self.processo.stdout is not None
        self.processo.stdout.close()
        _, restantes = psutil.wait_procs(familia, timeout=2)
        for processo in restantes:
            processo.kill()
        return codigo, restantes

    @asynccontextmanager
    async def entrar(self, email: str = "gestor@demo.local") -> AsyncIterator[httpx.AsyncClient]:
        """A signed-in client."""
        limites = httpx.Limits(max_connections=60, max_keepalive_connections=20, keepalive_expiry=60)
        async with httpx.AsyncClient(base_url=self.url, limits=limites, timeout=20) as cliente:
            resposta = await cliente.post("/api/auth/login", json={"email": email, "password": "demo"})
            cliente.headers["Authorization"] = f"Bearer {resposta.json()['token']}"
            cliente.cookies.clear()
            yield cliente


def _linha_de_comando(processo: psutil.Process) -> list[str]:
    try:
        return processo.cmdline()
    except psutil.NoSuchProcess:  # it ended between the list and the look
        return []


async def corpo_de_bem(cliente: httpx.AsyncClient) -> dict[str, Any]:
    """A valid new asset."""
    bem = (await cliente.get("/api/patrimonios", params={"limite": 1})).json()["itens"][0]
    return {
        "descricao": "Criado sob carga",
        "valor": "10.00",
        "data_aquisicao": "2026-01-31",
        **{f"{campo}_id": bem[campo]["id"] for campo in ("classe", "setor", "local", "agente")},
    }


async def criados_sob_carga(cliente: httpx.AsyncClient) -> set[int]:
    """Numbers of the assets created by any load that the service has now."""
    achados: set[int] = set()
    pagina: str | None = ""
    while pagina is not None:
        params = {"q": "criado carga", "limite": 200, "pagina": pagina}
        lista = (await cliente.get("/api/patrimonios", params=params)).json()
        achados |= {bem["numero"] for bem in lista["itens"]}
        pagina = lista["proxima"]
    return achados


@dataclass
class Carga:
    """`taxa` requests a second, each in its time whether or not others are answered, every tenth a create; no retries."""

    cliente: httpx.AsyncClient
    corpo: dict[str, Any]
    taxa: float = 100.0
    enviados: int = 0
    criados: list[int] = field(default_factory=list)  # numbers of acknowledged creates
    perdidos: list[tuple[float, str]] = field(default_factory=list)  # when sent, why
    respondidos: list[float] = field(default_factory=list)  # when answered well

    async def __aenter__(self) -> Carga:
        self._fim = False
        self._pedidos: set[asyncio.Task[None]] = set()
        self._ritmo = asyncio.create_task(self._mandar())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._fim = True
        await self._ritmo
        await asyncio.gather(*self._pedidos)

    async def _mandar(self) -> None:
        inicio = time.monotonic()
        while not self._fim:
            self.enviados += 1
            pedido = asyncio.create_task(self._um(criar=self.enviados % 10 == 0))
            self._pedidos.add(pedido)
            pedido.add_done_callback(self._pedidos.discard)
            await asyncio.sleep(max(0.0, inicio + self.enviados / self.taxa - time.monotonic()))

    async def _um(self, *, criar: bool) -> None:
        quando = time.monotonic()
        try:
            if criar:
                resposta = await self.cliente.post("/api/patrimonios", json=self.corpo)
            else:
                resposta = await self.cliente.get("/api/patrimonios", params={"limite": 10})
            resposta.raise_for_status()
        except httpx.HTTPError as erro:
            self.perdidos.append((quando, repr(erro)))
            return
        self.respondidos.append(time.monotonic())
        if criar:
            self.criados.append(resposta.json()["numero"])

    def maior_pausa(self, desde: float) -> float:
        """Longest time without a good answer after `desde`, in seconds."""
        marcas = [desde, *sorted(t for t in self.respondidos if t >= desde)]
        return max(b - a for a, b in pairwise(marcas))
