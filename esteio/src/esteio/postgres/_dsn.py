"""Where the database is and how much of it one process may use, from one URL.

Promises: what `Dsn.parse` accepts, libpq accepts too; the guide's own parameters (`connection_limit`,
`pool_timeout`, `statement_timeout`) are taken out of the query and checked. A malformed URL raises
`DsnError`, which says which part is wrong and never shows the password.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from psycopg import pq
from psycopg.conninfo import make_conninfo

from esteio.errors import EsteioError

__all__ = ["Dsn", "DsnError"]

_EXAMPLE = "postgresql://user:password@host:5432/database?connection_limit=10"
_REST = re.compile(r"(?:(?P<userinfo>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<query>[^#]*))?")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::(?P<port>[^:]*))?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# name: unit, default, minimum, maximum
_LIMITS: dict[str, tuple[str, float, float, float]] = {
    "connection_limit": ("connections", 10, 1, 1000),
    "pool_timeout": ("seconds", 20.0, 0.001, 3600.0),
    "statement_timeout": ("milliseconds, 0 for none", 5000, 0, 86_400_000),
}
_SECRET = frozenset({"sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
_OWN = frozenset({"host", "port", "user", "password", "dbname"})


class DsnError(EsteioError, ValueError):
    """A database URL that cannot be used: `part` of it has `value`, but `allowed` is something else."""

    def __init__(self, part: str, value: str, allowed: str) -> None:
        self.part = part
        self.value = value
        self.allowed = allowed
        super().__init__(f"database URL: {part} is {value!r}; allowed: {allowed}. Example: {_EXAMPLE}")


@dataclass(frozen=True, slots=True)
class Dsn:
    """A parsed database URL.

    `hosts` are (host, port) pairs in the order they are tried; a host that begins with `/` is the
    directory of a Unix socket, and an empty list leaves the choice to libpq. `parameters` are libpq's own.
    """

    hosts: tuple[tuple[str, int | None], ...] = ()
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    connection_limit: int = 10
    """Connections one process may have open, 1 to 1000."""
    pool_timeout: float = 20.0
    """Seconds a caller waits for a connection, 0.001 to 3600."""
    statement_timeout: int = 5000
    """Milliseconds the server lets a statement run; 0 sets no limit."""

    def __post_init__(self) -> None:
        for name in _LIMITS:
            _within(name, getattr(self, name), str(getattr(self, name)))

    @classmethod
    def parse(cls, url: str) -> Dsn:
        """Read a `postgresql://` URL; DsnError when it is malformed."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("postgresql", "postgres"):
            shown = scheme if separator and scheme.isalnum() else ""
            raise DsnError("the scheme", shown, "postgresql:// or postgres://")
        match = _REST.fullmatch(rest)
        if match is None:
            raise DsnError("a part", "#...", "# only as %23")
        if match["userinfo"] is None and "@" in rest:
            try:
                return cls._of(match)
            except DsnError:  # it may show what is really a piece of the password
                raise DsnError("the user or the password", "***", "/ ? # and @ in it only as %2F %3F %23 %40") from None
        return cls._of(match)

    @classmethod
    def _of(cls, match: re.Match[str]) -> Dsn:
        user, _, password = (match["userinfo"] or "").partition(":")
        query = _query(match["query"] or "")
        limits = {name: _number(name, query.pop(name)) for name in _LIMITS if name in query}
        own = {name: query.pop(name) for name in _OWN if name in query}
        secret = own.get("password", _decode("the password", password, secret=True))
        return cls(
            hosts=_hosts(match["hosts"], own),
            database=own.get("dbname", _decode("the database name", match["database"] or "")) or None,
            user=own.get("user", _decode("the user", user)) or None,
            password=secret or None,
            parameters=tuple(query.items()),
            **limits,  # type: ignore[arg-type] # each is int or float as its field wants
        )

    @property
    def conninfo(self) -> str:
        """The connection string for psycopg, without the guide's parameters and with the password."""
        given: dict[str, Any] = dict(self.parameters)
        if self.hosts:
            given["host"] = ",".join(host for host, _ in self.hosts)
            if any(port is not None for _, port in self.hosts):
                given["port"] = ",".join("" if port is None else str(port) for _, port in self.hosts)
        given.update(dbname=self.database, user=self.user, password=self.password)
        return make_conninfo("", **{name: value for name, value in given.items() if value is not None})

    @property
    def url(self) -> str:
        """The URL that `parse` reads back to an equal value; it contains the password."""
        return self._url(None if self.password is None else _encode(self.password), self.parameters)

    @property
    def masked(self) -> str:
        """The URL for people to read: the password and libpq's other secrets are `***`."""
        shown = tuple((name, "***" if name in _SECRET else value) for name, value in self.parameters)
        return self._url(None if self.password is None else "***", shown)

    def with_(self, **changes: Any) -> Dsn:
        """A copy with some fields changed; DsnError when a limit is out of its range."""
        return replace(self, **changes)

    def _url(self, password: str | None, parameters: tuple[tuple[str, str], ...]) -> str:
        query = [f"{name}={_encode(value)}" for name, value in parameters]
        if any(not _fits_authority(host) for host, _ in self.hosts):
            authority = ""
            query.insert(0, "host=" + _encode(",".join(host for host, _ in self.hosts)))
            if any(port is not None for _, port in self.hosts):
                query.insert(1, "port=" + ",".join("" if port is None else str(port) for _, port in self.hosts))
        else:
            authority = ",".join(_authority(host, port) for host, port in self.hosts)
        for name, (_, default, _, _) in _LIMITS.items():
            if getattr(self, name) != default:
                query.append(f"{name}={getattr(self, name)}")
        user = _encode(self.user or "") + ("" if password is None else ":" + password)
        return (
            "postgresql://"
            + (user + "@" if user else "")
            + authority
            + ("/" + _encode(self.database) if self.database else "")
            + ("?" + "&".join(query) if query else "")
        )


