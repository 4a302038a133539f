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
    "COTA",
    "DURACAO",
    "TAMANHO",
    "Cota",
    "em_texto",
    "ler_bool",
    "ler_canais",
    "ler_cota",
    "ler_cota_ou_nao",
    "ler_cron",
    "ler_dsn",
    "ler_duracao",
    "ler_enderecos",
    "ler_fuso",
    "ler_idioma",
    "ler_papeis",
    "ler_redis",
    "ler_segredos",
    "ler_tamanho",
    "ler_url",
    "ler_url_ou_nao",
]

DURACAO = "duração"
TAMANHO = "tamanho"
COTA = "quantidade/duração"

_SEGUNDOS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2}
_QUANTIA = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([A-Za-z]*)\s*")
_COTA_MAXIMA = 1_000_000
_PERIODO_MAXIMO = 86400.0
_SIM = frozenset({"sim", "s", "true", "t", "yes", "y", "on", "1"})
_NAO = frozenset({"não", "nao", "n", "false", "f", "no", "off", "0"})


class Cota(NamedTuple):
    """So many within so many seconds."""

    quantos: int
    segundos: float

    def __str__(self) -> str:
        return f"{self.quantos}/{em_texto(DURACAO, self.segundos)}"


def ler_cota(valor: Any) -> Any:
    """A `Cota` from `100/15min`; the duration as in `ler_duracao`, from 1 s to 1 day."""
    if not isinstance(valor, str):
        return valor
    quantos, _slash, periodo = (parte.strip() for parte in valor.partition("/"))
    if not periodo or not (quantos.isascii() and quantos.isdigit()):
        raise ValueError(_("não é quantidade/duração"))
    segundos = ler_duracao(periodo if periodo[:1].isdigit() else f"1{periodo}")
    if not 1 <= int(quantos) <= _COTA_MAXIMA:
        raise ValueError(_("a quantidade deve ser de 1 a 1000000"))
    if not 1 <= segundos <= _PERIODO_MAXIMO:
        raise ValueError(_("a duração deve ser de 1s a 1d"))
    return Cota(int(quantos), segundos)


def ler_cota_ou_nao(valor: Any) -> Any:
    """As `ler_cota`; `não` is None: no limit."""
    return None if isinstance(valor, str) and valor.strip().lower() in _NAO else ler_cota(valor)


def ler_duracao(valor: Any) -> Any:
    """Seconds from `90s`, `30min`, `8h`, `1d`, `500ms`, or a bare number of seconds."""
    return _quantia(valor, _SEGUNDOS, "s", _("a unidade deve ser ms, s, min, h ou d"))


def ler_tamanho(valor: Any) -> Any:
    """Bytes from `1MB`, `512kB`, or a bare number of bytes; 1 MB is 1024 x 1024 bytes."""
    bytes_ = _quantia(valor, _BYTES, "b", _("a unidade deve ser B, kB ou MB"))
    return round(bytes_) if isinstance(bytes_, float) else bytes_


def _quantia(valor: Any, fatores: Mapping[str, float], sem_unidade: str, erro: str) -> Any:
    if not isinstance(valor, str):
        return valor
    achado = _QUANTIA.fullmatch(valor)
    if achado is None:
        raise ValueError(_("não é um número com a sua unidade"))
    fator = fatores.get((achado[2] or sem_unidade).lower())
    if fator is None:
        raise ValueError(erro)
    return float(achado[1].replace(",", ".")) * fator


def ler_bool(valor: Any) -> Any:
    """`sim`/`não` and their relatives."""
    if not isinstance(valor, str):
        return valor
    if valor.strip().lower() in _SIM:
        return True
    if valor.strip().lower() in _NAO:
        return False
    raise ValueError(_("não é sim nem não"))


def ler_dsn(valor: Any) -> Any:
    """A PostgreSQL URL; what is wrong with it comes from `DsnError`, which shows no password."""
    if not isinstance(valor, str):
        return valor
    try:
        return Dsn.parse(valor)
    except DsnError as erro:
        if "@" in valor.partition("://")[2].partition("/")[2]:  # what looks like a port may be half a password
            raise ValueError(_("há um / antes do @; na senha, escreva / como %2F, @ como %40 e : como %3A")) from None
        raise ValueError(
            _(
                "%(part)s: %(value)s; permitido: %(allowed)s",
                part=erro.part,
                value=repr(erro.value),
                allowed=erro.allowed,
            )
        ) from None


def ler_url(*esquemas: str) -> Any:
    """A reader of URLs with one of these schemes and a host (or, for `unix`, a path)."""

    def ler(valor: Any) -> Any:
        esquema, separador, resto = str(valor).partition("://")
        if not separador or esquema not in esquemas:
            raise ValueError(_("deve começar com %(schemes)s", schemes=", ".join(f"{nome}://" for nome in esquemas)))
        if not resto or (resto.startswith(("/", "?", "#")) and esquema != "unix"):
            raise ValueError(_("falta o servidor depois de ://"))
        if any(letra.isspace() for letra in resto):
            raise ValueError(_("contém espaço"))
        return valor

    return ler


