"""Three machines on engines that exist: what each node's Patroni, etcd, Sentinel, HAProxy and units have to say.

Promises: a `Plan` that cannot work is refused when it is made, with the reason; the same plan always gives the same files.
Nothing here starts, stops or reaches a program but `esteio.cluster.operate`, which speaks to the members of a running
cluster. What the timings mean is said by `explain`.
"""

from __future__ import annotations

from esteio.cluster._client import CertificateMissing
from esteio.cluster._files import INVENTORY, PLAN, File, files_of, write_files
from esteio.cluster._plan import Node, Plan, PlanInvalid, Ports, Programs, Secrets, plan_text, read_plan
from esteio.cluster._timings import DEFAULT, Timings, explain

__all__ = [
    "DEFAULT",
    "INVENTORY",
    "PLAN",
    "CertificateMissing",
    "File",
    "Node",
    "Plan",
    "PlanInvalid",
    "Ports",
    "Programs",
    "Secrets",
    "Timings",
    "explain",
    "files_of",
    "plan_text",
    "read_plan",
    "write_files",
]
