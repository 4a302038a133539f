"""What a cluster may consist of, what its timings mean, and that its files say it."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from esteio.backup._backups import _SLOT
from esteio.cluster import (
    DEFAULT,
    INVENTORY,
    Plan,
    PlanInvalid,
    Ports,
    Timings,
    explain,
    files_of,
    plan_text,
    read_plan,
    write_files,
)
from esteio.cluster._yaml import dumped
from esteio.limit.redis._address import parse as parse_redis
from esteio.postgres import Dsn
from esteio.testing.redis._server import free_port

TRIO = "a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"


def text_of(plan: Plan, node: str, name: str) -> str:
    return next(file.text for file in files_of(plan, plan.node(node)) if file.name == name)


@pytest.mark.parametrize(
    ("nodes", "witnesses", "options", "says"),
    [
        ("a=10.0.0.1", "", {}, "at least two with data"),
        ("a=10.0.0.1,b=10.0.0.2", "", {}, "--witness"),
        (f"{TRIO},d=10.0.0.4", "", {}, "4 voters survive the loss of 1, as 3 do"),
        ("a=10.0.0.1,b=10.0.0.1,c=10.0.0.3", "", {}, "two nodes have it"),
        ("a=10.0.0.1,a=10.0.0.2,c=10.0.0.3", "", {}, "two nodes have it"),
        ("a=10.0.0.1,b=db.example.org,c=10.0.0.3", "", {}, "an IPv4 address"),
        ("a,b=10.0.0.2,c=10.0.0.3", "", {}, "name=address"),
        (TRIO, "", {"name": "Sis pat"}, "a lower-case letter"),
        (TRIO, "", {"name": "replicator"}, "a role of the cluster is called so"),
        (TRIO, "", {"virtual_ip": "10.0.0.1/24"}, "that of node a"),
        (TRIO, "", {"virtual_ip": "10.9.0.9/24"}, "in another network"),
        (TRIO, "", {"virtual_ip": "10.0.0.9"}, "in another network"),
        (TRIO, "", {"clients": "10.0.0.7/24"}, "IPv4 addresses or networks"),
        (TRIO, "", {"watchdog": "perhaps"}, "off, automatic, required"),
        (TRIO, "", {"environment": {"not-one": "1"}}, "upper-case"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_and_says_why(nodes, witnesses, options, says) -> None:
    with pytest.raises(PlanInvalid) as refused:
        Plan.of(nodes, witnesses, **options)
    assert says in str(refused.value)


def test_two_nodes_and_a_witness_are_a_cluster_whose_witness_has_no_data() -> None:
    plan = Plan.of("a=10.0.0.1,b=10.0.0.2", "w=10.0.0.3")
    names = {file.name for file in files_of(plan, plan.node("w"))}
    assert {"etcd.yml", "sentinel.conf", "esteio-etcd.service", "esteio-sentinel.service"} <= names
    assert not {"patroni.yml", "redis.conf", "haproxy.cfg", "service.env", "esteio-patroni.service"} & names
    assert "10.0.0.3:2379" in text_of(plan, "a", "patroni.yml")
    assert "10.0.0.3" not in text_of(plan, "a", "haproxy.cfg")


@pytest.mark.parametrize("change", [{"ttl": 19}, {"loop_wait": 0}, {"retry_timeout": 2}, {"retry_timeout": 10}])
def test_timings_that_patroni_refuses_or_that_end_a_lease_early_are_refused(change) -> None:
    with pytest.raises(ValueError, match=r"allowed|more than ttl"):
        replace(DEFAULT, **change)


def test_a_write_waits_longer_than_the_worst_failover_and_the_explanation_adds_up_to_it() -> None:
    assert DEFAULT.writes_away == 25
    assert DEFAULT.pool_timeout > DEFAULT.writes_away
    assert f"at most   {DEFAULT.writes_away:g} s" in explain()
    longer = Timings(ttl=40)
    assert longer.writes_away == DEFAULT.writes_away + 20
    assert f"at most   {longer.writes_away:g} s" in explain(longer)


def test_patroni_is_told_the_timings_and_that_a_commit_is_on_two_machines() -> None:
    told = yaml.safe_load(text_of(Plan.of(TRIO), "b", "patroni.yml"))
    shared = told["bootstrap"]["dcs"]
    assert (shared["ttl"], shared["loop_wait"], shared["retry_timeout"]) == (20, 1, 5)
    assert shared["synchronous_mode"] == "quorum"
    assert shared["failsafe_mode"] is True
    assert shared["primary_start_timeout"] == 0, "another one leads before the dead one has recovered"
    assert told["postgresql"]["before_stop"].endswith("-D /var/lib/esteio-cluster/postgres -m fast -s -w -t 2")
    assert told["name"] == "b"


def test_clients_may_be_addresses_and_networks_and_pg_hba_has_a_mask_for_each() -> None:
    plan = Plan.of(TRIO, clients="10.9.0.7, 10.8.0.0/16")
    lines = yaml.safe_load(text_of(plan, "a", "patroni.yml"))["postgresql"]["pg_hba"]
    assert [line.split()[3] for line in lines if line.startswith("hostssl all")][-2:] == ["10.9.0.7/32", "10.8.0.0/16"]
    assert "10.8.0.0/16 } drop" in text_of(plan, "a", "firewall.nft")


def test_a_node_that_reaches_no_other_one_gives_the_shared_address_up(tmp_path: Path) -> None:
    plan = Plan.of(
        "a=127.0.0.21,b=127.0.0.22",
        "w=127.0.0.23",
        virtual_ip="127.0.0.9/8",
        config_dir=f"{tmp_path}/{{node}}",
        ports=Ports(etcd_health=free_port(), front=free_port()),
    )
    write_files(plan, tmp_path)
    script = tmp_path / "a" / "connected.sh"
    assert f'script "/bin/bash {script}"' in text_of(plan, "a", "keepalived.conf")

    def reaches() -> bool:
        return subprocess.run(["/bin/bash", script], timeout=20).returncode == 0

    assert not reaches()
    with socket.create_server(("127.0.0.23", plan.ports.etcd_health)):
        assert reaches(), "a witness is one, too"
    assert not reaches()


def test_a_node_that_stops_gives_its_address_away_when_nobody_waits_on_it_any_more() -> None:
    lines = text_of(Plan.of(TRIO, virtual_ip="10.0.0.9/24"), "a", "esteio-keepalived.service").splitlines()
    steps = [line.partition("=-")[2].split()[0] for line in lines if line.startswith("ExecStop=")]
    assert steps == ["/bin/bash", "/bin/sleep", "/usr/sbin/nft", "/usr/bin/pkill", "/usr/bin/timeout"]
    assert "After=network-online.target esteio-haproxy.service" in lines, "stopped before HAProxy is"


def test_the_environment_leads_to_all_nodes_and_waits_longer_than_a_failover() -> None:
    plan = Plan.of(TRIO, environment={"HERE": "{node}@{address}", "ALL": "{addresses}"})
    lines = dict(line.split("=", 1) for line in text_of(plan, "c", "service.env").splitlines())
    dsn = Dsn.parse(lines["DATABASE_URL"])
    assert [host for host, _ in dsn.hosts] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert dsn.pool_timeout == DEFAULT.pool_timeout
    assert dsn.password == plan.secrets.service
    redis = parse_redis(lines["REDIS_URL"])
    assert (redis.kind, redis.tls, redis.key) == ("sentinel", True, "/etc/esteio-service/tls.key")
    assert dict(dsn.parameters)["sslmode"] == "verify-full", "who answers is one of the nodes"
    assert (lines["HERE"], lines["ALL"]) == ("c@10.0.0.3", "10.0.0.1,10.0.0.2,10.0.0.3")


def test_backups_have_a_role_of_their_own_that_the_service_is_not_told_of(tmp_path: Path) -> None:
    plan = Plan.of("a=10.0.0.1,b=10.0.0.2", "w=10.0.0.3", name="city", clients="10.9.0.0/16")
    name, separator, url = text_of(plan, "b", "backup.env").strip().partition("=")
    dsn = Dsn.parse(url)
    assert (name, separator, dsn.user, dsn.password, dsn.database) == (
        "BACKUP_DATABASE_URL", "=", "backup", plan.secrets.backup, "city",
    )  # fmt: skip
    assert [host for host, _ in dsn.hosts] == ["10.0.0.1", "10.0.0.2"]
    assert plan.secrets.backup not in text_of(plan, "b", "service.env")
    assert f"CREATE ROLE backup LOGIN REPLICATION PASSWORD '{plan.secrets.backup}';" in text_of(
        plan, "a", "bootstrap.sql"
    )
    told = yaml.safe_load(text_of(plan, "a", "patroni.yml"))
    lines = [line.split() for line in told["postgresql"]["pg_hba"]]
    assert [line[1:4] for line in lines if line[2] == "backup"] == [
        ["replication,city", "backup", "10.0.0.1/32"],
        ["replication,city", "backup", "10.0.0.2/32"],
        ["all", "backup", "all"],
    ]
    assert next(line for line in lines if line[1:3] == ["all", "backup"])[-1] == "reject", "before what lets others in"
    assert told["bootstrap"]["dcs"]["slots"] == {_SLOT: {"type": "physical"}}


def test_without_an_archive_there_is_neither_a_role_nor_a_slot_that_keeps_the_log(tmp_path: Path) -> None:
    plan = Plan.of(TRIO, archive=False)
    write_files(plan, tmp_path)
    assert not (tmp_path / "a/backup.env").exists()
    assert yaml.safe_load((tmp_path / "a/patroni.yml").read_text())["bootstrap"]["dcs"]["slots"] == {}
    assert " backup " not in (tmp_path / "a/bootstrap.sql").read_text() + (tmp_path / "a/patroni.yml").read_text()
    assert read_plan(tmp_path / "cluster.toml") == plan


def test_a_plan_is_read_back_equal_and_another_file_is_none(tmp_path: Path) -> None:
    plan = Plan.of(TRIO, virtual_ip="10.0.0.9/24", environment={"A": 'with "quotes" and \\'}, clients="10.1.0.0/16")
    file = tmp_path / "cluster.toml"
    file.write_text(plan_text(plan))
    assert read_plan(file) == plan
    for wrong in ("no toml", "[nodes]\n", "name = 3\n[nodes]\na = 1\n", plan_text(plan) + "[more]\nx = 1\n"):
        file.write_text(wrong)
        with pytest.raises(PlanInvalid):
            read_plan(file)


def test_what_holds_a_secret_is_for_its_account_alone_and_nothing_else_holds_one(tmp_path: Path) -> None:
    plan = Plan.of(TRIO, virtual_ip="10.0.0.9/24")
    write_files(plan, tmp_path)
    secrets = [getattr(plan.secrets, name) for name in plan.secrets.__slots__]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        if path.stat().st_mode & 0o077:
            assert not any(each in path.read_text() for each in secrets), path
    assert not any(each in repr(plan) for each in secrets)


def test_ansible_is_told_of_each_node_what_its_files_say_and_no_secret(tmp_path: Path) -> None:
    plan = Plan.of("a=10.0.0.1,b=10.0.0.2", "w=10.0.0.3", config_dir="/etc/{node}")
    write_files(plan, tmp_path)
    text = (tmp_path / INVENTORY).read_text()
    hosts = yaml.safe_load(text)["cluster"]["hosts"]
    assert [(name, each["ansible_host"], each["cluster_witness"]) for name, each in hosts.items()] == [
        ("a", "10.0.0.1", False), ("b", "10.0.0.2", False), ("w", "10.0.0.3", True),
    ]  # fmt: skip
    for name, each in hosts.items():
        assert each["cluster_config_dir"] == f"/etc/{name}"
        assert set(each["cluster_units"]) == {path.name for path in (tmp_path / name).glob("esteio-*.service")}
    assert not any(getattr(plan.secrets, name) in text for name in plan.secrets.__slots__)


def test_yaml_reads_back_what_was_written() -> None:
    value = {
        "a": "no",
        "b": [1, {"c": None, "d": "x # y"}, "z: 1", []],
        "e": {"f": True, "g": {}},
        "h": 'ç "q"',
        "i": 1.5,
    }
    assert yaml.safe_load(dumped(value)) == value
    assert json.loads(json.dumps(value)) == value
