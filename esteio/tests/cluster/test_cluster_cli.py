"""`esteio cluster`: what it writes, what it says, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from esteio.cli import StatusWords
from esteio.cli._three import status_lines
from esteio.cluster import Node, read_plan
from esteio.cluster.operate import ClusterStatus, Member

TRIO = "a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"


def esteio(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "esteio", "cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=cwd)


def test_init_writes_each_node_once_with_secrets_that_stay_and_are_never_shown(tmp_path: Path) -> None:
    done = esteio("init", "--nodes", TRIO, "--env", "SITE={node}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "cluster"
    assert place.stat().st_mode & 0o777 == 0o700
    first = read_plan(place / "cluster.toml")
    assert first.secrets.superuser not in done.stdout + done.stderr
    assert "SITE=b" in (place / "b" / "service.env").read_text()
    shows = "nothing of --env tells it /etc/esteio-service/tls.crt"
    assert shows in done.stdout
    certificate = ("--env", "CERTIFICATE={certificate}", "--env", "KEY={key}")
    told = esteio("init", "--nodes", TRIO, "--virtual-ip", "10.0.0.9/24", *certificate, cwd=tmp_path)
    assert shows not in told.stdout
    lines = (place / "b" / "service.env").read_text().splitlines()
    assert {"CERTIFICATE=/etc/esteio-service/tls.crt", "KEY=/etc/esteio-service/tls.key"} <= set(lines)
    again = read_plan(place / "cluster.toml")
    assert again.secrets == first.secrets
    assert (place / "c" / "keepalived.conf").exists()
    assert read_plan(place / "a" / "cluster.toml") == again


def test_two_nodes_are_refused_with_what_to_do_and_nothing_is_written(tmp_path: Path) -> None:
    done = esteio("init", "--nodes", "a=10.0.0.1,b=10.0.0.2", cwd=tmp_path)
    assert done.returncode == 1
    assert "--witness" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cluster").exists()


def test_explain_tells_the_formula_and_refuses_times_that_cannot_be(tmp_path: Path) -> None:
    assert "writes wait for at most   25 s" in esteio("explain", cwd=tmp_path).stdout
    refused = esteio("explain", "--retry-timeout", "10", cwd=tmp_path)
    assert refused.returncode == 2
    assert "ttl" in refused.stderr


def test_status_of_a_cluster_that_does_not_answer_says_so_and_ends_with_two(tmp_path: Path) -> None:
    nodes = "a=127.0.0.2,b=127.0.0.3,c=127.0.0.4"  # nobody listens there
    esteio("init", "--nodes", nodes, cwd=tmp_path)
    done = esteio("status", "--config", "cluster/cluster.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "Nobody takes writes" in done.stdout
    assert "nobody can be promoted" in done.stdout
    told = esteio("status", "--config", "cluster/cluster.toml", "--json", cwd=tmp_path)
    said = json.loads(told.stdout)
    assert (told.returncode, said["ok"], said["exit_code"], said["leader"]) == (2, False, 2, None)
    assert [each["name"] for each in said["members"]] == ["a", "b", "c"]


@pytest.mark.timeout(180)
def test_renew_signs_all_anew_and_a_program_that_does_not_answer_counts_as_soon(tmp_path: Path) -> None:
    esteio("init", "--nodes", "a=127.0.0.2,b=127.0.0.3,c=127.0.0.4", cwd=tmp_path)  # nobody listens there
    before = (tmp_path / "cluster/b/tls.crt").read_text()
    done = esteio("renew", cwd=tmp_path)
    assert (done.returncode, "7 certificates are new, each valid for 730 days" in done.stdout) == (0, True), done
    assert (tmp_path / "cluster/b/tls.crt").read_text() != before
    told = esteio("certificates", "--config", "cluster/cluster.toml", "--json", cwd=tmp_path)
    said = json.loads(told.stdout)
    assert (told.returncode, said["exit_code"], len(said["certificates"])) == (1, 1, 21), told
    refused = esteio("reload", "--config", "cluster/cluster.toml", cwd=tmp_path)
    assert (refused.returncode, refused.stdout.count("refused")) == (1, 6), refused


def test_restart_asks_first_and_refuses_a_witness_and_a_cluster_that_nobody_leads(tmp_path: Path) -> None:
    esteio("init", "--nodes", "a=127.0.0.2,b=127.0.0.3", "--witness", "w=127.0.0.4", cwd=tmp_path)
    config = ("--config", "cluster/cluster.toml")
    assert esteio("restart", "b", *config, cwd=tmp_path).returncode == 1, "nobody answers the question"
    witness = esteio("restart", "w", *config, "--yes", cwd=tmp_path)
    assert (witness.returncode, "a witness has no server" in witness.stderr) == (1, True)
    silent = esteio("restart", "b", *config, "--yes", cwd=tmp_path)
    assert (silent.returncode, "nobody leads" in silent.stderr) == (1, True)


def test_the_watchdog_is_as_it_was_asked_for(tmp_path: Path) -> None:
    esteio("init", "--nodes", TRIO, cwd=tmp_path)
    unit, told = (tmp_path / "cluster" / "a" / name for name in ("esteio-patroni.service", "patroni.yml"))
    assert 'mode: "automatic"' in told.read_text()
    assert "modprobe softdog" in unit.read_text()
    esteio("init", "--nodes", TRIO, "--watchdog", "off", cwd=tmp_path)
    assert 'mode: "off"' in told.read_text()
    assert "softdog" not in unit.read_text()
    refused = esteio("init", "--nodes", TRIO, "--watchdog", "perhaps", cwd=tmp_path)
    assert (refused.returncode, "off, automatic, required" in refused.stderr) == (1, True)


def _stands(*members: tuple[str | None, str | None, bool]) -> ClusterStatus:
    """Of data nodes a, b, ... with role, state and vote."""
    found = (
        Member(Node("abc"[number], f"10.0.0.{number}"), role, state, votes=votes)
        for number, (role, state, votes) in enumerate(members)
    )
    return ClusterStatus(tuple(found))


LEADS, CONFIRMS, GONE = ("leader", "running", True), ("quorum_standby", "streaming", True), (None, None, False)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ((LEADS, CONFIRMS, CONFIRMS), 0),
        ((LEADS, CONFIRMS, GONE), 1),
        ((LEADS, CONFIRMS, ("replica", "streaming", False)), 1),
        ((LEADS, ("replica", "starting", True), ("replica", "starting", True)), 1),
        ((LEADS, GONE, GONE), 2),
        ((("leader", "stopped", True), CONFIRMS, CONFIRMS), 2),
        ((GONE, GONE, GONE), 2),
    ],
)
def test_the_exit_code_says_whether_it_works_and_whether_anything_is_missing(
    members: tuple[tuple[str | None, str | None, bool], ...], code: int
) -> None:
    found = _stands(*members)
    assert (found.exit_code, found.plain()["exit_code"]) == (code, code)
    lines = status_lines(found, StatusWords())
    assert (len(lines) > 4) == (code > 0), "what is missing is said in a line of its own"
