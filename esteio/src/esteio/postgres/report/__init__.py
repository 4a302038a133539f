"""What a database is doing and what it is made of, as frozen records for a page or a terminal."""

from __future__ import annotations

from esteio.postgres.report._activity import Session
from esteio.postgres.report._indexes import IndexReport
from esteio.postgres.report._report import Report, report
from esteio.postgres.report._tables import TableReport

__all__ = ["IndexReport", "Report", "Session", "TableReport", "report"]
