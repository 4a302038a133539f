"""deploy/: Prometheus, Alertmanager and Grafana beside SISPAT, on loopback, with what the commands print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from processos import por_dentro

from esteio.metrics import Thresholds
from esteio.metrics._rules import alerting_rules
from sispat.cli._metrics_words import ALERT_TEXTS, alert_texts
from sispat.kernel.i18n import using

DEPLOY = Path(__file__).parents[2] / "deploy"
SECRETS = {"operations_token", "webhook_url", "grafana_password"}


def read(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text("utf-8"))


@pytest.mark.parametrize(
    ("command", "file"), [("rules", "prometheus/rules.yml"), ("dashboard", "grafana/dashboards/sispat.json")]
)
def test_the_rules_and_the_dashboard_are_what_the_commands_print(command: str, file: str) -> None:
    done = por_dentro("metrics", command)
    assert done.returncode == 0, done.stderr
    assert (DEPLOY / file).read_text("utf-8") == done.stdout, "run `make docs`"


def test_everything_listens_on_loopback_alone_and_what_is_mounted_is_there() -> None:
    services = read("compose.yml")["services"]
    assert services.keys() == {"prometheus", "alertmanager", "grafana"}
    for name, service in services.items():
        assert service["network_mode"] == "host", (
            "a published port would be open to the network, whatever the firewall says"
        )
        assert "ports" not in service
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: a tag that moves"
        listening = [argument for argument in service.get("command", ()) if ".listen-address=" in argument]
        assert all(re.search(r"=(127\.0\.0\.1:\d+)?$", argument) for argument in listening), listening
        assert listening or service["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
        for volume in service["volumes"]:
            source, _, rest = volume.partition(":")
            if source.startswith("./secrets/"):
                assert source.removeprefix("./secrets/") in SECRETS
            elif source.startswith("."):
                assert (DEPLOY / source).is_dir(), source
                assert rest.endswith(":ro"), volume


def test_each_file_names_what_the_others_have() -> None:
    prometheus = read("prometheus/prometheus.yml")
    assert [(DEPLOY / "prometheus" / each).is_file() for each in prometheus["rule_files"]] == [True]
    (scrape,) = prometheus["scrape_configs"]
    rules = read("prometheus/rules.yml")
    jobs = {rule["labels"]["job"] for group in rules["groups"] for rule in group["rules"]}
    assert jobs == {scrape["job_name"]}
    mounted = [volume.split(":") for each in read("compose.yml")["services"].values() for volume in each["volumes"]]
    inside = {parts[1]: parts[0] for parts in mounted}
    assert inside[scrape["authorization"]["credentials_file"]] == "./secrets/operations_token"
    alertmanager = read("alertmanager/alertmanager.yml")
    (receiver,) = alertmanager["receivers"]
    assert inside[receiver["slack_configs"][0]["api_url_file"]] == "./secrets/webhook_url"
    (provider,) = read("grafana/provisioning/dashboards/sispat.yml")["providers"]
    assert inside[provider["options"]["path"]] == "./grafana/dashboards"
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    command = read("compose.yml")["services"]["prometheus"]["command"]
    assert f"--web.listen-address={source['url'].removeprefix('http://')}" in command


def test_what_alertmanager_suppresses_is_the_name_of_an_alert() -> None:
    alerts = [rule["alert"] for rule in read("prometheus/rules.yml")["groups"][1]["rules"]]
    for rule in read("alertmanager/alertmanager.yml")["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for name in re.findall(r"Esteio[\w.*]+", matcher):
                assert [alert for alert in alerts if re.fullmatch(name, alert)], name


def test_every_alert_has_a_text_in_portuguese_with_its_templates() -> None:
    alerts = list(alerting_rules("sispat", Thresholds()))
    assert set(ALERT_TEXTS) == {alert.name for alert in alerts}
    for alert in alerts:
        for theirs, ours in zip((alert.summary, alert.remedy), ALERT_TEXTS[alert.name], strict=True):
            assert sorted(re.findall(r"{{.*?}}", ours)) == sorted(re.findall(r"{{.*?}}", theirs)), alert.name
    assert "Nenhuma instância" in (DEPLOY / "prometheus/rules.yml").read_text("utf-8")
    with using("en"):
        assert alert_texts() == {}, "Esteio has them in English"
