"""What decides, every few seconds, whether somebody is told: from checks, requests and what happened, to the outbox.

Promises: the state, the incidents and what is to be told are durable in one transaction before anybody is told; a kill -9
loses no notice and tells one at most twice. Nothing it meets ends it.
"""

from __future__ import annotations

from esteio.alert.monitor._alerts import Alerts, StoredLedger
from esteio.alert.monitor._availability import evidence_of, uptime_until, uptimes
from esteio.alert.monitor._definitions import Definition, View, service_definitions
from esteio.alert.monitor._monitor import AlertMonitor, Watched
from esteio.alert.monitor._page import EVERY_CHECK, reference_page
from esteio.alert.monitor._records import BackupRecord
from esteio.alert.monitor._requests import RequestCounter
from esteio.alert.monitor._store import AlertStore
from esteio.alert.monitor._words import ALERT_ENGLISH, AlertWords, alert_notice

__all__ = [
    "ALERT_ENGLISH",
    "EVERY_CHECK",
    "AlertMonitor",
    "AlertStore",
    "AlertWords",
    "Alerts",
    "BackupRecord",
    "Definition",
    "RequestCounter",
    "StoredLedger",
    "View",
    "Watched",
    "alert_notice",
    "evidence_of",
    "reference_page",
    "service_definitions",
    "uptime_until",
    "uptimes",
]
