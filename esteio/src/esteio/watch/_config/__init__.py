"""What is watched, from one TOML file.

Promises: all that is wrong in the file is said at once, each with its place, its value and what is allowed; what is secret is
not shown. A name that is not known is an error, not ignored. The reference is made from the same tables that read the file.
"""

from __future__ import annotations

from esteio.watch._config._errors import ConfigError, Problem
from esteio.watch._config._load import load
from esteio.watch._config._reference import reference_page
from esteio.watch._config._sections import (
    Config,
    DnsProbe,
    Group,
    Heartbeat,
    HttpProbe,
    Maintenance,
    Notify,
    Peer,
    PostgresProbe,
    Probe,
    TcpProbe,
    TlsProbe,
    Watch,
)

__all__ = [
    "Config",
    "ConfigError",
    "DnsProbe",
    "Group",
    "Heartbeat",
    "HttpProbe",
    "Maintenance",
    "Notify",
    "Peer",
    "PostgresProbe",
    "Probe",
    "Problem",
    "TcpProbe",
    "TlsProbe",
    "Watch",
    "load",
    "reference_page",
]
