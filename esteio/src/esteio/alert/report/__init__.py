"""The report of a month: availability, error budget, incidents, maintenance, backups and their proofs; as page and as PDF.

Promises: time that nobody observed is shown apart, and neither up nor down; maintenance is listed and not averaged in. The
same facts give the same bytes. The PDF is made by Typst (extra `report`) in a process of its own with bounded memory and time.
"""

from __future__ import annotations

from esteio.alert.report._document import Document, Part, Table, report_document
from esteio.alert.report._month import Month, MonthError, MonthReport, month_report
from esteio.alert.report._pdf import PdfFailed, report_pdf
from esteio.alert.report._words import REPORT_WORDS, ReportWords

__all__ = [
    "REPORT_WORDS",
    "Document",
    "Month",
    "MonthError",
    "MonthReport",
    "Part",
    "PdfFailed",
    "ReportWords",
    "Table",
    "month_report",
    "report_document",
    "report_pdf",
]
