"""Which documents belong to a moment: those of the backup before it, joined with those of the backup after."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.backup import Manifest, Part
from esteio.backup.documents._list import Document, Listed, around, joined, lines, parse

LIST = Part("documents.jsonl.zst", "documents", 0, 0, "")


def at(hour: int) -> datetime:
    return datetime(2026, 3, 1, hour, tzinfo=UTC)


def backup(hour: int, *, documents: bool = True) -> Manifest:
    parts = (LIST,) if documents else ()
    return Manifest(f"b{hour}", "dump", at(hour).isoformat(), 0.0, "18.0", "18.0", parts)


def listed(hour: int, *documents: Document) -> Listed:
    return Listed(backup(hour), documents, None)


def file(path: str, hour: int, content: str = "") -> Document:
    return Document(path, mtime_ns=int(at(hour).timestamp() * 1e9), sha256=content or path)


def test_it_is_the_backup_at_or_before_the_moment_and_the_first_after_it() -> None:
    every = [backup(9), backup(3), backup(6), backup(7, documents=False), backup(5, documents=False)]
    assert [each.id for each in around(every, at(6))] == ["b6", "b9"]
    assert [each.id for each in around(every, at(5))] == ["b3", "b6"]
    assert [each.id for each in around(every, at(1))] == ["b3"]
    assert [each.id for each in around(every, at(12))] == ["b9"]
    assert [each.id for each in around(every, None)] == ["b9"]
    assert around([backup(5, documents=False)], at(6)) == []
    with pytest.raises(ValueError, match="no timezone"):
        around(every, at(5).replace(tzinfo=None))


def test_a_document_of_either_is_there_and_one_of_both_as_it_was_at_the_moment() -> None:
    before = listed(3, file("removed", 1), file("rewritten early", 1), file("rewritten late", 1))
    after = listed(9, file("added", 5), file("rewritten early", 4, "new"), file("rewritten late", 8, "newer"))
    found = {document.path: (document.sha256, of.manifest.id) for document, of in joined([before, after], at(6))}
    assert found == {
        "removed": ("removed", "b3"),
        "added": ("added", "b9"),
        "rewritten early": ("new", "b9"),
        "rewritten late": ("rewritten late", "b3"),
    }


def test_a_directory_wins_over_a_file_and_what_could_not_be_read_is_left_out() -> None:
    tree, one = (Document("x", 0o700), file("x/y", 1)), file("x", 5)
    for lists in ([listed(3, *tree), listed(9, one)], [listed(3, one), listed(9, *tree)]):
        assert [document.path for document, _ in joined(lists, at(6))] == ["x", "x/y"]
        assert joined(lists, at(6))[0][0].sha256 is None
    assert joined([listed(3, Document("x", problem="denied"))], None) == []


names = st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_"))
paths = st.lists(names.filter(lambda raw: raw not in (b".", b"..")), min_size=1, max_size=3).map(b"/".join)


@given(
    st.lists(st.builds(Document, paths.map(lambda raw: raw.decode(errors="surrogateescape")), st.integers(0, 0o7777)))
)
def test_a_list_is_read_as_it_was_written_whatever_the_names(documents: list[Document]) -> None:
    assert parse(b"".join(lines(documents))) == tuple(documents)
