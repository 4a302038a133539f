"""How a text becomes a value, and a value a text again: durations, sizes, yes and no, addresses.

Promises: each reader takes what the environment holds and raises ValueError, whose message says what is wrong in
Portuguese and never repeats the value (it may be a secret).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from esteio.postgres import Dsn, DsnError
from sispat.kernel.i18n import LANGUAGES, _
from sispat.kernel.permissions import Papel

__all__ = [
    "DURATION",
    "QUOTA",
    "SIZE",
    "Quota",
    "as_text",
    "read_bool",
    "read_channels",
    "read_cron",
    "read_dsn",
    "read_duration",
    "read_language",
    "read_mail",
    "read_networks",
    "read_object_store",
    "read_quiet_hours",
    "read_quota",
    "read_quota_or_no",
    "read_redis",
    "read_roles",
    "read_secrets",
    "read_size",
    "read_size_or_no",
    "read_timezone",
    "read_url",
    "read_url_or_no",
]

DURATION = "duração"
SIZE = "tamanho"
QUOTA = "quantidade/duração"

_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2}
_MEASURE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([A-Za-z]*)\s*")
_MOST_OF_QUOTA = 1_000_000
_LONGEST_PERIOD = 86400.0
_YES = frozenset({"sim", "s", "true", "t", "yes", "y", "on", "1"})
_NO = frozenset({"não", "nao", "n", "false", "f", "no", "off", "0"})


class Quota(NamedTuple):
    """So many within so many seconds."""

    amount: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.amount}/{as_text(DURATION, self.seconds)}"


def read_quota(value: Any) -> Any:
    """A `Quota` from `100/15min`; the duration as in `read_duration`, from 1 s to 1 day."""
    if not isinstance(value, str):
        return value
    amount, _slash, period = (part.strip() for part in value.partition("/"))
    if not period or not (amount.isascii() and amount.isdigit()):
        raise ValueError(_("não é quantidade/duração"))
    seconds = read_duration(period if period[:1].isdigit() else f"1{period}")
    if not 1 <= int(amount) <= _MOST_OF_QUOTA:
        raise ValueError(_("a quantidade deve ser de 1 a 1000000"))
    if not 1 <= seconds <= _LONGEST_PERIOD:
        raise ValueError(_("a duração deve ser de 1s a 1d"))
    return Quota(int(amount), seconds)


def read_quota_or_no(value: Any) -> Any:
    """As `read_quota`; `não` is None: no limit."""
    return None if isinstance(value, str) and value.strip().lower() in _NO else read_quota(value)


def read_duration(value: Any) -> Any:
    """Seconds from `90s`, `30min`, `8h`, `1d`, `500ms`, or a bare number of seconds."""
    return _measure(value, _SECONDS, "s", _("a unidade deve ser ms, s, min, h ou d"))


def read_size(value: Any) -> Any:
    """Bytes from `1MB`, `512kB`, or a bare number of bytes; 1 MB is 1024 x 1024 bytes."""
    bytes_ = _measure(value, _BYTES, "b", _("a unidade deve ser B, kB ou MB"))
    return round(bytes_) if isinstance(bytes_, float) else bytes_


def read_size_or_no(value: Any) -> Any:
    """As `read_size`; `não` is None: no limit."""
    return None if isinstance(value, str) and value.strip().lower() in _NO else read_size(value)


def _measure(value: Any, factors: Mapping[str, float], without_unit: str, error: str) -> Any:
    if not isinstance(value, str):
        return value
    found = _MEASURE.fullmatch(value)
    if found is None:
        raise ValueError(_("não é um número com a sua unidade"))
    factor = factors.get((found[2] or without_unit).lower())
    if factor is None:
        raise ValueError(error)
    return float(found[1].replace(",", ".")) * factor


def read_bool(value: Any) -> Any:
    """`sim`/`não` and their relatives."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _YES:
        return True
    if value.strip().lower() in _NO:
        return False
    raise ValueError(_("não é sim nem não"))


def _part_refused(part: str, value: object, allowed: str) -> str:
    """Which part of an address or a time is wrong; Esteio gives the `value` of it without a login."""
    return _("%(part)s: %(value)s; permitido: %(allowed)s", part=part, value=repr(value), allowed=allowed)


def read_dsn(value: Any) -> Any:
    """A PostgreSQL URL; what is wrong with it comes from `DsnError`, which shows no password."""
    if not isinstance(value, str):
        return value
    try:
        return Dsn.parse(value)
    except DsnError as error:
        if "@" in value.partition("://")[2].partition("/")[2]:  # what looks like a port may be half a password
            raise ValueError(_("há um / antes do @; na senha, escreva / como %2F, @ como %40 e : como %3A")) from None
        raise ValueError(_part_refused(error.part, error.value, error.allowed)) from None


def read_url(*schemes: str) -> Any:
    """A reader of URLs with one of these schemes and a host (or, for `unix`, a path)."""

    def read(value: Any) -> Any:
        scheme, separator, rest = str(value).partition("://")
        if not separator or scheme not in schemes:
            raise ValueError(_("deve começar com %(schemes)s", schemes=", ".join(f"{name}://" for name in schemes)))
        if not rest or (rest.startswith(("/", "?", "#")) and scheme != "unix"):
            raise ValueError(_("falta o servidor depois de ://"))
        if any(char.isspace() for char in rest):
            raise ValueError(_("contém espaço"))
        return value

    return read


