"""Runs tests with one mutant after the other, each in a fork of a pytest that has collected them.

Collecting takes longer than the tests, so it is done once. A child gets the mutant by the code of its functions, which is
replaced in place: whoever has imported them has the mutant. First run all tests as they are, with a trace of the lines that
each runs; with a mutant those that run its lines come first, the quick before the slow, and the first failure ends it.
The others come last: a test may reach in one run what it did not in another.
"""

from __future__ import annotations

import gc
import inspect
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest

from tools.mutation import Mutant

__all__ = ["survivors"]

# A mutant that loops for ever is noticed by the processor time it uses, one that sleeps for ever by the clock: so many
# times what all tests took unchanged, and some seconds. A busy machine must not kill a mutant that no test notices.
TIMES = 3
CPU_SECONDS = 3
SECONDS = 60
PASSED, FAILED, NOT_BEGUN = 0, 1, 3


def survivors(
    mutants: Sequence[Mutant],
    sources: dict[str, str],
    tests: Sequence[Path],
    processes: int,
    say: Callable[[str], None],
) -> list[Mutant]:
    """The mutants with which all `tests` pass; RuntimeError when they don't pass on the sources as they are.

    `sources` names the module of each file. So many `processes` run at the same time.
    """
    run = _Run(mutants, sources, processes, say)
    options = ["-x", "-q", "-s", "-p", "no:cacheprovider", "--timeout", "0", *map(str, tests)]
    said = StringIO()
    with redirect_stdout(said):
        status = pytest.main(options, plugins=[run])
    if run.error or status != pytest.ExitCode.OK:
        raise RuntimeError(run.error or said.getvalue())
    return run.alive