def ler_canais(valor: Any) -> Any:
    """Addresses of channels, separated by blanks, as far as their form goes; who uses them knows more."""
    for endereco in str(valor).split():
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", endereco):
            raise ValueError(_("deve ser esquema://..., e vários separados por espaços"))
    return valor


_ler_url_do_redis = ler_url(
    *("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
)


def ler_redis(valor: Any) -> Any:
    """The address of a Redis, of Sentinels or of a Cluster; what is wrong with it is told without a password."""
    if not isinstance(valor, str):
        return valor
    _ler_url_do_redis(valor)
    from esteio.limit.redis import RedisAddressError, RedisStore

    try:
        RedisStore(valor)  # connects to nothing yet
    except RedisAddressError as erro:
        raise ValueError(
            _(
                "%(part)s: %(value)s; permitido: %(allowed)s",
                part=erro.part,
                value=repr(erro.value),
                allowed=erro.allowed,
            )
        ) from None
    return valor


def ler_url_ou_nao(*esquemas: str) -> Any:
    """As `ler_url`; `não`, or nothing, is None."""
    ler = ler_url(*esquemas)

    def ler_ou_nao(valor: Any) -> Any:
        texto = "" if valor is None else str(valor).strip()
        return None if not texto or texto.lower() in _NAO else ler(texto)

    return ler_ou_nao


def ler_enderecos(valor: Any) -> Any:
    """Addresses and networks separated by commas, or `*`."""
    partes = [parte.strip() for parte in str(valor).split(",")]
    if partes == ["*"]:
        return "*"
    for parte in partes:
        try:
            ipaddress.ip_network(parte, strict=False)
        except ValueError:
            raise ValueError(_("“%(part)s” não é um endereço IP nem uma rede", part=parte)) from None
    return ",".join(partes)


def ler_papeis(valor: Any) -> Any:
    """Roles separated by commas; `não`, or nothing, is none of them."""
    partes = [parte.strip().lower() for parte in str(valor).split(",") if parte.strip()]
    if not partes or (len(partes) == 1 and partes[0] in _NAO):
        return "não"
    if not set(partes) <= set(Papel):
        raise ValueError(_("deve ser um ou mais papéis, separados por vírgulas: %(roles)s", roles=", ".join(Papel)))
    return ",".join(partes)


_SEGREDO_MINIMO = 32  # characters: 128 bits also in hexadecimal


def ler_segredos(valor: Any) -> Any:
    """Secrets separated by commas, each long enough not to be guessed."""
    if not isinstance(valor, str):
        return valor
    partes = [parte.strip() for parte in valor.split(",")]
    if any(len(parte) < _SEGREDO_MINIMO for parte in partes):
        raise ValueError(f"cada segredo deve ter pelo menos {_SEGREDO_MINIMO} caracteres")
    return ",".join(partes)


def ler_cron(*tambem: str) -> Any:
    """A reader of cron expressions; `não`, and the words of `tambem`, stand for themselves."""

    def ler(valor: Any) -> Any:
        texto = str(valor).strip()
        if texto.lower() in _NAO:
            return "não"
        if texto.lower() in tambem:
            return texto.lower()
        from esteio.backup.schedule import Cron, ScheduleError

        try:
            Cron(texto)
        except ScheduleError:
            raise ValueError(_("não são cinco campos que o cron entenda")) from None
        return texto

    return ler


def ler_fuso(valor: Any) -> Any:
    """The name of a time zone of the IANA data base."""
    try:
        ZoneInfo(str(valor))
    except (KeyError, OSError, ValueError):  # unknown, a folder of the data base, not a name at all
        raise ValueError(_("não é um fuso conhecido")) from None
    return valor


def ler_idioma(valor: Any) -> Any:
    """One of our languages, however it is cased."""
    for tag in LANGUAGES:
        if str(valor).strip().lower().replace("_", "-") == tag.lower():
            return tag
    raise ValueError(_("não é um dos idiomas do SISPAT"))


def em_texto(unidade: str, valor: Any) -> str:
    """A value as one would write it."""
    if valor is None:
        return "não" if unidade == COTA else ""
    if isinstance(valor, bool):
        return "sim" if valor else "não"
    if unidade == DURACAO:
        return _maior_unidade(float(valor), _SEGUNDOS, "s")
    if unidade == TAMANHO:
        return _maior_unidade(float(valor), {"B": 1, "kB": 1024, "MB": 1024**2}, "B")
    return str(valor)


def _maior_unidade(valor: float, fatores: Mapping[str, float], se_zero: str) -> str:
    for nome, fator in sorted(fatores.items(), key=lambda par: -par[1]):
        if valor and (valor / fator).is_integer():
            return f"{valor / fator:.0f}{nome}"
    return f"{valor:g}{se_zero}"
