"""Reads the file: TOML, variables of the environment, the tables of `_sections`, and what has to fit together."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from esteio.cron import Cron, CronError
from esteio.watch._config._errors import ConfigError, Problem
from esteio.watch._config._kinds import Option
from esteio.watch._config._sections import (
    MOST,
    SECTIONS,
    Config,
    Group,
    Heartbeat,
    Maintenance,
    Notify,
    Peer,
    Probe,
    Section,
    Watch,
)

__all__ = ["load", "options"]

_ONCE = ("watch", "notify", "group")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HIDDEN = "(not shown)"
_LONGEST = 80  # characters of a value in a problem
_S = TypeVar("_S", bound=Section)


def load(path: Path, variables: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`; `${NAME}` in a text is the variable NAME. ConfigError, OSError."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [Problem("the file", "no TOML", str(error))]) from None
    reader = _Reader(variables)
    found = reader.sections(given)
    problems = [*reader.problems]
    watch = next((each for each in found if isinstance(each, Watch)), None)
    if watch is None and "watch" not in given:
        problems.append(Problem("[watch]", "", 'a section with at least `name = "..."`'))
    if problems or watch is None:
        raise ConfigError(path, problems)
    config = Config(
        path.absolute(), watch, _one(found, Notify), _one(found, Group), _of(found, Peer), _of(found, Probe),
        _of(found, Heartbeat), _of(found, Maintenance),
    )  # fmt: skip
    if problems := [*_contradictions(config)]:
        raise ConfigError(path, problems)
    return config


def options(section: type[Section]) -> Iterator[tuple[str, Option, Any]]:
    """The options of a section: name, what it is, and its default, MISSING where it has none."""
    hints = get_type_hints(section, include_extras=True)
    for each in fields(section):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        [option] = [extra for extra in get_args(hints[each.name]) if isinstance(extra, Option)]
        yield each.name, option, default


class _Reader:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[Problem] = []

    def sections(self, given: Mapping[str, Any]) -> list[Section]:
        found: list[Section | None] = []
        for name, value in given.items():
            kind = SECTIONS.get(name)
            if kind is None:
                self._wrong(f"[{name}]", "not known", _like(name, SECTIONS))
            elif name in _ONCE:
                found.append(self._section(f"[{name}]", kind, value))
            elif not isinstance(value, list):
                self._wrong(f"[{name}]", "a single table", f"[[{name}]], with two brackets: there may be several")
            else:
                found += [self._section(self._place(name, n, each), kind, each) for n, each in enumerate(value, 1)]
        return [each for each in found if each is not None]

    def _place(self, name: str, number: int, value: Any) -> str:
        called = value.get("name") if isinstance(value, dict) else None
        return f'[[{name}]] "{called}"' if isinstance(called, str) else f"[[{name}]] number {number}"

    def _section(self, place: str, kind: type[_S], given: Any) -> _S | None:
        if not isinstance(given, dict):
            self._wrong(place, "no table", "options, one a line")
            return None
        known = {name: (option, default) for name, option, default in options(kind)}
        before = len(self.problems)
        for name in given.keys() - known.keys():
            self._wrong(f"{place} {name}", "not known", _like(name, known))
        found = {}
        for name, (option, default) in known.items():
            if name in given:
                found[name] = self._value(f"{place} {name}", option, given[name])
            elif default is MISSING:
                self._wrong(f"{place} {name}", "", option.kind.allowed)
        return kind(**found) if len(self.problems) == before else None

    def _value(self, place: str, option: Option, given: Any) -> Any:
        missing: list[str] = []
        value = self._filled(given, missing)
        if missing:
            self._wrong(
                place,
                f"${{{missing[0]}}}, which is not set",
                "a variable that is set in the environment of the watcher",
            )
            return None
        try:
            return option.kind.read(value)
        except ValueError:
            shown = _HIDDEN if option.secret else _shown(value)
            self._wrong(place, shown, option.kind.allowed)
            return None

    def _filled(self, value: Any, missing: list[str]) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(each, missing) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each, missing) for each in value]
        if not isinstance(value, str):
            return value
        missing += [name for name in _VARIABLE.findall(value) if name not in self._variables]
        return _VARIABLE.sub(lambda match: self._variables.get(match[1], ""), value)

    def _wrong(self, place: str, value: str, allowed: str) -> None:
        self.problems.append(Problem(place, value, allowed))


def _of(found: list[Section], kind: type[_S]) -> tuple[_S, ...]:
    return tuple(each for each in found if isinstance(each, kind))


def _one(found: list[Section], kind: type[_S]) -> _S:
    return next(iter(_of(found, kind)), None) or kind()


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _like(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    names = ", ".join(known)
    return f"{names}; did you mean {near[0]}?" if near else names


def _contradictions(config: Config) -> Iterator[Problem]:
    """What each option alone cannot be wrong about."""
    yield from _names(config)
    for probe in config.probes:
        place = f'"{probe.name}"'
        if probe.failures > probe.of:
            yield Problem(f"{place} failures", str(probe.failures), f"at most `of`, {probe.of}")
        if probe.retry > probe.interval:
            yield Problem(f"{place} retry", f"{probe.retry:g}", f"at most `interval`, {probe.interval:g} seconds")
    for beat in config.heartbeats:
        place = f'[[heartbeat]] "{beat.name}"'
        if bool(beat.schedule) is bool(beat.every):
            yield Problem(f"{place} schedule", "", "either `schedule` or `every`, one of the two")
        yield from _cron(f"{place} schedule", beat.schedule, beat.timezone or config.watch.timezone)
    for number, each in enumerate(config.maintenance, 1):
        yield from _window(f"[[maintenance]] number {number}", each, config.watch.timezone)
    if config.peers and not config.group.secret:
        yield Problem("[group] secret", "", "the same secret in all watchers, as there is a [[peer]]")


def _names(config: Config) -> Iterator[Problem]:
    named: list[Probe | Heartbeat] = [*config.probes, *config.heartbeats]
    names = [each.name for each in named]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(f'name "{name}"', "used twice", "a name of its own for each probe and heartbeat")
    keys = [each.key for each in config.heartbeats]
    for beat in config.heartbeats:
        if keys.count(beat.key) > 1:
            yield Problem(f'[[heartbeat]] "{beat.name}" key', _HIDDEN, "a key of its own for each heartbeat")
    if len(names) + len(config.peers) > MOST:
        yield Problem(
            "the file",
            f"of {len(names) + len(config.peers)} probes, heartbeats and peers",
            f"at most {MOST}; divide them",
        )
    watchers = [config.watch.name, *(peer.name for peer in config.peers)]
    for name in sorted({name for name in watchers if watchers.count(name) > 1}):
        yield Problem(f'watcher "{name}"', "used twice", "a name of its own for each watcher")
    parents = {each.name: each.depends_on for each in named}
    for each in named:
        for parent in each.depends_on:
            if parent not in names:
                yield Problem(f'"{each.name}" depends_on', f'"{parent}"', f"names of probes: {', '.join(names)}")
        if _in_circle(each.name, parents):
            yield Problem(f'"{each.name}" depends_on', "a circle", "probes that do not depend on this one")


def _in_circle(name: str, parents: Mapping[str, tuple[str, ...]]) -> bool:
    seen: set[str] = set()
    waiting = [*parents.get(name, ())]
    while waiting:
        each = waiting.pop()
        if each == name:
            return True
        if each not in seen:
            seen.add(each)
            waiting += parents.get(each, ())
    return False


def _cron(place: str, expression: str, timezone: str) -> Iterator[Problem]:
    if expression:
        try:
            Cron(expression, timezone)
        except CronError as error:
            yield Problem(place, f'"{error.value}"', f"{error.problem}{f' ({error.reason})' if error.reason else ''}")


def _window(place: str, window: Maintenance, timezone: str) -> Iterator[Problem]:
    once = window.begin is not None and window.end is not None
    again = bool(window.schedule and window.lasts)
    if (
        once is again
        or (window.begin is None) is not (window.end is None)
        or bool(window.schedule) is not bool(window.lasts)
    ):
        yield Problem(place, "", "either `begin` and `end`, or `schedule` and `lasts`")
    elif once and window.begin is not None and window.end is not None:
        if (window.begin.tzinfo is None) is not (window.end.tzinfo is None):
            yield Problem(f"{place} end", f"{window.end}", "with an offset as `begin` has one, or neither")
        elif window.end <= window.begin:
            yield Problem(f"{place} end", f"{window.end}", f"later than `begin`, {window.begin}")
    yield from _cron(f"{place} schedule", window.schedule, timezone)
