"""What is measured, and what is made of it: every metric's definition, and from them a page, a dashboard, and rules.

Promises: pure, without dependencies. A metric that is exported and not defined here, and a rule or a panel that asks for one
that is not, fail in a test.
"""

from __future__ import annotations

from esteio.metrics._dashboard import dashboard_file
from esteio.metrics._definitions import DEFINITIONS, Metric, of_family, of_group
from esteio.metrics._page import reference_page
from esteio.metrics._rules import Thresholds, rules_file

__all__ = [
    "DEFINITIONS",
    "Metric",
    "Thresholds",
    "dashboard_file",
    "of_family",
    "of_group",
    "reference_page",
    "rules_file",
]
