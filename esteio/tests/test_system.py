"""A file that is replaced is whole at any moment, and what failed leaves nothing behind."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from esteio.system import atomic_write, try_lock


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "estado.json"
    for content in (b"antes", b"depois"):
        atomic_write(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "estado"
    path.mkdir()
    (path / "antes").touch()
    with pytest.raises(OSError, match="estado"):
        atomic_write(path, b"depois")
    assert [each.name for each in tmp_path.iterdir()] == ["estado"]


def test_a_lock_is_had_by_one_and_given_back_when_the_file_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as first, (tmp_path / "lock").open("w") as second:
        assert try_lock(first.fileno())
        assert not try_lock(second.fileno())
        first.close()
        assert try_lock(second.fileno())


def test_a_file_that_can_not_be_locked_at_all_does_not_look_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share without locks answers ENOLCK: who waited for "another process" there waited for ever."""

    def refused(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with (tmp_path / "lock").open("w") as file, pytest.raises(OSError, match="No locks available"):
        try_lock(file.fileno())
