"""A file that is replaced is whole at any moment, and what failed leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from esteio.durable import write_whole


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "estado.json"
    for content in (b"antes", b"depois"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "estado"
    path.mkdir()
    (path / "antes").touch()
    with pytest.raises(OSError, match="estado"):
        write_whole(path, b"depois")
    assert [each.name for each in tmp_path.iterdir()] == ["estado"]
