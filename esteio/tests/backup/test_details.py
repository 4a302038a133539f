"""What errors and problems say in their fields has a code and fields of its own; nobody has to parse a sentence."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import esteio.backup
from esteio.backup import Detail, DetailCode, Problem, ProblemCode, Verification
from esteio.backup._details import detail_of, from_plain, plain, together
from esteio.backup._problem import brief, why
from esteio.backup.store import AllStoresFailed, StoreUnavailable

SOURCES = Path(esteio.backup.__file__).parent
FILES = [*SOURCES.rglob("*.py"), SOURCES.parent / "cli" / "environment.py"]
PAGE = (Path(__file__).parents[3] / "docs/reference/backup-codes.md").read_text(encoding="utf-8")
SENTENCES = {"advice", "allowed", "reason", "problem"}  # variables that are handed to errors


def calls() -> Iterator[tuple[str, ast.Call]]:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield file.name, node


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_each_use_of_a_code_gives_exactly_its_fields_and_each_code_is_used() -> None:
    named, used = "", set()
    for file, call in calls():
        if isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "DetailCode":
            named = call.func.attr
            used.add(named)
            given = {each.arg for each in call.keywords}
            assert given == fields(DetailCode[named].value), f"{file}:{call.lineno}"
    text = "".join(file.read_text(encoding="utf-8") for file in FILES)
    unused = {code.name for code in DetailCode if f"DetailCode.{code.name}" not in text}
    assert not unused


def texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        return  # walked by itself
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def test_no_error_is_given_a_sentence_without_a_code() -> None:
    # NotTar and ValueErrors of sealed files end up in the fields of others.
    errors = {
        name for module in FILES for name in re.findall(r"^class (\w+)\(\w*Error\w*[),]", module.read_text(), re.M)
    }
    errors |= {"_damaged", "_refuse", "NotTar"}
    found = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            said: list[str] = []
            if isinstance(node, ast.Call) and name_of(node.func) in errors:
                said = [each for part in (*node.args, *(k.value for k in node.keywords)) for each in texts(part)]
            elif isinstance(node, ast.Assign) and name_of(node.targets[0]) in SENTENCES:
                said = list(texts(node.value))
            found += [
                f"{file.name}: {each}" for each in said if len(each.split()) > 1 and not each.startswith("SELECT")
            ]
    foreign = ("age: X", "zstd: X", "sha256, none", ": the log")  # what a library said, a list of values, a name
    assert [each for each in found if not each.endswith(foreign)] == []


def test_a_detail_is_its_sentence_and_survives_json_pickle_and_copy() -> None:
    inner = DetailCode.SIZE_NOT_MANIFESTS(found=3, written=4)
    made = DetailCode.SEVERAL(reasons=(DetailCode.IN_FILE(file="base", reason=inner), "what the server said"))
    assert made == "base: 3 bytes, the manifest says 4; what the server said"
    for again in (
        from_plain(json.loads(json.dumps(plain(made)))),
        pickle.loads(pickle.dumps(made)),
        copy.deepcopy(made),
    ):
        assert isinstance(again, Detail)
        assert again == made
        assert again.code is DetailCode.SEVERAL
        reason = again.fields["reasons"][0]  # type: ignore[index]
        assert isinstance(reason, Detail)
        assert reason.fields == {"file": "base", "reason": inner}


def test_a_code_of_a_later_version_is_read_as_its_text() -> None:
    assert from_plain([{"code": "LATER", "text": "a new one", "about": {}}, "plain"]) == ("a new one", "plain")
    assert from_plain({"code": "IN_FILE", "text": "of other fields", "about": {"x": 1}}) == "of other fields"
    with pytest.raises(TypeError):
        from_plain(None)


def test_a_verification_keeps_the_codes_and_older_versions_read_its_sentences() -> None:
    problem = DetailCode.TABLE_MISSING(table="public.t")
    verification = Verification(
        "b_20260301_000000", "2026-03-01T00:00:00+00:00", 1.0, 2.0, "18.0", 0, (), (problem, "said")
    )
    text = verification.to_json()
    assert json.loads(text)["problems"] == ["public.t is missing", "said"]
    read = Verification.from_json(text).problems
    assert read == verification.problems
    assert isinstance(read[0], Detail)
    assert read[0].code is DetailCode.TABLE_MISSING
    assert not isinstance(read[1], Detail)
    assert "codes" not in json.loads(Verification(*[*_first(verification), ()]).to_json())


def _first(verification: Verification) -> list[object]:
    return [verification.backup, verification.at, 1.0, 2.0, "18.0", 0, ()]


def test_a_problem_carries_the_details_of_the_error_it_is_about() -> None:
    error = StoreUnavailable("/a", "", DetailCode.DIRECTORY_ABSENT())
    assert [each.code for each in why(error) if isinstance(each, Detail)] == [
        DetailCode.DIRECTORY_ABSENT,
        DetailCode.TRY_AGAIN,
    ]
    said = brief(AllStoresFailed("", {"/a": error}))
    assert isinstance(said, Detail)
    assert detail_of(ValueError(said)) is said
    problem = Problem.of(ProblemCode.LOG_NOT_RECEIVED, reason=said)
    again = Problem.from_plain(json.loads(json.dumps(problem.plain())))
    assert again == problem
    assert isinstance(again.fields["reason"], Detail)
    words = {DetailCode.DIRECTORY_ABSENT: "A", DetailCode.TRY_AGAIN: "B", DetailCode.SEVERAL: "{reasons}"}

    def word(text: str) -> str:
        return text.sentence(words[text.code], word) if isinstance(text, Detail) else text

    assert problem.sentence("X {reason}", word) == "X A; B"
    assert together([]) == ""


def test_the_reference_lists_every_code_with_its_sentence() -> None:
    rows = {
        row.split("|")[1].strip(" `"): row.split("|")[2].strip() for row in PAGE.splitlines() if row.startswith("| `")
    }
    codes = {code.name: code.value for code in (*DetailCode, *ProblemCode)}
    assert rows == codes
