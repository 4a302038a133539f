"""`sispat cluster status` says in Portuguese how the machines stand, and ends with the code for it."""

from __future__ import annotations

import json
from pathlib import Path

from processos import por_dentro

from esteio.cluster import PLAN, Plan, write_files


def test_machines_that_do_not_answer_are_told_in_portuguese_and_as_json(tmp_path: Path) -> None:
    write_files(Plan.of("a=127.0.0.2,b=127.0.0.3,c=127.0.0.4", name="sispat"), tmp_path)  # nobody listens there
    dito = por_dentro("cluster", "status", "--config", str(tmp_path / PLAN))
    assert dito.returncode == 2, dito
    assert ("sem resposta" in dito.stdout, "Ninguém grava." in dito.stdout) == (True, True), dito.stdout
    dito = por_dentro("cluster", "status", "--json", ESTEIO_CLUSTER=str(tmp_path / PLAN))
    achado = json.loads(dito.stdout)
    assert (dito.returncode, achado["leader"], achado["quorum"]) == (2, None, False)
    assert [each["role"] for each in achado["members"]] == [None, None, None]


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    dito = por_dentro("cluster", "status", "--config", str(tmp_path / "nada.toml"))
    assert (dito.returncode, "nada.toml" in dito.stderr) == (1, True), dito
