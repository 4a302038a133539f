"""All files of a cluster: what stands in them, which is pure, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from esteio.cluster._client import files_for
from esteio.cluster._front import connected, firewall, haproxy, keepalived, leaving, redis, sentinel
from esteio.cluster._plan import Node, Plan, plan_text
from esteio.cluster._postgres import bootstrap_sql, etcd, patroni, verifying
from esteio.cluster._units import units
from esteio.cluster._yaml import dumped
from esteio.system import atomic_write

__all__ = ["INVENTORY", "PLAN", "File", "files_of", "write_files"]

PLAN = "cluster.toml"
"""The name of the plan, in the output directory and on each node."""
INVENTORY = "inventory.yml"
"""The name of Ansible's list of the nodes, in the output directory."""


@dataclass(frozen=True, slots=True)
class File:
    """What stands in the configuration directory of a node under `name`; `secret`: only its account may read it."""

    name: str
    text: str
    secret: bool = False


def files_of(plan: Plan, node: Node) -> tuple[File, ...]:
    """The files of `node`."""
    found = [
        File(PLAN, plan_text(plan), secret=True),
        File("etcd.yml", dumped(etcd(plan, node))),
        File("sentinel.conf", sentinel(plan, node), secret=True),
        File("firewall.nft", firewall(plan)),
    ]
    if not node.witness:
        found += [
            File("patroni.yml", dumped(patroni(plan, node)), secret=True),
            File("bootstrap.sql", bootstrap_sql(plan), secret=True),
            File("redis.conf", redis(plan, node), secret=True),
            File("haproxy.cfg", haproxy(plan, node)),
            File("service.env", _environment(plan, node), secret=True),
        ]
        if plan.archive:
            found.append(File("backup.env", _of_backups(plan, node), secret=True))
        if plan.virtual_ip:
            found += [
                File("keepalived.conf", keepalived(plan, node)),
                File("connected.sh", connected(plan, node)),
                File("leaving.nft", leaving(plan)),
            ]
    return (*found, *(File(name, text) for name, text in units(plan, node).items()))


def _database(plan: Plan, node: Node, role: str, secret: str, **more: str) -> str:
    """The address of the database, of all its nodes, for the service of `node`."""
    hosts = ",".join(f"{each.address}:{plan.ports.postgres}" for each in plan.data_nodes)
    waits = {
        "connect_timeout": "2",
        "tcp_user_timeout": str(plan.timings.silence * 1000),  # a machine that is gone is no answer that is late
        **more,
    }
    tls = verifying(files_for(plan.filled(plan.service_dir, node)))
    return f"postgresql://{role}:{quote(secret)}@{hosts}/{plan.name}?{_query(waits | tls)}"


def _of_backups(plan: Plan, node: Node) -> str:
    """For the unit of whoever makes the backups, beside the other file: nothing else has to be able to do that."""
    return f"BACKUP_DATABASE_URL={_database(plan, node, 'backup', plan.secrets.backup)}\n"


def _environment(plan: Plan, node: Node) -> str:
    """For the service's unit: EnvironmentFile=."""
    times, ports = plan.timings, plan.ports
    sentinels = ",".join(f"{each.address}:{ports.sentinel}" for each in plan.nodes)
    tls = files_for(plan.filled(plan.service_dir, node))
    of_redis = {"ssl_ca_certs": tls["authority"], "ssl_certfile": tls["certificate"], "ssl_keyfile": tls["key"]}
    outlives = f"{times.pool_timeout:g}"  # a write the worst failover
    variables = {
        "DATABASE_URL": _database(plan, node, plan.name, plan.secrets.service, pool_timeout=outlives),
        "REDIS_URL": f"rediss+sentinel://{sentinels}/{plan.name}?{_query(of_redis)}",
        "REDIS_PASSWORD": plan.secrets.redis,
        **{name: _told(plan, node, value) for name, value in plan.environment.items()},
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _told(plan: Plan, node: Node, value: str) -> str:
    """A variable of the service on `node`, which may name the files it shows."""
    for name, file in files_for(plan.service_dir).items():
        value = value.replace("{" + name + "}", file)
    return plan.filled(value, node)


def _query(values: Mapping[str, str]) -> str:
    return urlencode(values, safe="/")


def _inventory(plan: Plan) -> dict[str, Any]:
    """What Ansible has to know of each node to put its files there (deploy/ansible); no secret."""
    hosts = {
        node.name: {
            "ansible_host": node.address,
            "cluster_witness": node.witness,
            "cluster_account": plan.account,
            "cluster_config_dir": plan.filled(plan.config_dir, node),
            "cluster_data_dir": plan.filled(plan.data_dir, node),
            "cluster_service_account": plan.service_account or plan.account,
            "cluster_service_dir": plan.filled(plan.service_dir, node),
            "cluster_units": list(units(plan, node)),
            "cluster_etcd": f"https://{node.address}:{plan.ports.etcd}",
            "cluster_patroni": f"https://{node.address}:{plan.ports.patroni}",
        }
        for node in plan.nodes
    }
    return {"cluster": {"hosts": hosts}}


def write_files(plan: Plan, output: Path) -> None:
    """The plan, Ansible's inventory, and the directory of each node with its files, below `output`.

    What was there is replaced, each file whole; the authority and certificates that fit stay.
    """
    from esteio.cluster._authority import write_certificates

    output.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(output / PLAN, plan_text(plan).encode())
    atomic_write(output / INVENTORY, dumped(_inventory(plan)).encode())
    for node in plan.nodes:
        place = output / node.name
        place.mkdir(mode=0o755, exist_ok=True)
        for file in files_of(plan, node):
            atomic_write(place / file.name, file.text.encode())  # for this account alone
            if not file.secret:
                (place / file.name).chmod(0o644)
    write_certificates(plan, output)
