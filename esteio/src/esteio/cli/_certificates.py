"""`esteio cluster certificates|renew|reload`: when certificates of the nodes end, and new ones in their place.

Promises: `certificates` says what programs really show, and exits with 1 where one ends soon, 2 where one is refused or ends
within days. `renew` writes files where `init` did, and reaches no machine; `reload` lets running programs take theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.cli._three import ON_A_NODE, PlanFile, app
from esteio.metrics import THRESHOLDS

if TYPE_CHECKING:
    from esteio.cluster.certificates import Shown

__all__ = ["app", "exit_code_of"]


@app.command("certificates")
def certificates(
    config: PlanFile = ON_A_NODE,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """For how long the certificates that programs show are valid; 0: long, 1: one ends soon, 2: one is refused, or nearly."""
    from esteio.cluster import read_plan
    from esteio.cluster.certificates import shown

    found = shown(read_plan(config))
    code = exit_code_of(found)
    if as_json:
        plain = [
            {"node": each.node.name, "program": each.program, "days": each.days, "problem": each.problem or None}
            for each in found
        ]
        typer.echo(json.dumps({"ok": not code, "exit_code": code, "certificates": plain}, indent=2))
    else:
        for each in found:
            typer.echo(f"{each.node.name:<12}{each.program:<12}{_said(each)}")
    if code:
        raise typer.Exit(code)


def _said(each: Shown) -> str:
    return each.problem if each.days is None else f"valid for {each.days:.0f} days more"


def exit_code_of(found: tuple[Shown, ...]) -> int:
    """By the thresholds of every certificate; who does not answer is `cluster status`'s to tell, and counts as soon."""
    if any(each.days is not None and each.days < THRESHOLDS.certificate_last_days for each in found):
        return 2
    if any("certificate" in each.problem for each in found):
        return 2
    return int(any(each.days is None or each.days < THRESHOLDS.certificate_days for each in found))


@app.command("renew")
def renew(
    output: Annotated[Path, typer.Option("--output", help="Where init made a directory for each node.")] = Path(
        "cluster"
    ),
) -> None:
    """Make new keys and certificates of all nodes, from the same authority; no machine is reached."""
    from esteio.cluster import PLAN, read_plan
    from esteio.cluster._authority import VALID, write_certificates

    made = write_certificates(read_plan(output / PLAN), output, renew=True)
    typer.echo(f"{output}: {made} certificates are new, each valid for {VALID.days} days. Now bring them to the nodes:")
    typer.echo("  ansible-playbook -i cluster/inventory.yml deploy/ansible/site.yml   (or as you did before)")
    typer.echo("  esteio cluster reload")


@app.command("reload")
def reload(config: PlanFile = ON_A_NODE) -> None:
    """Let Patroni, PostgreSQL and Redis take the certificates that were brought to their nodes; nothing is interrupted."""
    from esteio.cluster import read_plan
    from esteio.cluster.certificates import reload_all

    found = reload_all(read_plan(config))
    for each in found:
        typer.echo(f"{each.node.name:<12}{each.program:<12}{each.problem or 'took them'}")
    if any(each.problem for each in found):
        raise typer.Exit(1)
