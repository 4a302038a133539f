"""What a source file could be instead: one comparison, operator, number, condition or statement changed.

Only what runs in functions is changed, and no check of a parameter (`__post_init__` and the like have their own tests).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

__all__ = ["Mutant", "mutants"]

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


_CHECKS = ("__post_init__", "_refuse_contradictions", "budget_or_none")


@dataclass(frozen=True)
class Mutant:
    """A changed file, compiled."""

    file: str
    key: str
    """Names it, independently of line numbers."""
    function: str
    """In which it is, with its class."""
    lines: range
    """From the beginning of the statement to the end of what is changed: a test that runs none of them can't notice."""
    code: CodeType


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


def mutants(file: str, path: Path) -> list[Mutant]:
    """All of the source `path`, known as `file`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for function, name in _functions(tree):
        if name.endswith(_CHECKS):
            continue
        begins = _statements(function)
        for node, field, place, child in _children(function):
            before = ast.unparse(child)
            for new in variants(child):
                key = f"{name}: {before} -> {ast.unparse(new)}"
                seen[key] = seen.get(key, 0) + 1
                key += "" if seen[key] == 1 else f" ({seen[key]})"
                _put(node, field, place, new)
                code = compile(ast.fix_missing_locations(tree), str(path), "exec")
                _put(node, field, place, child)
                lines = range(begins[id(child)], getattr(child, "end_lineno", begins[id(child)]) + 1)
                found.append(Mutant(file, key, name, lines, code))
    return found


def _functions(tree: ast.AST, above: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield node, above + node.name


def _statements(function: ast.FunctionDef) -> dict[int, int]:
    """By the id of each node below, the line in which its statement begins."""
    begins: dict[int, int] = {}

    def note(node: ast.AST, line: int) -> None:
        for child in ast.iter_child_nodes(node):
            begins[id(child)] = own = child.lineno if isinstance(child, ast.stmt) else line
            note(child, own)

    note(function, function.lineno)
    return begins


def _children(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Each node below with its parent and its place there; the caller may change and restore it meanwhile."""
    for node in ast.walk(function):
        for field, value in ast.iter_fields(node):
            for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST):
                    yield node, field, place, child


def _put(node: ast.AST, field: str, place: int | None, value: ast.AST) -> None:
    if place is None:
        setattr(node, field, value)
    else:
        getattr(node, field)[place] = value
