"""Rules and dashboard ask for what is exported, are understood by Prometheus and Grafana, and fire when they should."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_programs import program
from typer.testing import CliRunner

from esteio.cli._main import _app
from esteio.metrics import DEFINITIONS, Thresholds, dashboard_file, rules_file
from esteio.metrics._dashboard import PANELS
from esteio.metrics._definitions import GROUPS
from esteio.metrics._rules import alerting_rules, recording_rules

HERE = 'job="web",instance="a"'
HOUR = 3600


def asked_for(expression: str) -> set[tuple[str, frozenset[str]]]:
    """The metrics of an expression, with the labels that are selected by."""
    found = re.findall(r"\b(esteio[\w:]+)(?:\{([^}]*)\})?", expression)
    return {(name, frozenset(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", inside))) for name, inside in found}


@pytest.mark.parametrize("where", ["rules", "dashboard"])
def test_rules_and_panels_ask_only_for_what_is_exported(where: str) -> None:
    recorded = {record.name for record in recording_rules("web")}
    if where == "rules":
        expressions = [record.expression for record in recording_rules("web")]
        expressions += [alert.expression for alert in alerting_rules("web", Thresholds())]
    else:
        panels = json.loads(dashboard_file())["panels"]
        expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 30
    for expression in expressions:
        for name, labels in asked_for(expression):
            metric = DEFINITIONS.get(name) or DEFINITIONS.get(re.sub(r"_(bucket|sum|count)$", "", name))
            assert metric is not None or name in recorded, name
            assert labels <= {"job", "instance", *(metric.labels if metric else ())}, expression


def test_each_group_of_metrics_has_a_panel_and_each_alert_a_name_of_its_own() -> None:
    assert {panel.group for panel in PANELS} == set(GROUPS)
    names = [alert.name for alert in alerting_rules("web", Thresholds())]
    assert len(names) == len(set(names))


def test_the_dashboard_is_what_grafanas_own_model_reads_and_writes() -> None:
    """The model is made by Grafana from the schema it publishes; what it does not know, it drops."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    ours = json.loads(dashboard_file("City", uid="city"))
    theirs = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(ours)))
    assert lost(ours, theirs, "$") == []
    ids = [panel["id"] for panel in ours["panels"]]
    assert len(ids) == len(set(ids))
    places = {(x, y) for panel in ours["panels"] for x, y in cells(panel["gridPos"])}
    assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in ours["panels"]), "two overlap"
    assert max(x for x, _ in places) < 24


def cells(place: dict[str, int]) -> list[tuple[int, int]]:
    return [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]


