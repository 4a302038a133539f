"""People who use a real service while it is being broken, and count what they lose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx2
import psutil
from processos import Service


def trabalhadores(servico: Service) -> list[psutil.Process]:
    """The worker processes."""
    return _com("spawn_main", servico.processo.children())


def sessoes(servico: Service) -> list[psutil.Process]:
    """The database's processes that work for the service now; one that is killed takes all sessions with it."""
    return servico.esperar(lambda: _com("postgres: sispat_app", servico.postgres()), 60)


def matar(*processos: psutil.Process) -> None:
    """SIGKILL; one that has just ended by itself is no matter."""
    for processo in processos:
        with suppress(psutil.NoSuchProcess):
            processo.kill()


def _com(palavra: str, processos: list[psutil.Process]) -> list[psutil.Process]:
    """Those whose command has a word."""
    achados = []
    for processo in processos:
        try:
            if any(palavra in parte for parte in processo.cmdline()):
                achados.append(processo)
        except psutil.NoSuchProcess:  # it ended between the list and the look
            continue
    return achados


@asynccontextmanager
async def entrar(servico: Service, email: str = "gestor@demo.local") -> AsyncIterator[httpx2.AsyncClient]:
    """A signed-in client."""
    limites = httpx2.Limits(max_connections=60, max_keepalive_connections=20, keepalive_expiry=60)
    async with httpx2.AsyncClient(base_url=servico.endereco(), limits=limites, timeout=20) as cliente:
        resposta = await cliente.post("/api/auth/login", json={"email": email, "password": "demo"})
        cliente.headers["Authorization"] = f"Bearer {resposta.json()['token']}"
        cliente.cookies.clear()
        yield cliente


async def corpo_de_bem(cliente: httpx2.AsyncClient) -> dict[str, Any]:
    """A valid new asset."""
    bem = (await cliente.get("/api/patrimonios", params={"limit": 1})).json()["items"][0]
    return {
        "descricao": "Criado sob carga",
        "valor": "10.00",
        "data_aquisicao": "2026-01-31",
        **{f"{campo}_id": bem[campo]["id"] for campo in ("classe", "setor", "local", "agente")},
    }


async def criados_sob_carga(cliente: httpx2.AsyncClient) -> set[int]:
    """Numbers of the assets created by any load that the service has now."""
    achados: set[int] = set()
    pagina: str | None = ""
    while pagina is not None:
        params = {"q": "criado carga", "limit": 200, "cursor": pagina}
        lista = (await cliente.get("/api/patrimonios", params=params)).json()
        achados |= {bem["numero"] for bem in lista["items"]}
        pagina = lista["next"]
    return achados


@dataclass
class Carga:
    """`taxa` requests a second, each in its time whether or not others are answered, every tenth a create; no retries."""

    cliente: httpx2.AsyncClient
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
                resposta = await self.cliente.get("/api/patrimonios", params={"limit": 10})
            resposta.raise_for_status()
        except httpx2.HTTPError as erro:
            self.perdidos.append((quando, repr(erro)))
            return
        self.respondidos.append(time.monotonic())
        if criar:
            self.criados.append(resposta.json()["numero"])

    def maior_pausa(self, desde: float) -> float:
        """Longest time without a good answer after `desde`, in seconds."""
        marcas = [desde, *sorted(t for t in self.respondidos if t >= desde)]
        return max(b - a for a, b in pairwise(marcas))
