"""Both wheels in an empty environment, with what they say they need and nothing else, serve."""

from __future__ import annotations

import os

import pytest
from carga import entrar
from pacotes import Made, environment
from processos import Service

pytestmark = [
    pytest.mark.fault,
    pytest.mark.untimed,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="links of POSIX"),
]


async def test_both_wheels_in_an_empty_environment_are_enough_to_serve_the_demo(made: Made) -> None:
    """Whatever is imported without being asked for in a wheel's metadata is missing here."""
    programs = environment(made.directory / "empty", *made.first_wheels)
    with Service(
        "--demo", "--size", "100", programa=[str(programs / "sispat")],
        **made.variables(SISPAT_DATA_DIR=str(made.directory / "demo"), SISPAT_JOBS="1"),
    ) as service:  # fmt: skip
        service.pronto(150)
        async with entrar(service, "admin@demo.local") as client:
            assert (await client.get("/api/patrimonios")).json()["items"]
            page = await client.get("/entrar")
            assert page.status_code == 200
            assert (await client.get("/api/health")).json()["version"] == "0.1.0"
        assert service.encerrar() == 0
