"""What would break this service next: settings, servers, backups, the machine, each looked at within its time.

Promises: nothing is changed. Every finding has a code that says how bad it is, the evidence, and the fix; what cannot be seen
is unknown and said, never passed. The examinations are in the modules `settings`, `postgres`, `redis`, `backups`, `network`,
`ports`, `machine` and `drives`; a program adds its own to the list, with codes that are a `Code` enumeration of its own.
"""

from __future__ import annotations

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination, examine
from esteio.doctor._finding import Code, Finding, exit_code, groups

__all__ = ["Code", "Examination", "Finding", "FindingCode", "examine", "exit_code", "groups"]
