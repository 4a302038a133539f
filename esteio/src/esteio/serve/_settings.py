"""The settings of serving, with their units, defaults and limits.

Promises: nothing waits without a ceiling; a value outside its range is refused by name before anything starts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from esteio.policy._backoff import Exponential
from esteio.serve._errors import InvalidServeSetting
from esteio.serve._refusals import RefusalWords
from esteio.serve._tls import CertificateFiles

__all__ = ["RESTARTS", "ConnectionLimits", "ServerOptions", "Timeouts", "WorkerSpec", "restart_delay"]

RESTARTS = Exponential(initial=0.5, cap=30.0)
_JITTER = 0.2  # the share of a wait that chance may take away; it never adds, so that the ceiling holds


def restart_delay(backoff: Exponential, failures: int, chance: float) -> float:
    """Seconds to wait after `failures` in a row; `chance` is a random number from 0 to 1.

    The first failure costs nothing: a worker that died once is replaced at once.
    """
    return backoff.step(failures - 2) * (1.0 - _JITTER * chance) if failures > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. At the limit: the worker is killed and replaced, unless said otherwise."""

    startup: float = 60.0
    """From process start until it listens: importing the application and its lifespan start-up."""
    ready: float = 60.0
    """In a roll, from process start until ready; at the limit the roll is aborted and the old worker stays."""
    healthcheck: float = 10.0
    """Longest time the event loop of a worker may stand still."""
    graceful_shutdown: float = 30.0
    """For requests in flight when a worker ends; at the limit they are cancelled."""
    lifespan_shutdown: float = 10.0
    """For the application's own shutdown after the last request."""
    keep_alive_grace: float = 1.0
    """In a roll, how long an idle connection may still send one more request before it is closed."""
    drain_delay: float = 0.0
    """When all stops, how long to go on accepting while readiness says no; set it behind a load balancer."""
    service_stop: float = 60.0
    """For each service's orderly stop."""
    stable_after: float = 30.0
    """A worker that was ready, or a service that was up, for so long is forgiven its earlier failures."""

    def __post_init__(self) -> None:
        may_be_zero = {"keep_alive_grace", "drain_delay"}
        for each in fields(self):
            value = getattr(self, each.name)
            least = 0.0 if each.name in may_be_zero else 0.1
            if not (math.isfinite(value) and value >= least):
                raise InvalidServeSetting(each.name, value, f"seconds, at least {least}, finite")

    @property
    def retire_budget(self) -> float:
        """Seconds from the order to drain until a worker of a roll is killed."""
        return self.graceful_shutdown + self.lifespan_shutdown

    @property
    def stop_budget(self) -> float:
        """Seconds from the order to stop until a worker is killed."""
        return self.drain_delay + self.retire_budget


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one worker takes from clients, each bound against a client that is slow, endless or many.

    docs/reference/serve.md says in one table what happens at each bound.
    """

    connections: int = 1000
    """Open connections; beyond, those that wait the longest without a request in flight are closed for the new ones."""
    per_address: int = 250
    """Open connections of one address; proxies in `ServerOptions.forwarded_allow_ips` are exempt."""
    requests: int = 800
    """Requests in flight, open WebSockets included; beyond, 503 with Retry-After. Probes are answered all the same."""
    head_bytes: int = 64 * 1024
    """Request line and headers; beyond, 431."""
    head_timeout: float = 10.0
    """Seconds for request line and headers to arrive; beyond, 408."""
    body_timeout: float = 20.0
    """Seconds a body may be waited for, plus one for each `body_rate` bytes that came; beyond, 408."""
    body_rate: int = 500
    """Bytes a second, on average, that a body has to come with in the long run."""
    send_timeout: float = 60.0
    """Seconds a client may take none of what is sent to it; beyond, its connection is cut."""
    probe_paths: tuple[str, ...] = ("/health", "/health/live", "/health/ready")
    """Paths that are never refused for overload."""

    def __post_init__(self) -> None:
        for name, least in (("connections", 10), ("per_address", 1), ("requests", 1), ("head_bytes", 1024)):
            if getattr(self, name) < least:
                raise InvalidServeSetting(name, getattr(self, name), f"a whole number from {least}")
        if self.body_rate < 1:
            raise InvalidServeSetting("body_rate", self.body_rate, "bytes a second, a whole number from 1")
        for name in ("head_timeout", "body_timeout", "send_timeout"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 1.0):
                raise InvalidServeSetting(name, value, "seconds, at least 1.0, finite")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What each worker's HTTP server is given.

    `keep_alive`: seconds an idle connection lives; longer than a proxy keeps its own (nginx: 60), so that the proxy is
    the one that closes. `backlog`: connections waiting to be accepted. `limits`: bounds against slow, endless and many
    clients; `refusals` words what is refused for them. `http`: "auto" is Esteio's own protocol on httptools; uvicorn's
    names ("h11", ...) are its own protocols, without `limits`. `log_config`: a `logging.config` dictionary for the
    workers, None leaves logging to the application.
    `tls`: certificate files, replaced at any time. `extra`: further arguments of `uvicorn.Config`.
    """

    keep_alive: int = 65
    backlog: int = 2048
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    refusals: RefusalWords = field(default_factory=RefusalWords)
    limit_max_requests: int | None = None
    loop: str = "auto"
    http: str = "auto"
    access_log: bool = False
    log_level: str | None = None
    log_config: Mapping[str, Any] | None = None
    proxy_headers: bool = True
    forwarded_allow_ips: str = "127.0.0.1,::1"
    tls: CertificateFiles | None = None
    root_path: str = ""
    factory: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("keep_alive", "backlog", "limit_max_requests"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidServeSetting(name, value, "a whole number from 1")


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What every worker process is given when it starts."""

    app: str
    options: ServerOptions
    timeouts: Timeouts
