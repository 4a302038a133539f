"""Every store's copy of the documents: read to the last byte, and brought where some are missing or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents_desk import Desk, tree

from esteio.backup import ProblemCode
from esteio.backup._progress import silent
from esteio.backup.store import open_store


@pytest.fixture
def two(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, open_store(str(tmp_path / "cópias")), open_store(str(tmp_path / "outro")))
    desk.root.mkdir()
    for name in "abc":
        desk.write(name, f"conteúdo de {name}")
    return desk


def test_what_one_store_lacks_or_has_damaged_is_named_and_brought_from_the_other(two: Desk, tmp_path: Path) -> None:
    made = two.run()
    lacking, damaged, _ = sorted(two.objects())
    (tmp_path / "outro" / lacking).unlink()
    path = two.root / damaged
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = two.documents.defects(made, silent)
    assert [(defect.store, defect.file, defect.right) for defect in found] == [
        (str(two.root), damaged, (str(tmp_path / "outro"),)),
        (str(tmp_path / "outro"), lacking, (str(two.root),)),
    ]
    by_list = two.documents.sync(made, ())
    assert (by_list.files, by_list.left) == ((("documents", str(tmp_path / "outro")),), ())
    read = two.documents.sync(made, two.documents.defects(made, silent))
    assert (read.files, read.left) == ((("documents", str(two.root)),), ())
    assert two.documents.defects(made, silent) == []
    assert two.documents.sync(made, ()).files == ()


def test_what_no_store_has_right_is_left_and_said(two: Desk, tmp_path: Path) -> None:
    made = two.run()
    name = min(two.objects())
    for root in (two.root, tmp_path / "outro"):
        (root / name).write_bytes(b"nothing of it")
    brought = two.documents.sync(made, two.documents.defects(made, silent))
    assert brought.files == ()
    assert [(defect.file, defect.problem.code) for defect in brought.left] == [(name, ProblemCode.COPY_LACKS_FILE)] * 2


def test_a_new_store_gets_every_document_before_it_gets_the_backup(two: Desk, tmp_path: Path) -> None:
    made = two.run()
    new = Desk(tmp_path, *two.stores.stores, open_store(str(tmp_path / "novo")))
    (tmp_path / "novo").mkdir()
    assert new.documents.sync(made, ()).files == (("documents", str(tmp_path / "novo")),)
    alone = Desk(tmp_path, open_store(str(tmp_path / "novo")), two.stores.stores[1])
    assert tree(alone.back(made)) == tree(two.documents_dir)
    assert {path.name for path in (tmp_path / "novo").rglob("*.zst")} == {Path(name).name for name in two.objects()}
