"""Assets as CSV, streamed.

Promises: memory stays bounded whatever the size; a value that a spreadsheet would run as a formula is
defused; what people open in a Brazilian spreadsheet reads right (UTF-8 with BOM, semicolons, decimal comma).
An error after the first line ends the connection short, so a cut file is not taken for a whole one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sispat.usecases import patrimonios
from sispat.web.porta import Atendimento

__all__ = ["csv_de_patrimonios"]

_COLUNAS = (
    "numero", "descricao", "classe", "valor", "data_aquisicao", "situacao", "conservacao", "setor", "local",
    "agente", "matricula",
)  # fmt: skip


async def csv_de_patrimonios(request: Request, pedido: patrimonios.ListaDePatrimonios) -> Response:
    """All assets that `pedido` matches, as a download."""
    async with Atendimento(request) as ctx:  # refused before the first byte, so that the status can still say so
        await patrimonios.contar(ctx, pedido, teto=1)
    return StreamingResponse(
        _linhas(request, pedido),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="patrimonios.csv"', "Cache-Control": "no-store"},
    )


async def _linhas(request: Request, pedido: patrimonios.ListaDePatrimonios) -> AsyncIterator[bytes]:
    yield "\ufeff".encode() + _csv([_COLUNAS])
    async with Atendimento(request) as ctx:
        async for lote in patrimonios.exportar(ctx, pedido):
            yield _csv([_linha(bem) for bem in lote])


def _linha(bem: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{bem['numero']:06}",
        _inofensivo(bem["descricao"]),
        _inofensivo(bem["classe"]["nome"]),
        bem["valor"].replace(".", ","),
        bem["data_aquisicao"],
        bem["situacao"],
        bem["conservacao"],
        _inofensivo(bem["setor"]["nome"]),
        _inofensivo(bem["local"]["nome"]),
        _inofensivo(bem["agente"]["nome"]),
        _inofensivo(bem["agente"]["matricula"]),
    )


def _inofensivo(texto: str) -> str:
    """A leading character that starts a formula is quoted (OWASP, CSV injection)."""
    return f"'{texto}" if texto[:1] in ("=", "+", "-", "@", "\t", "\r") else texto


def _csv(linhas: list[tuple[str, ...]]) -> bytes:
    saida = io.StringIO()
    csv.writer(saida, delimiter=";", lineterminator="\r\n").writerows(linhas)
    return saida.getvalue().encode()
