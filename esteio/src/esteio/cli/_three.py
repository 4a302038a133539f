"""`esteio cluster init|explain|adopt|status|switchover|restart|reinit`: three machines.

Promises: `init` writes files and nothing else; secrets are made once, stand in files of their own account (0600), and are
never shown. `status` exits with 0 when the loss of any node would cost nothing. What changes a running cluster asks first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from esteio.cluster.operate import ClusterStatus

__all__ = ["ON_A_NODE", "PlanFile", "StatusWords", "app", "show_status"]

_PLAN = "cluster.toml"
PlanFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="ESTEIO_CLUSTER", help="The cluster.toml that init wrote.")
]
ON_A_NODE = Path("/etc/esteio-cluster") / _PLAN
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

app = typer.Typer(name="cluster", help="Three machines: make the files, look, switch over.", no_args_is_help=True)


@app.command("init")
def init(
    nodes: Annotated[str, typer.Option("--nodes", help="a=10.0.0.1,b=10.0.0.2,c=10.0.0.3")],
    witness: Annotated[str, typer.Option("--witness", help="c=10.0.0.3: it votes, and has no data.")] = "",
    output: Annotated[Path, typer.Option("--output", help="Where a directory for each node is made.")] = Path(
        "cluster"
    ),
    service_account: Annotated[
        str, typer.Option("--service-account", help="Under which the service runs; none: that of PostgreSQL.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Of the cluster, the database and its owner.")] = "service",
    virtual_ip: Annotated[
        str, typer.Option("--virtual-ip", help="10.0.0.9/24: an address that moves to a living node.")
    ] = "",
    interface: Annotated[str, typer.Option("--interface", help="The nodes' network interface, for that.")] = "eth0",
    health: Annotated[
        str, typer.Option("--health", help="Path at which the service says that it is ready.")
    ] = "/health",
    certificate: Annotated[str, typer.Option("--certificate", help="PEM on each node, for HAProxy.")] = "",
    service_port: Annotated[int, typer.Option("--service-port", min=1, max=65535, help="Of the service.")] = 8000,
    postgres: Annotated[
        str, typer.Option("--postgres", help="Directory of PostgreSQL's programs on each node.")
    ] = "/usr/lib/postgresql/17/bin",
    patroni: Annotated[str, typer.Option("--patroni", help="The program on each node.")] = "/usr/bin/patroni",
    watchdog: Annotated[
        str, typer.Option("--watchdog", help="Reset a machine whose Patroni hangs: off, automatic, required.")
    ] = "automatic",
    clients: Annotated[
        str, typer.Option("--clients", help="Networks that may reach the database, beside the nodes.")
    ] = "",
    archive: Annotated[
        bool, typer.Option("--archive/--no-archive", help="A role and a slot for base backups and the log.")
    ] = True,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", help="NAME=VALUE for the service; {node}, {address}, {addresses}, {certificate}, {key}."),
    ] = None,
) -> None:
    """Write the files of each node; written again, they keep their secrets and certificates."""
    from esteio.cluster import Plan, Ports, Programs, Secrets, read_plan, write_files

    kept = output / _PLAN
    plan = Plan.of(
        nodes,
        witness,
        name=name,
        service_account=service_account,
        virtual_ip=virtual_ip,
        interface=interface,
        health=health,
        certificate=certificate,
        watchdog=watchdog,
        clients=clients,
        archive=archive,
        environment=_variables(env or ()),
        ports=Ports(service=service_port),
        programs=Programs(postgres=postgres, patroni=patroni),
        secrets=read_plan(kept).secrets if kept.exists() else Secrets(),
    )
    write_files(plan, output)
    for each in plan.nodes:
        typer.echo(f"{output / each.name}: for {plan.filled(plan.config_dir, each)} on {each.address}")
    if not any("{certificate}" in value for value in plan.environment.values()):
        typer.echo(
            f"HAProxy asks the service by TLS, and nothing of --env tells it {plan.service_dir}/tls.crt and tls.key: "
            "it has to show them. --env NAME={certificate} --env NAME={key} name them to it."
        )
    typer.echo(
        f"They hold secrets, and {output / 'ca.key'} signs certificates: it belongs to no node. "
        "What to do with them: docs/how-to/three-machines.md. What they mean: esteio cluster explain"
    )


def _variables(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise typer.BadParameter(f"--env {text!r}: allowed: NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


@app.command("explain")
def explain_timings(
    ttl: Annotated[int, typer.Option("--ttl", help="Seconds of the leader's lease.")] = 20,
    loop_wait: Annotated[int, typer.Option("--loop-wait", help="Seconds between two looks.")] = 1,
    retry_timeout: Annotated[int, typer.Option("--retry-timeout", help="Seconds a request is repeated.")] = 5,
) -> None:
    """What the timings mean: how long writes and reads wait for each fault, and why."""
    from esteio.cluster import DEFAULT, explain

    try:
        timings = replace(DEFAULT, ttl=ttl, loop_wait=loop_wait, retry_timeout=retry_timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(explain(timings), nl=False)


@app.command("status")
def status(
    config: PlanFile = ON_A_NODE,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Roles, lag, votes, as nodes say; 0: losing any node costs nothing, 1: it could, 2: nobody takes writes, or could."""
    show_status(config, as_json=as_json, words=StatusWords())


