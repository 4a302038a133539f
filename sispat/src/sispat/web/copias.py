"""How the backups are, as the operator beside the workers has written it.

Promises: no worker looks at a backup itself, nor loads what could: it reads one small file. A file that is old or
absent means that nobody makes backups, which is no pass.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sispat.domain.erros import SispatError
from sispat.settings import Settings

__all__ = ["ESTADO", "CopiasEmRisco", "OperadorParado", "estado_do_operador", "idade_da_copia"]

ESTADO = "ESTEIO_OPERATOR_STATE"  # the environment's name for the file; from `sispat serve` to its workers
_CALADO = 300.0  # seconds


class OperadorParado(SispatError):
    """The operator has said nothing for some minutes."""

    codigo = "operador-parado"

    def __init__(self, arquivo: Path) -> None:
        self.arquivo = arquivo
        super().__init__(f"O operador não escreve {arquivo} há mais de {_CALADO / 60:.0f} min: não se fazem cópias.")


class CopiasEmRisco(SispatError):
    """The operator is there, and says what is bad."""

    codigo = "copias-em-risco"

    def __init__(self, problemas: tuple[str, ...]) -> None:
        self.problemas = problemas
        super().__init__("; ".join(problemas))


def estado_do_operador(settings: Settings) -> Path:
    """Where the operator of this machine writes how the backups are."""
    return settings.data_dir / "operator.json"


async def idade_da_copia() -> float:
    """Hours since the newest backup that was proven was begun; 0 where another machine makes them."""
    arquivo = Path(os.environ[ESTADO])
    estado = await asyncio.to_thread(_lido, arquivo)
    escrito = float(estado.get("at", 0))
    if time.time() - escrito > _CALADO:
        raise OperadorParado(arquivo)
    if not estado["active"]:
        return 0.0
    if problemas := (*estado["found"], *estado["amiss"]):
        raise CopiasEmRisco(tuple(problema["text"] for problema in problemas))
    return (float(estado["verified_age"] or 0) + time.time() - escrito) / 3600


def _lido(arquivo: Path) -> Mapping[str, Any]:
    try:
        lido = json.loads(arquivo.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return lido if isinstance(lido, dict) else {}
