"""All files of a cluster: what stands in them, which is pure, and writing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from esteio.cluster._front import firewall, haproxy, keepalived, leaving, redis, sentinel
from esteio.cluster._plan import Node, Plan, plan_text
from esteio.cluster._postgres import bootstrap_sql, etcd, patroni
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
        if plan.virtual_ip:
            found += [File("keepalived.conf", keepalived(plan, node)), File("leaving.nft", leaving(plan))]
    return (*found, *(File(name, text) for name, text in units(plan, node).items()))


def _environment(plan: Plan, node: Node) -> str:
    """For the service's unit: EnvironmentFile=."""
    times, ports = plan.timings, plan.ports
    hosts = ",".join(f"{each.address}:{ports.postgres}" for each in plan.data_nodes)
    sentinels = ",".join(f"{each.address}:{ports.sentinel}" for each in plan.nodes)
    waits = {
        "connect_timeout": "2",
        "pool_timeout": f"{times.pool_timeout:g}",  # a write outlives the worst failover
        "tcp_user_timeout": str(times.silence * 1000),  # a machine that is gone is no answer that is late
    }
    query = "&".join(f"{name}={value}" for name, value in waits.items())
    variables = {
        "DATABASE_URL": f"postgresql://{plan.name}:{quote(plan.secrets.service)}@{hosts}/{plan.name}?{query}",
        "REDIS_URL": f"redis+sentinel://{sentinels}/{plan.name}",
        "REDIS_PASSWORD": plan.secrets.redis,
        **{name: plan.filled(value, node) for name, value in plan.environment.items()},
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _inventory(plan: Plan) -> dict[str, Any]:
    """What Ansible has to know of each node to put its files there (deploy/ansible); no secret."""
    hosts = {
        node.name: {
            "ansible_host": node.address,
            "cluster_witness": node.witness,
            "cluster_account": plan.account,
            "cluster_config_dir": plan.filled(plan.config_dir, node),
            "cluster_data_dir": plan.filled(plan.data_dir, node),
            "cluster_units": list(units(plan, node)),
            "cluster_etcd": f"http://{node.address}:{plan.ports.etcd}",
            "cluster_patroni": f"http://{node.address}:{plan.ports.patroni}",
        }
        for node in plan.nodes
    }
    return {"cluster": {"hosts": hosts}}


def write_files(plan: Plan, output: Path) -> None:
    """The plan, Ansible's inventory, and the directory of each node with its files, below `output`.

    What was there is replaced, each file whole.
    """
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
