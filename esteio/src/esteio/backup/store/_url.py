"""Stores from their addresses.

Promises: credentials come from the environment in each vendor's own names (AWS_ACCESS_KEY_ID, GOOGLE_..., AZURE_...),
never from the address, which is shown to people. What is not understood is a `StoreUrlError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from esteio.backup._details import DetailCode
from esteio.backup.store._directory import DirectoryStore
from esteio.backup.store._store import Store, StoreUrlError

__all__ = ["open_store", "store_urls", "stores_from_settings"]

_KINDS = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}
_OF_ALL = ("endpoint", "timeout", "parallel", "rate")
_OPTIONS = {"s3": (*_OF_ALL, "region", "checksum"), "gs": _OF_ALL, "az": _OF_ALL}
_TIMEOUT = 180.0  # seconds: four streams with two parts of 8 MiB each take 107 s on a line of 5 Mbit/s
_MB = 1_000_000


def open_store(url: str, *, timeout: float | None = None, attempts: int | None = None) -> Store:
    """The store at `url`; nothing is asked of it yet.

    `/folder`, `file:///folder`, `s3://bucket/folder?endpoint=...&region=...&checksum=none`, `gs://bucket/folder`,
    `az://account/container/folder?endpoint=...`. Each object store also takes `timeout` (seconds of one request, 1 to
    3600, default 180, or the argument of that name), `parallel` (parts of one upload at a time, 1 to 16, default 2) and
    `rate` (MB a second of all uploads to it, 0.01 to 10000, default unlimited). `attempts` of each operation: four, where
    nobody waits for it.
    """
    if "://" not in url:
        return DirectoryStore(Path(url).expanduser())
    parts = urlsplit(url)
    if parts.scheme == "file":
        return DirectoryStore(unquote(parts.path))
    if parts.scheme not in _KINDS:
        raise StoreUrlError(DetailCode.SCHEME(), parts.scheme, DetailCode.SCHEMES())
    # A password with a slash in it ends what looks like the host, and what looks like its port is the password's beginning.
    login = parts.netloc + (parts.path if ":" in parts.netloc else "")
    if "@" in login:
        host = "***@" + login.rpartition("@")[2]
        raise StoreUrlError(DetailCode.HOST(), host, DetailCode.NO_CREDENTIALS())
    if not parts.netloc:
        raise StoreUrlError(DetailCode.BUCKET(), "", "s3://bucket")
    from esteio.backup.store._object import (
        ATTEMPTS,
        PARALLEL,
        ObjectStore,
    )  # late: a directory needs nothing of obstore

    bare = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    options = _options(parts.scheme, parts.query)
    seconds = timeout or _number(options, "timeout", 1, 3600) or _TIMEOUT
    rate = _number(options, "rate", 0.01, 10_000)
    parallel = int(_number(options, "parallel", 1, 16) or PARALLEL)
    inner = _inner(parts.scheme, bare, options, seconds)
    return ObjectStore(bare, inner, parallel=parallel, rate=rate * _MB if rate else None, attempts=attempts or ATTEMPTS)


def stores_from_settings(settings: Mapping[str, str]) -> tuple[Store, ...]:
    """What `BACKUP_DIR`, `AWS_S3_BUCKET` and `BACKUP_STORES` (addresses, separated by blanks) say, in this order."""
    return tuple(map(open_store, store_urls(settings)))


def store_urls(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses of `stores_from_settings`, each once."""
    urls = [settings[name] for name in ("BACKUP_DIR",) if settings.get(name)]
    if bucket := settings.get("AWS_S3_BUCKET"):
        urls.append(bucket if "://" in bucket else f"s3://{bucket}")
    urls += settings.get("BACKUP_STORES", "").split()
    return tuple(dict.fromkeys(urls))


def _options(scheme: str, query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    for name in found:
        if name not in _OPTIONS[scheme]:
            allowed = ", ".join(_OPTIONS[scheme]) or "none"
            raise StoreUrlError(DetailCode.OPTION(scheme=f"{scheme}://"), name, allowed)
    if found.get("checksum", "sha256") not in ("sha256", "none"):
        raise StoreUrlError("checksum", found["checksum"], "sha256, none")
    return found


def _number(options: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    if name not in options:
        return None
    try:
        found = float(options[name])
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        allowed = DetailCode.NUMBER_BETWEEN(low=f"{low:g}", high=f"{high:g}")
        raise StoreUrlError(name, options[name], allowed)
    return found


def _inner(scheme: str, url: str, options: dict[str, str], timeout: float) -> Any:
    import obstore.store
    from obstore.exceptions import BaseError

    config: dict[str, Any] = {name: options[name] for name in ("endpoint", "region") if name in options}
    if scheme == "gs" and "endpoint" in config:
        config["base_url"] = config.pop("endpoint")
    if scheme == "s3" and options.get("checksum") != "none":
        config["checksum_algorithm"] = "SHA256"
    plain = options.get("endpoint", "").startswith("http://")
    seconds = timedelta(seconds=timeout)
    client = {"timeout": seconds, "connect_timeout": min(seconds, timedelta(seconds=5)), "allow_http": plain}
    retries = {"max_retries": 2, "retry_timeout": 2 * seconds}
    if scheme == "az":  # obstore itself would take the account for the container
        config["account_name"], url = _azure(url)
    try:
        return getattr(obstore.store, _KINDS[scheme]).from_url(
            url, client_options=client, retry_config=retries, **config
        )
    except (BaseError, ValueError) as error:
        raise StoreUrlError(DetailCode.ADDRESS(), url, str(error).splitlines()[0]) from None


def _azure(url: str) -> tuple[str, str]:
    account, _, path = url.removeprefix("az://").partition("/")
    if not path:
        raise StoreUrlError(DetailCode.CONTAINER(), "", "az://account/container")
    return account, f"az://{path}"
