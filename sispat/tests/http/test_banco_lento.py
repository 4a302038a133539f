"""What the database does slowly or in doubt is told to operators with the route, and to people in plain words."""

import logging

import pytest

from esteio.postgres import CommitUnknown, DatabaseUnavailable, LockTimeout
from sispat.http.database import ServiceDatabase
from sispat.http.errors import problem_of
from sispat.http.service import Service


async def test_a_slow_statement_names_the_route_and_the_line_and_no_value(
    cliente, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impaciente(*args: object, **kwargs: object) -> ServiceDatabase:
        return ServiceDatabase(*args, **kwargs, slow_warn=1e-9)  # type: ignore[arg-type]

    monkeypatch.setattr("sispat.http.service.ServiceDatabase", impaciente)
    with caplog.at_level(logging.WARNING, "esteio.postgres.slow"):
        async with cliente("gestor@demo.local") as c:
            assert (await c.get("/api/patrimonios?q=mesa")).status_code == 200
    linhas = [registro.getMessage() for registro in caplog.records if registro.name == "esteio.postgres.slow"]
    da_rota = [linha for linha in linhas if linha.endswith(" in GET /api/patrimonios")]
    assert da_rota
    assert all("/sispat/" in linha for linha in da_rota)
    assert not any("mesa" in linha or "gestor@" in linha for linha in linhas)


def test_a_commit_in_doubt_is_not_to_be_repeated_blindly() -> None:
    problema = problem_of(CommitUnknown("sispat", 7, "o servidor sumiu"))
    assert (problema.status, problema.code) == (503, "gravacao-incerta")
    assert "Retry-After" not in problema.headers
    assert "Nada se perdeu" not in problema.message


def test_a_lock_and_an_outage_may_be_tried_again() -> None:
    assert problem_of(LockTimeout("sispat", "ocupado")).headers == {"Retry-After": "1"}
    assert problem_of(DatabaseUnavailable("sispat", "fora")).headers == {"Retry-After": "1"}


async def test_the_sessions_of_a_worker_carry_its_number(monkeypatch: pytest.MonkeyPatch, cidade) -> None:
    from esteio.serve import lifecycle
    from sispat.settings import load_settings

    monkeypatch.setattr(lifecycle, "slot", 3)
    monkeypatch.setenv("DATABASE_URL", cidade.url)
    async with Service.build(load_settings()).db as db:
        assert await db.fetch_value("select current_setting('application_name')") == "sispat w3"