def read_channels(value: Any) -> Any:
    """Addresses of channels, separated by blanks, as far as their form goes; who uses them knows more."""
    for address in str(value).split():
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", address):
            raise ValueError(_("deve ser esquema://..., e vários separados por espaços"))
    return value


_read_mail_url = read_url("mailto", "mailtos")


def read_mail(value: Any) -> Any:
    """The address of a mail server, without whom a mail goes to; whoever sends knows more."""
    if isinstance(value, str):
        _read_mail_url(value)
        if re.search(r"[?&]to=", value):
            raise ValueError(_("não leva to=: cada pessoa recebe no e-mail da sua conta"))
    return value


_read_redis_url = read_url(
    *("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
)


def read_redis(value: Any) -> Any:
    """The address of a Redis, of Sentinels or of a Cluster; what is wrong with it is told without a password."""
    if not isinstance(value, str):
        return value
    _read_redis_url(value)
    from esteio.limit.redis import RedisAddressError, RedisStore

    try:
        RedisStore(value)  # connects to nothing yet
    except RedisAddressError as error:
        raise ValueError(_part_refused(error.part, error.value, error.allowed)) from None
    return value


def read_url_or_no(*schemes: str) -> Any:
    """As `read_url`; `não`, or nothing, is None."""
    read = read_url(*schemes)

    def read_or_no(value: Any) -> Any:
        text = "" if value is None else str(value).strip()
        return None if not text or text.lower() in _NO else read(text)

    return read_or_no


def read_networks(value: Any) -> Any:
    """Addresses and networks separated by commas, or `*`."""
    parts = [part.strip() for part in str(value).split(",")]
    if parts == ["*"]:
        return "*"
    for part in parts:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ValueError(_("“%(part)s” não é um endereço IP nem uma rede", part=part)) from None
    return ",".join(parts)


_read_object_url = read_url_or_no("s3", "gs", "az")


def read_object_store(value: Any) -> Any:
    """The address of an object store; `não`, or nothing, is None."""
    address = _read_object_url(value)
    if address is None:
        return None
    from esteio.backup.store import StoreUrlError, open_store

    try:
        open_store(address)  # connects to nothing yet
    except StoreUrlError as error:
        raise ValueError(_part_refused(error.part, error.value, error.allowed)) from None
    return address


def read_roles(value: Any) -> Any:
    """Roles separated by commas; `não`, or nothing, is none of them."""
    parts = [part.strip().lower() for part in str(value).split(",") if part.strip()]
    if not parts or (len(parts) == 1 and parts[0] in _NO):
        return "não"
    if not set(parts) <= set(Papel):
        raise ValueError(_("deve ser um ou mais papéis, separados por vírgulas: %(roles)s", roles=", ".join(Papel)))
    return ",".join(parts)


_SHORTEST_SECRET = 32  # characters: 128 bits also in hexadecimal


def read_secrets(value: Any) -> Any:
    """Secrets separated by commas, each long enough not to be guessed."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",")]
    if any(len(part) < _SHORTEST_SECRET for part in parts):
        raise ValueError(_("cada segredo deve ter pelo menos %(number)s caracteres", number=_SHORTEST_SECRET))
    return ",".join(parts)


def read_cron(*also: str) -> Any:
    """A reader of cron expressions; `não`, and the words of `also`, stand for themselves."""

    def read(value: Any) -> Any:
        text = str(value).strip()
        if text.lower() in _NO:
            return "não"
        if text.lower() in also:
            return text.lower()
        from esteio.backup.schedule import Cron, ScheduleError

        try:
            Cron(text)
        except ScheduleError:
            raise ValueError(_("não são cinco campos que o cron entenda")) from None
        return text

    return read


def read_quiet_hours(value: Any) -> Any:
    """Two times of day, as 22:00-07:00; or no."""
    text = str(value).strip().lower()
    if text in _NO:
        return "não"
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(_("informe duas horas, como 22:00-07:00, ou não"))
    return text


def read_timezone(value: Any) -> Any:
    """The name of a time zone of the IANA data base."""
    try:
        ZoneInfo(str(value))
    except (KeyError, OSError, ValueError):  # unknown, a folder of the data base, not a name at all
        raise ValueError(_("não é um fuso conhecido")) from None
    return value


def read_language(value: Any) -> Any:
    """One of our languages, however it is cased."""
    for tag in LANGUAGES:
        if str(value).strip().lower().replace("_", "-") == tag.lower():
            return tag
    raise ValueError(_("não é um dos idiomas do SISPAT"))


def as_text(unit: str, value: Any) -> str:
    """A value as one would write it."""
    if value is None:
        return "não" if unit == QUOTA else ""
    if isinstance(value, bool):
        return "sim" if value else "não"
    if unit == DURATION:
        return _in_largest_unit(float(value), _SECONDS, "s")
    if unit == SIZE:
        return _in_largest_unit(float(value), {"B": 1, "kB": 1024, "MB": 1024**2}, "B")
    return str(value)


def _in_largest_unit(value: float, factors: Mapping[str, float], if_zero: str) -> str:
    for name, factor in sorted(factors.items(), key=lambda pair: -pair[1]):
        if value and (value / factor).is_integer():
            return f"{value / factor:.0f}{name}"
    return f"{value:g}{if_zero}"
