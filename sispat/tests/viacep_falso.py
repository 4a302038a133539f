"""A ViaCEP of our own, on loopback, with all the ways in which the real one can fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Self

SE = {"cep": "01001-000", "logradouro": "Praça da Sé", "complemento": "lado ímpar", "bairro": "Sé",
      "localidade": "São Paulo", "uf": "SP", "ibge": "3550308", "ddd": "11"}  # fmt: skip
FALHAS = ("fora", "mudo", "lento", "gotejando", "lixo", "outro cep", "lista", "enorme", "429", "500", "cai")
"""Every way not to answer."""
POR_ESPERA = ("fora", "mudo", "429")
"""For who asks through the look-up, which makes all of them one error: at once, after all its time, with a wait told."""


def _http(estado: str, corpo: bytes, *cabecalhos: str) -> bytes:
    linhas = [f"HTTP/1.1 {estado}", "Content-Type: application/json", f"Content-Length: {len(corpo)}", *cabecalhos]
    return "\r\n".join([*linhas, "", ""]).encode() + corpo


class ViacepFalso:
    """`modo` says how it behaves; `pedidos` are the paths it was asked for."""

    def __init__(self) -> None:
        self.modo = "ok"
        self.pedidos: list[str] = []
        self.porta = 0
        self._chegou = asyncio.Condition()
        self._servidor: asyncio.Server | None = None
        self._tarefas: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.porta}"

    async def __aenter__(self) -> Self:
        self._servidor = await asyncio.start_server(self._atender, "127.0.0.1", self.porta)
        self.porta = self._servidor.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sair()

    async def ser(self, modo: str) -> None:
        """Behave so from now on."""
        self.modo = modo
        if modo == "fora":
            await self.sair()

    async def ate(self, quantos: int) -> None:
        """Wait until it has been asked so often."""
        async with self._chegou:
            await self._chegou.wait_for(lambda: len(self.pedidos) >= quantos)

    async def sair(self) -> None:
        """Close the port and every connection."""
        if self._servidor is not None:
            self._servidor.close()
            self._servidor = None
        for tarefa in list(self._tarefas):
            tarefa.cancel()
        await asyncio.gather(*self._tarefas, return_exceptions=True)

    async def _atender(self, leitor: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
        tarefa = asyncio.current_task()
        assert tarefa is not None
        self._tarefas.add(tarefa)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    pedido = await leitor.readuntil(b"\r\n\r\n")
                    self.pedidos.append(pedido.split(b" ", 2)[1].decode())
                    async with self._chegou:
                        self._chegou.notify_all()
                    if not await self._responder(escritor):
                        return
        except asyncio.CancelledError:
            return  # `sair`
        finally:
            self._tarefas.discard(tarefa)
            escritor.close()

    async def _responder(self, escritor: asyncio.StreamWriter) -> bool:
        modo = self.modo
        if modo == "mudo":
            await asyncio.sleep(3600)
        if modo == "cai":
            return False
        if modo == "lento":
            await asyncio.sleep(2)
        if modo == "gotejando":
            for byte in _http("200 OK", json.dumps(SE).encode()):
                escritor.write(bytes([byte]))
                await escritor.drain()
                await asyncio.sleep(0.05)
            return True
        escritor.write(self._resposta(modo))
        await escritor.drain()
        return True

    def _resposta(self, modo: str) -> bytes:
        if modo == "429 uma vez" and len(self.pedidos) > 1:
            modo = "ok"
        corpos = {
            "desconhecido": b'{"erro": true}',
            "desconhecido em texto": b'{"erro": "true"}',
            "lixo": b"<html>Bem-vindo ao portal</html>",
            "lista": b"[1, 2, 3]",
            "enorme": json.dumps({**SE, "logradouro": "a" * 10_000_000}).encode(),
            "outro cep": json.dumps({**SE, "cep": "20040-020"}).encode(),
            "cidade": json.dumps({**SE, "logradouro": "", "bairro": ""}).encode(),
        }
        estados = {
            "malformado": ("400 Bad Request",),
            "500": ("500 Internal Server Error",),
            "429": ("429 Too Many Requests", "Retry-After: 30"),
            "429 uma vez": ("429 Too Many Requests", "Retry-After: 0"),
        }
        if modo in estados:
            estado, *cabecalhos = estados[modo]
            return _http(estado, b"", *cabecalhos)
        return _http("200 OK", corpos.get(modo, json.dumps(SE).encode()))
