"""A single machine's data directory becomes that of a cluster's first node.

Promises: everything is looked at before anything changes, and what cannot work is refused with what to do; the server has to
be stopped in order, by whoever runs it, so that nothing can be written that would not come along. Then the roles that the
cluster's programs enter by are made in it, by a server that only this process can reach, and the directory is moved where
Patroni expects it: renamed on the same disk, else copied, and the old one renamed, so that no service starts on it again. What
fails before that leaves the directory where it was. Patroni takes over a directory that it finds; the other nodes copy it.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esteio.cluster._client import ask, context_of
from esteio.cluster._plan import Node, Plan
from esteio.errors import EsteioError

__all__ = ["Adoption", "AdoptionRefused", "adopt", "plan_adoption"]

_ASKING = 5.0  # seconds
_LONG = 600.0  # seconds: a server that was not stopped in order is refused, so it has nothing to recover
_DATABASE = "SELECT d.datname || '=' || r.rolname AS found FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = '{name}'"  # noqa: E501
# Patroni makes these when it makes the cluster, and not where it finds one.
_REWIND = (
    "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)  # fmt: skip


class AdoptionRefused(EsteioError):
    """`what` cannot be adopted: `why`, and what to `do`; nothing was changed."""

    def __init__(self, what: str, why: str, do: str) -> None:
        self.what, self.why, self.do = what, why, do
        super().__init__(f"{what}: {why}; {do}")


@dataclass(frozen=True, slots=True)
class Adoption:
    """What will be done: `source` becomes the data directory of `node`."""

    plan: Plan
    node: Node
    source: Path
    target: Path
    version: str
    size: int
    """Bytes."""
    renamed: bool
    """Both are on one disk: a moment. Else it is copied, which takes as long as `size` does."""
    checksums: bool

    @property
    def kept(self) -> Path:
        """Where the old directory is afterwards, if it was copied."""
        return self.source.with_name(f"{self.source.name}.adopted")

    def lines(self) -> list[str]:
        """The plan, for people."""
        way = "renamed, a moment" if self.renamed else f"copied, the old one is kept as {self.kept}"
        return [
            f"PostgreSQL {self.version}, {self.size / 1e6:.0f} MB in {self.source}",
            f"becomes the data of node {self.node.name} ({self.node.address}), in {self.target}: {way}.",
            f"Roles made in it, or given the cluster's passwords: postgres, replicator, rewinder, {self.plan.name}"
            f"{', backup' if self.plan.archive else ''}.",
            *([] if self.checksums else ["It has no checksums of its pages: nodes notice damaged ones later."]),
            "The service is away from its stop until Patroni leads, and whoever connects goes on with the plan's service.env.",
        ]


def plan_adoption(plan: Plan, name: str, source: Path) -> Adoption:
    """What adopting `source` as node `name` takes; AdoptionRefused where it cannot be, PlanInvalid for another name."""
    node, source = plan.node(name), source.absolute()
    if node.witness:
        raise AdoptionRefused(name, "a witness has no data", "name a data node with --node")
    target = Path(plan.filled(plan.data_dir, node)) / "postgres"
    try:
        major = (source / "PG_VERSION").read_text().strip()
    except OSError as error:
        if (target / "PG_VERSION").exists():  # killed between the move and its end, or called twice
            raise AdoptionRefused(
                str(source), f"its data is in {target} already",
                f"chown -R {plan.account}: {target}, chmod 700 {target}, and start Patroni",
            ) from None  # fmt: skip
        reason = error.strerror or str(error)
        raise AdoptionRefused(str(source), f"no data directory of PostgreSQL ({reason})", "name it, as root") from None
    _require_stopped(source)
    version = _version(plan, node)
    if version.partition(".")[0] != major:
        raise AdoptionRefused(
            str(source), f"it is of PostgreSQL {major}, and the cluster's programs are {version}",
            f"make the plan with --postgres of {major}, or restore a dump into the cluster",
        )  # fmt: skip
    told = _control(plan, node, source)
    if told["Database cluster state"] != "shut down":
        raise AdoptionRefused(
            str(source), f"its state is {told['Database cluster state']!r}, not 'shut down'",
            "start its service and stop it in order; a standby is none to adopt",
        )  # fmt: skip
    if any((source / "pg_tblspc").iterdir()):
        raise AdoptionRefused(
            str(source), "it has tablespaces, which every node would need at the same place",
            "move their tables (ALTER TABLE ... SET TABLESPACE pg_default), and drop them",
        )  # fmt: skip
    if target.exists() and any(target.iterdir()):
        raise AdoptionRefused(str(target), "there is something", "move it away: it is another cluster's")
    _require_new(plan)
    return Adoption(
        plan,
        node,
        source,
        target,
        version,
        sum(path.lstat().st_size for path in source.rglob("*")),
        renamed=source.stat().st_dev == _existing(target).stat().st_dev,
        checksums=told.get("Data page checksum version") != "0",
    )


def _existing(path: Path) -> Path:
    """It, or what there is above it."""
    return path if path.exists() else _existing(path.parent)


def adopt(adoption: Adoption) -> None:
    """Do it; AdoptionRefused, and nothing has moved, where the database is not what the service of the plan needs."""
    _require_stopped(adoption.source)
    _make_roles(adoption)
    _move(adoption)


def _require_stopped(source: Path) -> None:
    """A process id may be another program's by now, or a dead server's that nobody has reaped."""
    with suppress(OSError, ValueError):
        process = int((source / "postmaster.pid").read_text().split("\n", 1)[0])
        name, _, rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")
        if "postgres" in name and rest.split()[0] != "Z":
            raise AdoptionRefused(
                str(source), f"a server runs on it (process {process})",
                "stop its service first (systemctl stop ...), and leave it stopped",
            )  # fmt: skip


def _version(plan: Plan, node: Node) -> str:
    said = _run([f"{plan.filled(plan.programs.postgres, node)}/postgres", "--version"])
    found = re.search(r"(\d+(\.\d+)*)", said)
    return found[1] if found else said.strip()


def _control(plan: Plan, node: Node, source: Path) -> dict[str, str]:
    said = _run([f"{plan.filled(plan.programs.postgres, node)}/pg_controldata", "-D", str(source)])
    pairs = (line.partition(":") for line in said.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _require_new(plan: Plan) -> None:
    """A cluster that was made already would refuse this data, or throw it away."""
    key, context = f"/service/{plan.name}/initialize", context_of(plan)
    question = json.dumps({"key": base64.b64encode(key.encode()).decode()}).encode()
    for node in plan.nodes:
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(
                ask(context, node, plan.ports.etcd, "v3/kv/range", _ASKING, content=question)
            )
            if found.get("kvs"):
                raise AdoptionRefused(
                    f"cluster {plan.name}", "it has been made already, by a Patroni that found nothing to adopt",
                    "stop Patroni on every node, and if nothing is in it: patronictl -c patroni.yml remove "
                    f"{plan.name}",
                )  # fmt: skip
            return
    raise AdoptionRefused(
        "etcd", "no node answers, so nobody knows whether the cluster has been made",
        "start esteio-etcd on the nodes, and leave esteio-patroni stopped",
    )  # fmt: skip


def _make_roles(adoption: Adoption) -> None:
    """In single-user mode: no port, no socket, no password, and nobody else."""
    plan = adoption.plan
    found = _single(adoption, [_DATABASE.format(name=plan.name)])
    if f'found = "{plan.name}={plan.name}"' not in found:
        raise AdoptionRefused(
            str(adoption.source), f"it has no database {plan.name!r} that a role {plan.name!r} owns",
            "make the plan with the --name of its database, and let a role of that name own it (ALTER DATABASE ... OWNER)",
        )  # fmt: skip
    secrets = plan.secrets
    roles = {
        "postgres": f"SUPERUSER LOGIN PASSWORD '{secrets.superuser}'",
        "replicator": f"REPLICATION LOGIN PASSWORD '{secrets.replication}'",
        "rewinder": f"LOGIN PASSWORD '{secrets.rewind}'",
        plan.name: f"LOGIN CREATEROLE PASSWORD '{secrets.service}'",
        **({"backup": f"REPLICATION LOGIN PASSWORD '{secrets.backup}'"} if plan.archive else {}),
    }
    commands = ["SET password_encryption = 'scram-sha-256'"]
    for role, options in roles.items():
        made = f"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE \"{role}\"; END IF;"
        commands += [f"DO $$ BEGIN {made} END $$", f'ALTER ROLE "{role}" WITH {options}']
    commands += [f"GRANT EXECUTE ON FUNCTION pg_catalog.{each} TO rewinder" for each in _REWIND]
    _single(adoption, commands)


def _single(adoption: Adoption, commands: list[str]) -> str:
    """What the server says to `commands`, each of one line; AdoptionRefused at the first error."""
    owner = adoption.source.stat()
    programs = adoption.plan.filled(adoption.plan.programs.postgres, adoption.node)
    command = [
        f"{programs}/postgres", "--single", "-D", str(adoption.source),
        "-c", "exit_on_error=on", "-c", "log_min_messages=warning", "-c", "log_statement=none", "-c", "logging_collector=off",
        "-c", "log_destination=stderr", "-c", "log_min_error_statement=panic", "postgres",
    ]  # fmt: skip
    said = _run(command, given="".join(f"{each}\n" for each in commands), uid=owner.st_uid, gid=owner.st_gid)
    if (error := re.search(r"(ERROR|FATAL|PANIC):\s*(.*)", said)) is not None:
        raise AdoptionRefused(str(adoption.source), f"its server refused: {error[2]}", "see its message")
    return said


def _run(command: list[str], *, given: str = "", uid: int | None = None, gid: int | None = None) -> str:
    account: dict[str, Any] = {}
    if uid is not None and os.geteuid() == 0:
        account = {"user": uid, "group": gid, "extra_groups": []}
    try:
        done = subprocess.run(  # noqa: S603
            command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", timeout=_LONG,
            check=False, env={"PATH": os.defpath, "LC_ALL": "C"}, **account,
        )  # fmt: skip
    except OSError as error:
        raise AdoptionRefused(
            command[0], error.strerror or str(error), "make the plan with --postgres DIRECTORY"
        ) from None
    if done.returncode and "ERROR" not in done.stdout:
        last = done.stdout.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        raise AdoptionRefused(command[0], last[0], "see its message")
    return str(done.stdout)


def _move(adoption: Adoption) -> None:
    source, target = adoption.source, adoption.target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        target.rmdir()  # an empty one
    if adoption.renamed:
        source.rename(target)
    else:
        beside = target.with_name(f"{target.name}.adopting")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(source, beside, symlinks=True)
        os.sync()  # once, where one for each file would take minutes
        source.rename(adoption.kept)  # first: at no moment may two servers be started
        beside.rename(target)
    if os.geteuid() == 0:
        account = pwd.getpwnam(adoption.plan.account)
        for path in (target.parent, target, *target.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    target.chmod(0o700)
