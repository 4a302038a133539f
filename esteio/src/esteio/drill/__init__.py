"""Break a running service on purpose, under load, and say what was lost, for how long, and what a year would look like.

Promises: requests arrive at their rate whether or not others are answered, and each is accounted for; what was
acknowledged is looked up afterwards. A run that proves nothing - the load stood still, the fault did not take, a wrong
answer came back - is reported as invalid with its reason, never as a good one. The prediction says which of its rates
are assumed.

What is measured and why so: docs/adr/0018-measuring-a-fault.md.
"""

from __future__ import annotations

from esteio.drill._compare import Comparison, Moved, OtherVersion, compare
from esteio.drill._fault import Fault, Group, System
from esteio.drill._ledger import Ledger, LedgerCheck
from esteio.drill._lived import update
from esteio.drill._measure import Measure, measure, recovery, seconds_of
from esteio.drill._page import page
from esteio.drill._prediction import Prediction, Share, predict
from esteio.drill._rates import Rate, RatesInvalid, read_rates
from esteio.drill._report import FaultReport, Report
from esteio.drill._request import Outcome, Request, Route, WrongAnswer
from esteio.drill._run import Run, Timing, drill
from esteio.drill._traffic import Traffic
from esteio.drill._validity import Invalid

__all__ = [
    "Comparison",
    "Fault",
    "FaultReport",
    "Group",
    "Invalid",
    "Ledger",
    "LedgerCheck",
    "Measure",
    "Moved",
    "OtherVersion",
    "Outcome",
    "Prediction",
    "Rate",
    "RatesInvalid",
    "Report",
    "Request",
    "Route",
    "Run",
    "Share",
    "System",
    "Timing",
    "Traffic",
    "WrongAnswer",
    "compare",
    "drill",
    "measure",
    "page",
    "predict",
    "read_rates",
    "recovery",
    "seconds_of",
    "update",
]