class _Run:
    """A plugin of pytest that tries all mutants instead of running the tests once."""

    def __init__(
        self, mutants: Sequence[Mutant], modules: dict[str, str], processes: int, say: Callable[[str], None]
    ) -> None:
        self.alive: list[Mutant] = []
        self.error = ""
        self._mutants = mutants
        self._modules = modules
        self._processes = processes
        self._say = say
        self._limits = (0, 0)
        self._functions: list[FunctionType] = []

    def pytest_configure(self) -> None:
        from hypothesis import HealthCheck, Phase, settings  # here: pytest wants to load its plugins itself

        settings.register_profile(
            "mutants",
            phases=(Phase.explicit, Phase.generate),  # to shrink a failing example takes longer than to find it
            derandomize=True,  # the same examples each time
            database=None,
            deadline=None,  # an example that takes long on a busy machine kills no mutant
            suppress_health_check=[HealthCheck.too_slow],
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        seen = self._traced(session)
        if seen is not None:
            self._functions = [
                f for f in gc.get_objects() if isinstance(f, FunctionType) and f.__module__ in self._modules.values()
            ]
            gc.freeze()  # so that no child looks through, and copies, what all have
            self._try_all(session, seen)
            gc.unfreeze()  # what is frozen is in no list of objects, and the next target looks for its functions
        return True

    def _traced(self, session: pytest.Session) -> dict[str, _Seen] | None:
        """By the id of each test, what it runs of the files; None when one fails."""
        began = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.NamedTemporaryFile() as file:
            child = os.fork()
            if not child:
                trace = _Trace(frozenset(sys.modules[name].__file__ or "" for name in self._modules.values()))
                session.config.pluginmanager.register(trace)
                self._run(session, session.items, end=lambda: Path(file.name).write_text(json.dumps(trace.seen)))
            _, status = os.waitpid(child, 0)
            if status:
                self.error = "the tests fail without a mutant"
                return None
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self._limits = (CPU_SECONDS + int(TIMES * used), SECONDS + int(TIMES * (time.monotonic() - began)))
            found: dict[str, _Seen] = json.loads(Path(file.name).read_text())
            return found

    def _try_all(self, session: pytest.Session, seen: dict[str, _Seen]) -> None:
        running: dict[int, Mutant] = {}
        waiting = list(reversed(self._mutants))
        while waiting or running:
            while waiting and len(running) < self._processes:
                mutant = waiting.pop()
                running[self._start(session, mutant, seen)] = mutant
            child, status = os.wait()
            mutant = running.pop(child)
            if os.waitstatus_to_exitcode(status) == NOT_BEGUN:
                self.error = f"{mutant.file}: could not be begun: {mutant.key}"
                waiting.clear()
            elif status == 0:
                self.alive.append(mutant)
                self._say(f"{mutant.file}:{mutant.lines.start}: survives: {mutant.key}")

    def _start(self, session: pytest.Session, mutant: Mutant, seen: dict[str, _Seen]) -> int:  # noqa: RET503 - a child does not return
        """Run the tests with it in a child, which ends with 0 when they pass; returns its process id."""
        child = os.fork()
        if child:
            return child
        cpu, seconds = self._limits
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
        module = sys.modules[self._modules[mutant.file]]
        functions = [f for f in self._functions if f.__globals__ is module.__dict__]

        def place(item: pytest.Item) -> tuple[bool, float]:
            took, lines = seen[item.nodeid]
            return not any(line in mutant.lines for name, line in lines if name == module.__file__), took

        self._run(session, sorted(session.items, key=place), begin=lambda: _replace(mutant, module, functions))

    def _run(
        self,
        session: pytest.Session,
        items: list[pytest.Item],
        begin: Callable[[], object] = lambda: None,
        end: Callable[[], object] = lambda: None,
    ) -> NoReturn:
        """Run `items` in this child and end it."""
        status = NOT_BEGUN
        try:
            begin()
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            status = FAILED
            session.items = items
            session.config.pluginmanager.unregister(self)
            session.config.hook.pytest_runtestloop(session=session)
            end()
            status = FAILED if session.testsfailed else PASSED
        except BaseException:
            if status == NOT_BEGUN:
                traceback.print_exc()
            raise
        finally:
            os._exit(status)


_Seen = tuple[float, list[tuple[str, int]]]


class _Trace:
    """Notes for each test how long it takes and which lines of `files` run, in whatever thread."""

    def __init__(self, files: frozenset[str]) -> None:
        self.seen: dict[str, _Seen] = {}
        self._files = files
        self._lines: set[tuple[str, int]] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines = set()
        began = time.monotonic()
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seen[item.nodeid] = time.monotonic() - began, list(self._lines)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, _event: str, _arg: object) -> Any:
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def _replace(mutant: Mutant, module: ModuleType, functions: Sequence[FunctionType]) -> None:
    """Give the function that is mutated, and what is defined inside of it, the mutant's code and defaults.

    `functions` are all of the module.
    """
    again = ModuleType(module.__name__)
    exec(mutant.code, again.__dict__)
    codes = {_place(code): code for code in _codes(mutant.code)}
    inside = [f for f in functions if f"{f.__qualname__}.".startswith(f"{mutant.function}.")]
    for function in inside:
        function.__code__ = codes[_place(function.__code__)]
    owner, _, name = mutant.function.rpartition(".")
    namespace = vars(again.__dict__[owner]) if owner else again.__dict__
    changed = _function(namespace[name])
    for function in inside:
        if _place(function.__code__) == _place(changed.__code__):
            function.__defaults__, function.__kwdefaults__ = changed.__defaults__, changed.__kwdefaults__
    if name == "__init__":
        for key, value in again.__dict__.items():
            if type(value) is again.__dict__[owner]:  # made while the module was imported, by what was not mutated then
                value.__class__ = module.__dict__[owner]
                setattr(module, key, value)
    if not inside:
        raise LookupError(mutant.function)


def _function(member: Any) -> FunctionType:
    """Of a method as it stands in its class, whatever wraps it."""
    found: FunctionType = inspect.unwrap(getattr(member, "fget", None) or member)
    return found


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)