def lost(ours: Any, theirs: Any, path: str) -> list[str]:
    """Where `theirs` has not what `ours` has."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [path]
        return [each for key, value in ours.items() for each in lost(value, theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [path]
        return [each for at, value in enumerate(ours) for each in lost(value, theirs[at], f"{path}[{at}]")]
    return [] if ours == theirs else [f"{path}: {ours!r} is {theirs!r}"]


def test_thresholds_and_the_job_are_in_the_rules() -> None:
    done = CliRunner().invoke(_app, ["metrics", "rules", "--job", "orders", "--memory", "600", "--objective", "99.5"])
    assert done.exit_code == 0, done.output
    rules = {each["alert"]: each for each in yaml.safe_load(done.output)["groups"][1]["rules"]}
    assert rules["EsteioMemory"]["expr"] == 'esteio_worker_memory_bytes{job="orders"} > 600000000'
    assert "14.4 * 0.005" in rules["EsteioErrorBudgetBurn1h"]["expr"]
    assert all(rule["labels"]["job"] == "orders" for rule in rules.values())
    refused = CliRunner().invoke(_app, ["metrics", "rules", "--job", 'a"b'])
    assert refused.exit_code == 2
    with pytest.raises(ValueError, match="objective"):
        Thresholds(objective=100)
    assert json.loads(CliRunner().invoke(_app, ["metrics", "dashboard"]).output)["title"] == "Esteio"


def case(name: str, at: str, fires: set[str], **series: str) -> dict[str, Any]:
    """One unit test for promtool: exactly the alerts `fires` are firing `at`; series by their names without the braces."""
    given = {"up": "1x150", "esteio_workers": "2x150", "esteio_check_silent_seconds": "3x150"} | series
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": f"{key.partition('|')[0]}{{{HERE}{key.partition('|')[2]}}}", "values": values}
            for key, values in given.items()
            if values
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": at,
                "exp_samples": [{"labels": f'{{alertname="{each}"}}', "value": 1} for each in sorted(fires)],
            }
        ],
    }


OK = 'esteio_http_request_seconds_count|,outcome="2xx",route="/",method="GET"'
FAILED = 'esteio_http_request_seconds_count|,outcome="5xx",route="/",method="GET"'
BACKUPS = {"esteio_backup_agent_active": "1x150", "esteio_backup_agent_silent_seconds": "9x150"}
YOUNG = {"esteio_backup_newest_age_seconds": "60x150", "esteio_backup_proven_age_seconds": "60x150"}
OLD = {"esteio_backup_newest_age_seconds": f"{27 * HOUR}x150", "esteio_backup_proven_age_seconds": f"{27 * HOUR}x150"}

CASES = [
    case("a good hour", "70m", set(), **{OK: "0+600x200", FAILED: "0x200"}, **BACKUPS, **YOUNG),
    case("nobody can be scraped", "5m", {"EsteioAbsent"}, up="", esteio_workers=""),
    case("one of none", "5m", {"EsteioAbsent", "EsteioInstanceDown"}, up="0x60", esteio_workers=""),
    case("it answers without numbers", "10m", {"EsteioMeasurementsAbsent"}, esteio_workers=""),
    case("no worker", "3m", {"EsteioNoWorkers"}, esteio_workers="0x60"),
    case("one failure of sixty requests an hour is no evidence", "65m", set(), **{OK: "0+1x200", FAILED: "0x30 1x170"}),
    case(
        "two of a hundred of many requests burn a month's budget in two days", "65m",
        {"EsteioErrorBudgetBurn1h", "EsteioErrorBudgetBurn6h", "EsteioErrorBudgetBurn1d", "EsteioErrorBudgetBurn3d"},
        **{OK: "0+588x200", FAILED: "0+12x200"},
    ),
    case(
        "an outage that is over does not go on paging", "90m", {"EsteioErrorBudgetBurn1d", "EsteioErrorBudgetBurn3d"},
        **{OK: "0+600x120", FAILED: "0+60x40 2400x80"},
    ),
    case("the guide's five percent", "10m", {"EsteioErrors"} | {f"EsteioErrorBudgetBurn{w}" for w in ("1h", "6h")},
         **{OK: "0+500x60", FAILED: "0+100x60"}),
    case("400 MB", "15m", {"EsteioMemory"}, **{'esteio_worker_memory_bytes|,worker="1"': "401000000x60"}),
    case("80 %", "20m", {"EsteioCpu"}, **{'esteio_worker_cpu_seconds_total|,worker="1"': "0+50x60"}),
    case("1000 ms", "10m", {"EsteioDatabaseSlow"}, **{'esteio_check_value|,check="postgres:responseTime"': "1001x60"}),
    case("no request is no failure", "20m", set()),
    case("a circuit opens", "3m", {"EsteioCircuitOpen"},
         **{'esteio_policy_breaker_state|,pipeline="cep",policy="cep",state="open"': "1x60"}),
    case("the database is away", "3m", {"EsteioDatabaseDown"}, **{'esteio_postgres_up|,database="x"': "0x60"}),
    case("a commit nobody can tell of", "5m", {"EsteioCommitUnknown"},
         **{'esteio_postgres_unknown_total|,database="x"': "0 0 0 1x60"}),
    case("limits without Redis", "12m", {"EsteioLimitsDegraded"},
         **{'esteio_limit_decisions_total|,rule="api",decision="degraded"': "0+3x60"}),
    case("an old backup", "20m", {"EsteioBackupOverdue", "EsteioBackupUnproven"}, **BACKUPS, **OLD),
    case("a young backup that nobody proved", "20m", {"EsteioBackupUnproven"}, **BACKUPS,
         esteio_backup_newest_age_seconds="60x60"),
    case("another machine makes the backups", "20m", set(), **{**BACKUPS, "esteio_backup_agent_active": "0x60"}, **OLD),
    case("a silent agent", "5m", {"EsteioBackupAgentSilent"},
         **{**BACKUPS, "esteio_backup_agent_silent_seconds": "301x60"}, **YOUNG),
    case("WAL behind", "15m", {"EsteioWalBehind"}, esteio_backup_wal_lag_bytes="300000000x60"),
    case("a full disk", "10m", {"EsteioDiskPage", "EsteioDiskTicket"}, **{'esteio_check_value|,check="disk:free"': "1x60"}),
    case("a certificate that ends", "65m", {"EsteioCertificateTicket"},
         **{'esteio_check_value|,check="tls:certificate"': "20x90"}),
    case("a check that is down", "3m", {"EsteioCheckDown"}, **{'esteio_check_state|,check="dns:x",state="down"': "1x60"}),
    case("nobody looks", "5m", {"EsteioChecksSilent"}, esteio_check_silent_seconds="200x60"),
]  # fmt: skip


@pytest.mark.fault
@pytest.mark.untimed
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    promtool = program("promtool")
    (tmp_path / "rules.yml").write_text(rules_file("web"))
    units = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": CASES}
    (tmp_path / "tests.yml").write_text(json.dumps(units))
    checked = subprocess.run([promtool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    tested = subprocess.run(
        [promtool, "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
