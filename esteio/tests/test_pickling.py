"""Errors and records cross from process to process: whatever the package defines is found here by itself."""

from __future__ import annotations

import collections.abc
import copy
import dataclasses
import enum
import importlib
import inspect
import os
import pickle
import pkgutil
import types
import typing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, time
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import esteio
from esteio.errors import EsteioError
from esteio.limit import Decision, Limit, MemoryStore, SyncRateLimiter


def _modules() -> list[types.ModuleType]:
    found = []
    for module in pkgutil.walk_packages(esteio.__path__, "esteio."):
        if module.name.endswith("__main__"):
            continue
        try:
            found.append(importlib.import_module(module.name))
        except ImportError:  # of an extra that is not installed
            continue
    return found


_CLASSES = sorted(
    {
        each
        for module in _modules()
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__.startswith("esteio.")
    },
    key=lambda each: (each.__module__, each.__qualname__),
)
# They hold what cannot leave its process: a box on disk, a TLS context, a limiter's memory, a clock, the caller's functions, a
# stream, shared memory, a ledger that is written on, the open file of a history or of alerts.
_OF_ONE_PROCESS = {
    "Notices", "Credentials", "Shared", "Binding", "RateLimit", "Rule", "View", "Watched", "_Authority", "_Hours", "_Report",
}  # fmt: skip
_ABSTRACT = {"_Misconfigured"}
_ERRORS = [each for each in _CLASSES if issubclass(each, EsteioError) and each.__name__ not in _ABSTRACT]
_RECORDS = [
    each
    for each in _CLASSES
    if dataclasses.is_dataclass(each)
    and each.__dataclass_params__.frozen  # type: ignore[attr-defined]
    and each.__name__ not in _OF_ONE_PROCESS
    and f"{each.__module__}.{each.__name__}" != "esteio.backup.base._protocol.Archive"  # reads its connection's stream
]


_VALUES: dict[Any, Any] = {
    int: 3, float: 0.5, str: "text", bool: True, bytes: b"bytes", object: "object", Any: "any",
    BaseException: ValueError("inner"), Exception: ValueError("inner"), Path: Path("/a/path"),
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
    time: time(22, 30), ZoneInfo: ZoneInfo("UTC"), typing.Hashable: "key", os.stat_result: os.stat("/"), Limit: Limit(5, 10.0),
    Decision: SyncRateLimiter(MemoryStore()).hit("key", Limit(5, 10.0)),
}  # fmt: skip


def _value(hint: Any) -> Any:
    """Something of the type `hint`."""
    if hint in _VALUES:
        return _VALUES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is not None:
        return _generic(origin, arguments)
    if isinstance(hint, typing.TypeVar):
        return "generic"
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return next(member for kind in (hint, *hint.__subclasses__()) for member in kind)  # some have no members
    if inspect.isclass(hint) and issubclass(hint, BaseException):
        return _error(hint)
    if inspect.isclass(hint) and hasattr(hint, "_fields"):  # a NamedTuple
        return hint(*map(_value, _hints(hint, hint.__module__).values()))
    if getattr(hint, "_is_protocol", False):  # a record of its module that has all of it
        members = {name for name in vars(hint) if not name.startswith("_")}
        return _record(
            next(each for each in _RECORDS if each.__module__ == hint.__module__ and members <= set(dir(each)))
        )
    if dataclasses.is_dataclass(hint):
        return _record(hint) if inspect.isclass(hint) else hint
    msg = f"{hint}: what is an example of it? If it cannot leave its process, neither can a record that holds it"
    raise TypeError(msg)


def _generic(origin: Any, arguments: tuple[Any, ...]) -> Any:
    if origin is typing.Literal:
        return arguments[0]
    if origin is type:
        return ValueError
    if origin is collections.abc.Callable:
        return len
    examples = [_value(each) for each in arguments if each is not Ellipsis and each is not type(None)]
    if origin in (typing.Union, types.UnionType):
        return examples[0]
    if origin in (dict, collections.abc.Mapping):
        return dict([examples])
    kind = origin if origin in (frozenset, list) else tuple
    return kind(examples)


def _hints(what: Any, module: str) -> dict[str, Any]:
    names = dict(vars(importlib.import_module(module)))
    for base in getattr(what, "__mro__", ()):  # fields are inherited with the names of where they were written
        for name, value in vars(importlib.import_module(base.__module__)).items():
            names.setdefault(name, value)
    for each in _CLASSES:  # imported for type checkers only
        names.setdefault(each.__name__, each)
    for name in ("Callable", "Mapping", "Sequence", "Collection", "Hashable", "Iterable"):
        names.setdefault(name, getattr(collections.abc, name))
    names.setdefault("Path", Path)
    names.setdefault("datetime", datetime)
    return typing.get_type_hints(what, names)


def _record(kind: type) -> Any:
    """A record with something in each field; its rules for values are not what is looked at."""
    record = object.__new__(kind)
    hints = _hints(kind, kind.__module__)
    if kind is Limit:
        return _VALUES[Limit]
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        object.__setattr__(record, field.name, _value(hints[field.name]))
    return record


def _error(kind: type[BaseException]) -> BaseException:
    defining = next(each for each in kind.__mro__ if "__init__" in vars(each))
    if not defining.__module__.startswith("esteio."):
        return kind("said", "more", 2.5)  # Python's own __init__ takes anything
    hints = _hints(defining.__init__, defining.__module__)
    parameters = inspect.signature(kind).parameters.values()
    given = [_value(hints[each.name]) for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    named = {each.name: _value(hints[each.name]) for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    return kind(*given, **named)


def _twins(original: Any) -> list[Any]:
    return [pickle.loads(pickle.dumps(original)), copy.deepcopy(original), copy.copy(original)]


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@pytest.mark.parametrize("kind", _RECORDS, ids=_name)
def test_every_record_survives_pickling_and_copying(kind: type) -> None:
    record = _record(kind)
    for twin in _twins(record):
        assert type(twin) is kind
        assert repr(twin) == repr(record)


@pytest.mark.parametrize("kind", _ERRORS, ids=_name)
def test_every_error_survives_pickling_and_copying_with_its_fields_and_notes(kind: type[EsteioError]) -> None:
    error = _error(kind)
    error.add_note("noted")
    for twin in _twins(error):
        assert type(twin) is kind
        assert (str(twin), twin.args, repr(vars(twin))) == (str(error), error.args, repr(vars(error)))
        assert twin.retry_after == error.retry_after


def test_a_decision_survives_pickling_and_copying() -> None:
    decision = _value(Decision)
    for twin in _twins(decision):
        assert (type(twin), repr(twin)) == (type(decision), repr(decision))


def test_errors_cross_to_another_process_and_back() -> None:
    errors = [_error(kind) for kind in _ERRORS]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        for error, twin in zip(errors, pool.map(copy.copy, errors, timeout=50), strict=True):
            assert (type(twin), str(twin)) == (type(error), str(error))
