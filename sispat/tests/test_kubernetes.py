"""deploy/kubernetes/: Kubernetes knows every field, and the manifests fit each other and SISPAT's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sispat.settings import load_settings

PLACE = Path(__file__).parents[2] / "deploy" / "kubernetes"
FILES = ("database.yaml", "redis.yaml", "sispat.yaml", "backup.yaml")
ALL = [(file, document) for file in FILES for document in yaml.safe_load_all((PLACE / file).read_text("utf-8"))]
OURS = [document for _, document in ALL if not document["apiVersion"].startswith("postgresql.cnpg.io")]
SECRETS = {  # what docs/how-to/kubernetes.md and CloudNativePG make
    "sispat": {"SISPAT_SECRET", "REDIS_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    "sispat-db-app": {"username", "password", "dbname", "uri"},
}
GIVEN = {"SISPAT_SECRET": "s" * 40, "REDIS_PASSWORD": "r" * 48, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for _, each in ALL if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return dict(found)


def pods() -> dict[str, dict[str, Any]]:
    """The template of each pod, by the name of what makes it."""
    found = {each["metadata"]["name"]: each["spec"]["template"] for each in OURS if each["kind"] == "Deployment"}
    jobs = [each for each in OURS if each["kind"] == "CronJob"]
    return found | {each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]["template"] for each in jobs}


def test_every_file_is_looked_at() -> None:
    assert sorted(path.name for path in PLACE.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("document", OURS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_kubernetes_has_every_field(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.33", strict=True)


def test_a_field_that_is_none_is_found() -> None:
    wrong = named("PodDisruptionBudget", "sispat")
    wrong["spec"] = {**wrong["spec"], "maxUnavailables": 1}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


@pytest.mark.parametrize("name", pods())
def test_a_pod_runs_as_nobody_in_particular_and_what_it_mounts_and_asks_for_is_there(name: str) -> None:
    spec = pods()[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    volumes = {each["name"]: each for each in spec.get("volumes", ())}
    claims = [
        each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
    ]
    assert all(named("PersistentVolumeClaim", claim) for claim in claims)
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {each["name"] for each in container.get("volumeMounts", ())} == volumes.keys()
    for variable in container["env"]:
        if "valueFrom" in variable:
            source = variable["valueFrom"]["secretKeyRef"]
            assert source["key"] in SECRETS[source["name"]]


def test_selectors_and_ports_lead_to_pods_that_are_there() -> None:
    labels = {name: template["metadata"]["labels"] for name, template in pods().items()}
    for each in (document for document in OURS if document["kind"] in ("Service", "PodDisruptionBudget")):
        selected = each["spec"]["selector"].get("matchLabels", each["spec"]["selector"])
        assert selected in labels.values(), each["metadata"]
        for port in each["spec"].get("ports", ()):
            (container,) = next(pods()[name] for name, own in labels.items() if own == selected)["spec"]["containers"]
            assert port["targetPort"] in [own["name"] for own in container["ports"]]
    backend = named("Ingress", "sispat")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["port"]["name"] in [port["name"] for port in named("Service", backend["name"])["spec"]["ports"]]


@pytest.mark.parametrize("name", ["sispat", "sispat-backup"])
def test_the_settings_of_a_pod_are_ones_that_sispat_has_and_takes(name: str, tmp_path: Path) -> None:
    (container,) = pods()[name]["spec"]["containers"]
    plain = {each["name"]: each.get("value", "p4ssw0rd") for each in container["env"]}
    told = named("ConfigMap", "sispat")["data"] | GIVEN | plain
    told["DATABASE_URL"] = told["DATABASE_URL"].replace("$(DATABASE_PASSWORD)", told.pop("DATABASE_PASSWORD"))
    page = (PLACE.parents[1] / "docs/reference/settings.md").read_text("utf-8")
    known = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert told.keys() - known <= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, "obstore reads these by itself"
    told |= {each: str(tmp_path) for each in ("SISPAT_DATA_DIR", "SISPAT_DOCUMENTS_DIR") if each in told}
    told |= {"BACKUP_DIR": str(tmp_path / "copies")} if "BACKUP_DIR" in told else {}
    settings = load_settings(told)
    assert settings.database_url is not None
    assert settings.database_url.hosts == (("sispat-db-rw", 5432),)
    assert settings.port == 8000
    probes = [container[each]["httpGet"]["path"] for each in container if each.endswith("Probe")]
    assert set(probes) <= {"/api/health/live", "/api/health/ready"}


def test_the_database_is_three_instances_of_which_two_have_each_commit() -> None:
    spec = named("Cluster", "sispat-db")["spec"]
    assert (spec["instances"], spec["affinity"]["podAntiAffinityType"]) == (3, "required")
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "preferred"}
    assert spec["bootstrap"]["initdb"]["database"] == spec["bootstrap"]["initdb"]["owner"] == "sispat"
