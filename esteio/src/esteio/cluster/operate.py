"""A running cluster: how it stands, who shall lead, which node shall copy its data anew.

Promises: a look takes two seconds at the longest, however many members are silent, and says of each what it said itself.
What changes something is asked of the leader's Patroni, which decides; its refusal is the error, with its own words.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from esteio.cluster._client import ask, context_of
from esteio.cluster._plan import Node, Plan, PlanInvalid
from esteio.errors import EsteioError

__all__ = ["ClusterRefused", "ClusterStatus", "Member", "reinitialize", "restart", "status", "switch_over"]

_LOOK = 2.0
_ORDER = 90.0
"""Seconds: a switchover waits for the old primary's shutdown."""
_CONFIRMS = ("sync_standby", "quorum_standby")
_STREAMING = ("running", "streaming", "in archive recovery")


class ClusterRefused(EsteioError):
    """`order` was not carried out; `why` in the words of who refused."""

    def __init__(self, order: str, why: str) -> None:
        self.order, self.why = order, why
        super().__init__(f"{order}: not done: {why}")


@dataclass(frozen=True, slots=True)
class Member:
    """One node as it was seen; None: it did not say."""

    node: Node
    role: str | None = None
    """leader, sync_standby, quorum_standby, replica, as Patroni has them; a witness has none."""
    state: str | None = None
    timeline: int | None = None
    lag: int | None = None
    """Bytes behind the leader."""
    votes: bool = False
    """Whether its etcd takes part in a majority."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """All nodes at one moment."""

    members: tuple[Member, ...]

    @property
    def leader(self) -> Member | None:
        """Who takes writes."""
        return next((each for each in self.members if each.role == "leader" and each.state in _STREAMING), None)

    @property
    def quorum(self) -> bool:
        """Whether more than half of the nodes vote."""
        return sum(each.votes for each in self.members) > len(self.members) // 2

    @property
    def safe(self) -> bool:
        """Whether each COMMIT is on a second node before it is acknowledged."""
        return any(each.role in _CONFIRMS and each.state in _STREAMING for each in self.members)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing: the loss of any one node costs nothing that was acknowledged."""
        # A standby that streams and is not asked to confirm yet cannot stand in for the one that is.
        standbys = [each for each in self.members if not each.node.witness and each is not self.leader]
        confirm = all(each.role in _CONFIRMS and each.state in _STREAMING for each in standbys)
        return self.leader is not None and confirm and all(each.votes for each in self.members)

    @property
    def exit_code(self) -> int:
        """0: whole; 1: it works, and the loss of one more node could cost something; 2: nobody takes writes, or could next."""
        return 0 if self.whole else 1 if self.leader is not None and self.quorum else 2

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        leader = self.leader
        return {
            "ok": self.whole,
            "exit_code": self.exit_code,
            "leader": leader.node.name if leader else None,
            "quorum": self.quorum,
            "safe": self.safe,
            "members": [
                {"name": each.node.name, "address": each.node.address, "witness": each.node.witness, "role": each.role,
                 "state": each.state, "timeline": each.timeline, "lag": each.lag, "votes": each.votes}
                for each in self.members
            ],
        }  # fmt: skip


def status(plan: Plan) -> ClusterStatus:
    """Ask every node, side by side; CertificateMissing where nothing would be answered."""
    context = context_of(plan)
    with ThreadPoolExecutor(max_workers=2 * len(plan.nodes)) as threads:
        asked = [(each, threads.submit(_votes, plan, each)) for each in plan.nodes]
        views = [(each, threads.submit(_view, plan, context, each)) for each in plan.data_nodes]
        votes = {node: vote.result() for node, vote in asked}
        # Each member sees the cluster as etcd has it; one that is cut off goes on telling how it was.
        views.sort(key=lambda each: not votes[each[0]])
        seen = next((view for view in (each.result() for _, each in views) if view), [])
        by_name = {str(each.get("name")): each for each in seen}
        return ClusterStatus(tuple(_member(node, by_name.get(node.name, {}), vote) for node, vote in votes.items()))


def switch_over(plan: Plan, to: str = "") -> str:
    """Let another node lead, `to` or the one Patroni finds best; what Patroni says."""
    leader = _leader(plan, "switchover")
    wanted: dict[str, Any] = {"leader": leader.name}
    if to:
        wanted["candidate"] = plan.node(to).name
    return order(plan, leader, "switchover", wanted)


def restart(plan: Plan, name: str) -> str:
    """Let a standby's server end and start again, such as with new programs; what Patroni says, once it follows again."""
    node = plan.node(name)
    if node.witness:
        raise PlanInvalid("node", name, "a witness has no server")
    if _leader(plan, "restart") == node:
        raise ClusterRefused("restart", f"{name} leads, and writes would wait for its start. Switch over first")
    return order(plan, node, "restart", {})


def reinitialize(plan: Plan, name: str) -> str:
    """Let a standby throw its data away and copy the leader's; what Patroni says."""
    node = plan.node(name)
    if node.witness:
        raise PlanInvalid("node", name, "a witness has no data")
    if _leader(plan, "reinit") == node:
        raise ClusterRefused("reinit", f"{name} leads: its data is the cluster's. Switch over first")
    return order(plan, node, "reinitialize", {"force": True})


def _leader(plan: Plan, what: str) -> Node:
    found = status(plan).leader
    if found is None:
        raise ClusterRefused(what, "nobody leads, as far as the nodes that answer know")
    return found.node


def order(plan: Plan, node: Node, what: str, content: dict[str, Any], context: ssl.SSLContext | None = None) -> str:
    """Tell Patroni of `node` to do `what`; its words, or ClusterRefused. `context`: whom to believe, if not the plan's."""
    credentials = base64.b64encode(f"patroni:{plan.secrets.patroni}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    try:
        said = ask(
            context or context_of(plan),
            node,
            plan.ports.patroni,
            what,
            _ORDER,
            content=json.dumps(content).encode(),
            headers=headers,
        )
        return said.decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        raise ClusterRefused(what, error.read().decode(errors="replace").strip() or str(error)) from None
    except OSError as error:
        raise ClusterRefused(what, f"{node.name} ({node.address}): {error}") from None


def _votes(plan: Plan, node: Node) -> bool:
    """What its etcd says where it needs no certificate, as keepalived asks it, too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # members are never behind a proxy
    with (
        suppress(OSError, ValueError, LookupError),
        opener.open(f"http://{node.address}:{plan.ports.etcd_health}/health", timeout=_LOOK) as answer,
    ):
        return bool(json.load(answer)["health"] == "true")
    return False


def _view(plan: Plan, context: ssl.SSLContext, node: Node) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError, LookupError):
        return list(json.loads(ask(context, node, plan.ports.patroni, "cluster", _LOOK))["members"])
    return []


def _member(node: Node, seen: dict[str, Any], votes: bool) -> Member:
    lag = seen.get("lag")
    return Member(
        node, seen.get("role"), seen.get("state"), seen.get("timeline"), lag if isinstance(lag, int) else None, votes
    )
