"""`esteio cluster`: what it writes, what it says, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from esteio.cluster import read_plan

TRIO = "a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"


def esteio(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "esteio", "cluster", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=cwd)


def test_init_writes_each_node_once_with_secrets_that_stay_and_are_never_shown(tmp_path: Path) -> None:
    done = esteio("init", "--nodes", TRIO, "--env", "SITE={node}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "cluster"
    assert place.stat().st_mode & 0o777 == 0o700
    first = read_plan(place / "cluster.toml")
    assert first.secrets.superuser not in done.stdout + done.stderr
    assert "SITE=b" in (place / "b" / "service.env").read_text()
    esteio("init", "--nodes", TRIO, "--virtual-ip", "10.0.0.9/24", cwd=tmp_path)
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


def test_status_of_a_cluster_that_does_not_answer_says_so_and_ends_with_one(tmp_path: Path) -> None:
    nodes = "a=127.0.0.2,b=127.0.0.3,c=127.0.0.4"  # nobody listens there
    esteio("init", "--nodes", nodes, cwd=tmp_path)
    done = esteio("status", "--config", "cluster/cluster.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "Nobody takes writes" in done.stdout
    assert "nobody can be promoted" in done.stdout