def _query(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in text.split("&") if text else ():
        raw, equals, value = item.partition("=")
        name = _decode("a parameter's name", raw)
        if name not in _LIMITS and name not in _libpq_parameters():
            near = difflib.get_close_matches(name, [*_LIMITS, *_libpq_parameters()], 3)
            hint = ", such as " + ", ".join(near) if near else ""
            raise DsnError("the parameter", name, f"{', '.join(_LIMITS)} and libpq's own{hint}")
        if not equals:
            raise DsnError(f"the parameter {name}", item, f"{name}=value")
        if name in found:
            raise DsnError(f"the parameter {name}", "given twice", "once")
        found[name] = _decode(f"the parameter {name}", value, secret=name == "password" or name in _SECRET)
    return found


def _hosts(authority: str, own: dict[str, str]) -> tuple[tuple[str, int | None], ...]:
    if "host" not in own:
        found = [_host(item) for item in authority.split(",")] if authority else []
        if "port" not in own:
            return tuple(found)
        names = [host for host, _ in found] or [""]
    elif authority:
        raise DsnError("the host", authority, "a host before the path or the parameter host, not both")
    else:
        names = own["host"].split(",")
    ports = [_port(port) for port in own.get("port", "").split(",")]
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names):
        raise DsnError("the parameter port", own["port"], f"one port, or one for each of the {len(names)} hosts")
    return tuple(zip(names, ports, strict=True))


def _host(item: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(item)
    if match is None:
        raise DsnError("the host", item, "host, host:port or [IPv6]:port, several separated by commas")
    return _decode("the host", match["host"].strip("[]")), _port(match["port"] or "")


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise DsnError("the port", text, "a number from 1 to 65535")
    return int(text)


def _number(name: str, text: str) -> int | float:
    kind = float if name == "pool_timeout" else int
    try:
        value = kind(text)
    except ValueError:
        _within(name, float("nan"), text)
        raise
    _within(name, value, text)
    return value


def _within(name: str, value: float, text: str) -> None:
    unit, _, low, high = _LIMITS[name]
    if not low <= value <= high:
        raise DsnError(f"the parameter {name}", text, f"{low:g} to {high:.12g} ({unit})")


def _decode(part: str, text: str, *, secret: bool = False) -> str:
    if _ESCAPE.search(text):
        raise DsnError(part, "***" if secret else text, "a % only before two hexadecimal digits (write % as %25)")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise DsnError(part, "***" if secret else text, "percent-encoded UTF-8") from None
    if "\0" in decoded:
        raise DsnError(part, "***" if secret else text, "no zero byte (%00)")
    return decoded


def _encode(text: str) -> str:
    return quote(text, safe="")


def _fits_authority(host: str) -> bool:
    return not (host == "" or host.startswith(("/", "@")) or "," in host)


def _authority(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else _encode(host)
    return name if port is None else f"{name}:{port}"


@cache
def _libpq_parameters() -> frozenset[str]:
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
