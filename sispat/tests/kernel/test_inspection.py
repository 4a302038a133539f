"""What looks into files may crash, hang or ask for too much memory: its file is refused, and nothing else happens."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import psutil
import pytest

from sispat.kernel.files import FileRefused, FileStore, FolderStore, Incoming, Reason, _inspection


async def _received(store: FileStore) -> Incoming:
    incoming = store.receive("arquivo", "nota.pdf", 1000)
    await incoming.write(b"%PDF-1.7 and so on")
    await incoming.close()
    return incoming


@pytest.mark.parametrize(
    "program",
    ["import os; os.abort()", "print('not JSON')", "bytearray(1 << 40)", "import time; time.sleep(60)"],
    ids=["crashes", "says nonsense", "asks for memory", "hangs"],
)
async def test_a_program_that_fails_refuses_its_file(tmp_path: Path, monkeypatch, program: str) -> None:
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(_inspection, "_INSPECTOR", tmp_path / "program.py")
    monkeypatch.setattr(_inspection, "SECONDS", 20.0 if "sleep" not in program else 0.3)
    store = FolderStore(tmp_path / "documentos")
    incoming = await _received(store)
    with pytest.raises(FileRefused) as refused:
        await store.inspection.look_into(incoming)
    assert (refused.value.reason, refused.value.name) == (Reason.NOT_INSPECTED, "nota.pdf")
    await store.close()
    assert not [p for p in psutil.Process().children(recursive=True) if str(tmp_path) in " ".join(p.cmdline())]


def test_what_is_discarded_is_not_written_again_by_a_thread_that_was_left_behind(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    incoming = asyncio.run(_received(store))
    assert incoming.path.read_bytes() == b"%PDF-1.7 and so on"
    incoming.discard()
    incoming._append(bytearray(b"late"))
    assert not incoming.path.exists()
    assert (tmp_path.stat().st_mode & 0o077, (tmp_path / ".recebendo").stat().st_mode & 0o077) == (0, 0)
    assert store.forget_parts(age=time.time()) == 0


@pytest.mark.parametrize("failing", [False, True])
async def test_what_is_kept_gets_onto_the_disk_while_it_comes_and_an_error_of_then_is_not_lost(
    tmp_path: Path, monkeypatch, failing: bool
) -> None:
    synced: list[int] = []

    def fsync(handle: int, real=os.fsync) -> None:
        synced.append(os.fstat(handle).st_size)
        real(handle)
        if failing and len(synced) == 1:  # the kernel tells an error once
            raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    incoming = FolderStore(tmp_path).receive("arquivo", "nota.pdf", 64 << 20)
    await incoming.write(b"%PDF-1.7 ")
    for _ in range(48):
        await incoming.write(bytes(1 << 18))
    before = len(synced)
    await incoming.close()
    failed = await incoming.on_disk()
    assert before >= 1, "not only at the end"
    assert 0 < synced[0] < incoming.size == incoming.path.stat().st_size
    assert (failed.errno if failed else None) == (errno.EIO if failing else None)
    assert failing or synced[-1] == incoming.size
    photo = FolderStore(tmp_path).receive("arquivo", "foto.jpg", 64 << 20)
    await photo.write(b"\xff\xd8\xff" + bytes(12 << 20))
    await photo.close()
    number = len(synced)
    assert (await photo.on_disk(), len(synced)) == (None, number), "of a photo another file is kept"