@dataclass(frozen=True, slots=True)
class StatusWords:
    """What `status` says, for other programs to say in their language."""

    columns: tuple[str, str, str, str, str, str, str] = (
        "node", "address", "role", "state", "timeline", "lag", "votes",
    )  # fmt: skip
    roles: Mapping[str, str] = field(default_factory=dict)
    """For what Patroni calls them."""
    states: Mapping[str, str] = field(default_factory=dict)
    witness: str = "witness"
    silent: str = "no answer"
    yes: str = "yes"
    no: str = "no"
    nobody: str = "Nobody takes writes."
    alone: str = "No standby confirms what is written: losing the leader now would lose it."
    no_quorum: str = "Less than half of the nodes vote: nobody can be promoted."
    missing: str = "Something is missing: losing one more node could cost a wait or the service."


def show_status(config: Path, *, as_json: bool, words: StatusWords) -> None:
    """Print how the cluster of the plan `config` stands; typer.Exit with its exit code where that is not 0."""
    from esteio.cluster import read_plan
    from esteio.cluster.operate import status as look

    found = look(read_plan(config))
    typer.echo(json.dumps(found.plain(), indent=2) if as_json else "\n".join(status_lines(found, words)))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def status_lines(found: ClusterStatus, words: StatusWords) -> list[str]:
    """A table, and what is missing."""
    node, address, role, state, timeline, lag, votes = words.columns
    lines = [f"{node:<12}{address:<17}{role:<18}{state:<16}{timeline:>9}{lag:>12}  {votes}"]
    for each in found.members:
        said = words.witness if each.node.witness else words.roles.get(each.role or "", each.role or "?")
        how = "" if each.node.witness else words.states.get(each.state or "", each.state or words.silent)
        behind = "" if each.lag is None else f"{each.lag} B"
        lines.append(
            f"{each.node.name:<12}{each.node.address:<17}{said:<18}{how:<16}{each.timeline or '':>9}{behind:>12}  "
            f"{words.yes if each.votes else words.no}"
        )
    if found.leader is None:
        lines.append(words.nobody)
    elif not found.safe:
        lines.append(words.alone)
    if not found.quorum:
        lines.append(words.no_quorum)
    if found.exit_code == 1 and found.safe:
        lines.append(words.missing)
    return lines


@app.command("adopt")
def adopt_data(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Of the single machine's PostgreSQL, which is stopped.")],
    node: Annotated[str, typer.Option("--node", help="This machine's name in the plan.")],
    config: PlanFile = ON_A_NODE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, change nothing.")] = False,
    yes: _Yes = False,
) -> None:
    """Make a single machine's data that of the cluster's first node: the plan, the question, the work."""
    from esteio.cluster import read_plan
    from esteio.cluster.adopt import adopt, plan_adoption

    adoption = plan_adoption(read_plan(config), node, data_dir)
    for line in adoption.lines():
        typer.echo(line)
    if dry_run:
        return
    if not yes:
        typer.confirm("Do it?", abort=True)
    adopt(adoption)
    typer.echo(f"{adoption.target} is ready. Now, in this order:")
    typer.echo(f"  on {node}: systemctl start esteio-patroni, until `esteio cluster status` names it leader")
    typer.echo("  on the other nodes: systemctl start esteio-patroni; each copies the data")
    typer.echo("  the service, with service.env of its node; before, check that it has what it had")


@app.command("switchover")
def switchover(
    to: Annotated[str, typer.Option("--to", help="The node that shall lead; none: the best.")] = "",
    config: PlanFile = ON_A_NODE,
    yes: _Yes = False,
) -> None:
    """Let another node lead; writes wait for a few seconds, nothing is lost."""
    from esteio.cluster import read_plan
    from esteio.cluster.operate import switch_over

    plan = read_plan(config)
    if not yes:
        typer.confirm(f"Shall {to or 'another node'} lead from now on?", abort=True)
    typer.echo(switch_over(plan, to))


@app.command("restart")
def restart_server(
    node: Annotated[str, typer.Argument(help="The standby.")], config: PlanFile = ON_A_NODE, yes: _Yes = False
) -> None:
    """Let a standby's server end and start again: with new programs, or with a setting that wants it."""
    from esteio.cluster import read_plan
    from esteio.cluster.operate import restart

    plan = read_plan(config)
    if not yes:
        typer.confirm(f"Restart the server of {node}?", abort=True)
    typer.echo(restart(plan, node))


@app.command("reinit")
def reinit(
    node: Annotated[str, typer.Argument(help="The standby.")], config: PlanFile = ON_A_NODE, yes: _Yes = False
) -> None:
    """Let a standby throw its data away and copy the leader's."""
    from esteio.cluster import read_plan
    from esteio.cluster.operate import reinitialize

    plan = read_plan(config)
    if not yes:
        typer.confirm(f"Throw the data of {node} away, and copy the leader's?", abort=True)
    typer.echo(reinitialize(plan, node))
