"""Histories: what many clients asked of a service while it was broken, and whether any correct service could have answered so.

Promises: the checkers know nothing of the service, only when each operation was called, when it returned and what it said.
An operation whose answer was lost may have been done, at any later moment, or not. A verdict that could not be reached
within its bounds is `None`, never a pass.

- `check_register`: linearizability of reads, writes and compare-and-set of one register (Wing and Gong 1993, with the
  memory of Lowe 2017 and the order of search of Porcupine).
- `check_set`: every acknowledged element is in every later read, once; what failed is in none; what was seen stays.
- `check_bank`: every read sees every account and the same sum.
- `break_and_check`: clients at work on a `Service` while faults come in random combinations, judged by all three.
"""

from __future__ import annotations

from esteio.drill.history._bank import check_bank
from esteio.drill.history._operation import History, Known, Operation, Outcome, Verdict
from esteio.drill.history._register import check_register
from esteio.drill.history._run import Histories, NoRecovery, Service, break_and_check
from esteio.drill.history._set import check_set

__all__ = [
    "Histories",
    "History",
    "Known",
    "NoRecovery",
    "Operation",
    "Outcome",
    "Service",
    "Verdict",
    "break_and_check",
    "check_bank",
    "check_register",
    "check_set",
]
