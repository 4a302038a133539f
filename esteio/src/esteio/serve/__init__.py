"""Worker processes and services that are kept alive, replaced without losing a request, and ended in order."""

from __future__ import annotations

from esteio.serve._bind import bind
from esteio.serve._deaths import noted_deaths
from esteio.serve._early import EARLY_REFUSAL, EarlyAnswer, EarlyRefusal
from esteio.serve._errors import (
    AddressDenied,
    AddressInUse,
    AddressUnusable,
    ApplicationUnusable,
    CertificateUnusable,
    InvalidServeSetting,
    ProgramMissing,
)
from esteio.serve._events import (
    RollAborted,
    RollFinished,
    ServiceDied,
    ServiceFailed,
    ServiceRestarted,
    ServiceStarted,
    ServiceStopped,
    WorkerDied,
    WorkerHung,
    WorkerOversized,
    WorkerReady,
    WorkerReplaced,
    WorkerStarted,
    WorkerStopped,
)
from esteio.serve._http import http_protocol
from esteio.serve._lifecycle import Lifecycle, lifecycle
from esteio.serve._program import Program
from esteio.serve._refusals import RefusalWords
from esteio.serve._release import release_in_force
from esteio.serve._service import Service, ServiceState
from esteio.serve._service_runner import ServiceRunner
from esteio.serve._settings import ConnectionLimits, ServerOptions, Timeouts
from esteio.serve._supervisor import Supervisor
from esteio.serve._tls import CertificateFiles
from esteio.serve._unit_end import EndsWithUnit

__all__ = [
    "EARLY_REFUSAL",
    "AddressDenied",
    "AddressInUse",
    "AddressUnusable",
    "ApplicationUnusable",
    "CertificateFiles",
    "CertificateUnusable",
    "ConnectionLimits",
    "EarlyAnswer",
    "EarlyRefusal",
    "EndsWithUnit",
    "InvalidServeSetting",
    "Lifecycle",
    "Program",
    "ProgramMissing",
    "RefusalWords",
    "RollAborted",
    "RollFinished",
    "ServerOptions",
    "Service",
    "ServiceDied",
    "ServiceFailed",
    "ServiceRestarted",
    "ServiceRunner",
    "ServiceStarted",
    "ServiceState",
    "ServiceStopped",
    "Supervisor",
    "Timeouts",
    "WorkerDied",
    "WorkerHung",
    "WorkerOversized",
    "WorkerReady",
    "WorkerReplaced",
    "WorkerStarted",
    "WorkerStopped",
    "bind",
    "http_protocol",
    "lifecycle",
    "noted_deaths",
    "release_in_force",
]
