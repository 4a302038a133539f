"""`sispat manutencao`: closed by hand until it is opened by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner

from esteio.maintenance import Maintenance, MaintenanceHeld
from sispat.cli import _maintenance
from sispat.cli._maintenance import app, time_said

_CUIABA = "America/Cuiaba"


@pytest.fixture
def chave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maintenance:
    monkeypatch.setenv("SISPAT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SISPAT_TIMEZONE", _CUIABA)
    return Maintenance(tmp_path / "manutencao")


def sispat(*argumentos: str) -> str:
    feito = CliRunner().invoke(app, list(argumentos))
    assert feito.exit_code == 0, feito.output
    return feito.output


def test_it_is_closed_shown_and_opened_by_hand(chave: Maintenance) -> None:
    assert sispat("estado") == "O sistema está aberto.\n"
    dito = sispat("ligar", "--motivo", "troca de disco", "--ate", "2026-03-01T15:30")
    assert dito.endswith("Volta prevista para 01/03/2026 às 15:30. Motivo: troca de disco\n")
    assert sispat("estado") == dito
    assert sispat("desligar") == "O sistema está aberto.\n"
    assert sispat("desligar") == "O sistema já estava aberto.\n"


def test_what_a_restore_keeps_closed_is_not_opened_by_hand(chave: Maintenance) -> None:
    with chave.held("trazendo uma cópia"):
        assert "processo" in sispat("estado")
        assert isinstance(CliRunner().invoke(app, ["desligar"]).exception, MaintenanceHeld)
    assert chave.look() is None


def test_a_database_that_does_not_come_back_leaves_it_closed(
    chave: Maintenance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://x@/x?host={tmp_path}")
    monkeypatch.setattr(_maintenance, "_ANSWER_LIMIT", 0.0)
    with pytest.raises(_maintenance.DatabaseNotBack, match="continua fechado"), _maintenance.closed_for_restore():
        assert chave.look() is not None
    assert "sendo conferida" in sispat("estado")
    with pytest.raises(KeyboardInterrupt), _maintenance.closed_for_restore():
        raise KeyboardInterrupt
    sispat("desligar")
    assert chave.look() is None


def test_a_time_of_day_is_the_next_one_on_the_citys_clocks() -> None:
    agora = datetime(2026, 3, 1, 23, 0, tzinfo=ZoneInfo(_CUIABA))
    assert time_said("23:30", _CUIABA, agora).isoformat() == "2026-03-01T23:30:00-04:00"
    assert time_said("01:15", _CUIABA, agora).isoformat() == "2026-03-02T01:15:00-04:00"
    assert time_said("2026-03-05T08:00", _CUIABA, agora).isoformat() == "2026-03-05T08:00:00-04:00"
    assert time_said("2026-03-05T08:00+00:00", _CUIABA, agora).isoformat() == "2026-03-05T08:00:00+00:00"
    for errada in ("8h", "25:00", "amanhã", "às 8"):
        with pytest.raises(typer.BadParameter, match="--ate quer uma hora"):
            time_said(errada, _CUIABA, agora)
