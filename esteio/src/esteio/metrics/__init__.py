"""What is measured, and what is made of it: every metric's definition, and from them a page, a dashboard, and rules.

Promises: pure, without dependencies. A metric that is exported and not defined here, and a rule or a panel that asks for one
that is not, fail in a test.
"""

from __future__ import annotations

from esteio.metrics._dashboard import dashboard_file
from esteio.metrics._definitions import DEFINITIONS, Metric, of_family, of_group
from esteio.metrics._page import reference_page
from esteio.metrics._rules import rules_file
from esteio.metrics._thresholds import BURN_WINDOWS, PACES, THRESHOLDS, BurnWindow, Pace, Thresholds

__all__ = [
    "BURN_WINDOWS",
    "DEFINITIONS",
    "PACES",
    "THRESHOLDS",
    "BurnWindow",
    "Metric",
    "Pace",
    "Thresholds",
    "dashboard_file",
    "of_family",
    "of_group",
    "reference_page",
    "rules_file",
]
