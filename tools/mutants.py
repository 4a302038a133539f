"""Mutation testing of the files that decide: change one thing, and some test must fail.

    python -m tools.mutants [name ...]    # names of TARGETS; all without one

A mutant that no test notices is a rule that no test holds, or a change that changes nothing. The latter stand in
`tools/mutants.toml` with the reason; every other survivor makes this command exit with 1.

Nothing in the work tree is touched: the changed source is imported instead of the file.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).parents[1]
SOURCES = TOP / "esteio/src"
EQUIVALENT = Path(__file__).with_suffix(".toml")
CPU_SECONDS = 60  # a mutant that loops for ever is noticed by what it uses: on a busy machine time says nothing
SECONDS = 900  # and one that sleeps for ever, by its time
PROCESSES = 2


@dataclass(frozen=True)
class Target:
    """Files to mutate, and the tests that have to notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


ALGORITHM_TESTS = ("answers", "charge", "models", "refund", "clocks")

TARGETS = {
    "breaker": Target(
        ("esteio/policy/breaker/_machine.py", "esteio/policy/breaker/_failure_window.py"),
        ("policy/test_policy_machine.py", "policy/test_policy_breaker.py", "policy/test_policy_breaker_model.py"),
    ),
    "budget": Target(("esteio/policy/_budget.py",), ("policy/test_policy_budget.py", "policy/test_policy_retry.py")),
    "retry": Target(("esteio/policy/_retry_run.py",), ("policy/test_policy_retry.py",)),
    "window": Target(
        ("esteio/limit/_algorithms/_window.py",),
        tuple(f"limit/test_limit_{each}.py" for each in (*ALGORITHM_TESTS, "window")),
    ),
    **{
        name: Target(
            (f"esteio/limit/_algorithms/_{name}.py",), tuple(f"limit/test_limit_{each}.py" for each in ALGORITHM_TESTS)
        )
        for name in ("fixed", "counter", "gcra")
    },
    "workers": Target(("esteio/serve/_worker_manager.py",), ("serve/test_serve_worker_manager.py",)),
    "commit": Target(("esteio/postgres/_outcome.py",), ("postgres/test_outcome.py",)),
    "retention": Target(("esteio/backup/_retention.py",), ("backup/test_retention.py",)),
    "recovery": Target(("esteio/backup/restore/_plan.py",), ("backup/test_physical_log.py",)),
}

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """`key` names it independently of line numbers."""

    file: str
    key: str
    line: int
    source: str


def variants(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 - a table
    """What `node` could be instead."""
    new: ast.AST
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                new = deepcopy(node)
                new.ops[place] = COMPARISONS[type(op)]()
                yield new
        case ast.BinOp() if type(node.op) in OPERATORS:
            new = deepcopy(node)
            new.op = OPERATORS[type(node.op)]()
            yield new
        case ast.AugAssign() if type(node.op) in OPERATORS:
            new = deepcopy(node)
            new.op = OPERATORS[type(node.op)]()
            yield new
            yield ast.Pass()
        case ast.BoolOp():
            new = deepcopy(node)
            new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield new
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)
        case ast.Assign() | ast.Expr(value=ast.Call()) | ast.Delete():
            yield ast.Pass()
        case ast.Call(func=ast.Name(id="min" | "max")):
            new = deepcopy(node)
            new.func = ast.Name("max" if node.func.id == "min" else "min", ast.Load())  # type: ignore[attr-defined]
            yield new
        case ast.Break():
            yield ast.Continue()


