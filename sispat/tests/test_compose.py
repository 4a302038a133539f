"""The Compose files: the specification knows every field, and they fit the image and what `esteio cluster init` writes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from esteio.cluster import Plan, files_of
from sispat import __version__
from sispat.settings import load_settings

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "compose"
SCHEMA = ROOT / ".venv/debian/usr/lib/python3/dist-packages/compose/config/compose_spec.json"
FILES = [ROOT / "deploy" / "compose.yml", PLACE / "compose.yaml", PLACE / "compose.cluster.yaml"]


def service(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PLACE / file).read_text("utf-8"))["services"]["sispat"]
    return found


@pytest.fixture(scope="module")
def specification() -> jsonschema.Draft201909Validator:
    """The schema of the Compose specification, as Debian's docker-compose has it."""
    if not SCHEMA.exists():
        why = f"not here: {SCHEMA} (.ci/debian)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text("utf-8")))


@pytest.mark.parametrize("file", FILES, ids=lambda each: each.name)
def test_the_specification_has_every_field(file: Path, specification: Any) -> None:
    specification.validate(yaml.safe_load(file.read_text("utf-8")))


def test_a_field_that_is_none_is_found(specification: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        specification.validate({"services": {"sispat": {**service("compose.yaml"), "mem_limits": "4g"}}})


def test_what_the_image_keeps_are_the_volumes_and_nothing_else_is_written_to() -> None:
    text = (PLACE / "Containerfile").read_text("utf-8")
    one = service("compose.yaml")
    kept = {volume.split(":")[1] for volume in one["volumes"]} - {"/tmp"}
    (told,) = re.findall(r"^VOLUME (.*)$", text, re.M)
    assert set(json.loads(told)) == kept
    assert one["read_only"] is True
    assert one["image"] == f"sispat:{__version__}"
    assert (PLACE / one["build"]["context"] / one["build"]["dockerfile"]).resolve() == PLACE / "Containerfile"
    places = {one["environment"]["BACKUP_DIR"], *re.findall(r"SISPAT_DATA_DIR=(\S+)", text)}
    assert places == kept


def test_a_node_of_three_is_given_the_files_that_are_written_for_it() -> None:
    told = {"SISPAT_HOST": "{address}", "SISPAT_TLS_CERTIFICATE": "{certificate}", "SISPAT_TLS_KEY": "{key}"}
    plan = Plan.of("a=10.0.0.1,b=10.0.0.2,c=10.0.0.3", name="sispat", environment=told)
    node = service("compose.cluster.yaml")
    written = {f"{plan.config_dir}/{file.name}": file.text for file in files_of(plan, plan.nodes[0])}
    given = [each for each in node["env_file"] if each.startswith("/")]
    assert set(given) <= written.keys()
    assert node["volumes"] == [f"{plan.service_dir}:{plan.service_dir}:ro"]
    variables = dict(line.split("=", 1) for each in given for line in written[each].splitlines())
    settings = load_settings(variables)
    assert (settings.host, settings.warnings) == ("10.0.0.1", ())
    assert settings.backup_database_url is not None
    assert plan.service_dir in variables["DATABASE_URL"]
    assert plan.config_dir not in variables["DATABASE_URL"], "a folder that the container does not have"