def _names(tree: ast.AST, above: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _names(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield node, above + node.name


def mutants(file: str) -> list[Mutant]:
    """All of `file`; only what runs in functions is changed, and no check of a parameter (they have their own test)."""
    text = (SOURCES / file).read_text(encoding="utf-8")
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for function, name in _names(ast.parse(text)):
        if name.endswith(("__post_init__", "_refuse_contradictions", "budget_or_none")):
            continue
        for node in ast.walk(function):
            for field, value in ast.iter_fields(node):
                children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
                for place, child in children:
                    if not isinstance(child, ast.AST):
                        continue
                    for new in variants(child):
                        before = ast.unparse(child)
                        put(node, field, place, new)
                        tree = ast.parse(text)
                        mutated = ast.unparse(ast.fix_missing_locations(replaced(tree, name, function)))
                        put(node, field, place, child)
                        key = f"{name}: {before} -> {ast.unparse(new)}"
                        seen[key] = seen.get(key, 0) + 1
                        key += "" if seen[key] == 1 else f" ({seen[key]})"
                        found.append(Mutant(file, key, getattr(child, "lineno", 0), mutated))
    return found


def put(node: ast.AST, field: str, place: int | None, value: ast.AST) -> None:
    """Put `value` where a child of `node` was."""
    if place is None:
        setattr(node, field, value)
    else:
        getattr(node, field)[place] = value


def replaced(tree: ast.Module, name: str, function: ast.FunctionDef) -> ast.Module:
    """`tree` with `function` in the place of the one of this name."""
    for parent in ast.walk(tree):
        body = getattr(parent, "body", None)
        if isinstance(body, list):
            for place, node in enumerate(body):
                if isinstance(node, ast.FunctionDef) and node.lineno == function.lineno and node.name == function.name:
                    body[place] = function
                    return tree
    msg = f"{name} is gone"
    raise LookupError(msg)


class _Changed(MetaPathFinder, Loader):
    """Gives the changed source instead of the file's."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = mutant.file.removesuffix(".py").replace("/", ".")

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._mutant.file, "exec"), module.__dict__)


def arguments(tests: tuple[str, ...]) -> list[str]:
    """What pytest is told; a busy machine must not make a test fail by its time."""
    paths = [str(TOP / "esteio/tests" / test) for test in tests]
    return ["-x", "-q", "-p", "no:cacheprovider", "--timeout", str(SECONDS), *paths]


def warm_up(tests: tuple[str, ...]) -> None:
    """Import all that the tests need, then forget what is ours: each child imports only that again, with its mutant."""
    with redirect_stdout(StringIO()):
        pytest.main(["--collect-only", *arguments(tests)])
    from hypothesis import Phase, settings  # here: pytest wants to load its plugins itself

    # A failing example is enough: to shrink it takes ten times as long as to find it.
    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
    own = tuple(Path(test).stem for test in tests)
    for name in list(sys.modules):
        path = getattr(sys.modules[name], "__file__", None) or ""
        if name in own or (path.startswith(str(TOP)) and "site-packages" not in path and not name.startswith("tools")):
            del sys.modules[name]


def start(mutant: Mutant, tests: tuple[str, ...]) -> int:
    """Run the tests with it in a child, which ends with 0 when they pass; returns its process id.

    A fork, because it has pytest and its plugins loaded already: they take longer than the tests.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        sys.meta_path.insert(0, _Changed(mutant))
        status = int(pytest.main(arguments(tests)))
    finally:
        os._exit(status)


def survivors(tried: list[Mutant], tests: tuple[str, ...]) -> list[Mutant]:
    """Those with which all tests pass; RuntimeError when they don't pass on the source as it is."""
    warm_up(tests)
    unchanged = [Mutant(file, "", 0, (SOURCES / file).read_text(encoding="utf-8")) for file in {m.file for m in tried}]
    for each in unchanged:
        if os.waitpid(start(each, tests), 0)[1]:
            msg = f"the tests fail without a mutant: {' '.join(tests)}"
            raise RuntimeError(msg)
    running: dict[int, Mutant] = {}
    alive = []
    waiting = list(reversed(tried))
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            mutant = waiting.pop()
            running[start(mutant, tests)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            alive.append(mutant)
            say(f"{mutant.file}:{mutant.line}: survives: {mutant.key}")
    return alive


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(names: list[str]) -> int:
    """Try all mutants of the targets `names`; 1 when one survives that is not listed."""
    known: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    bad = 0
    for name in names or list(TARGETS):
        target = TARGETS[name]
        every = [mutant for file in target.files for mutant in mutants(file)]
        listed = known.get(name, {})
        tried = [mutant for mutant in every if mutant.key not in listed]
        alive = survivors(tried, target.tests)
        stale = sorted(set(listed) - {mutant.key for mutant in every})
        for key in stale:
            say(f"{EQUIVALENT.name}: [{name}] lists what is no mutant any more: {key}")
        bad += len(alive) + len(stale)
        say(
            f"{name}: {len(every)} mutants, {len(tried) - len(alive)} killed, {len(listed)} equivalent, {len(alive)} alive"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
