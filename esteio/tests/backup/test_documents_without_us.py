"""The documents, by the page "restore without our software", as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from documents_desk import Desk
from test_physical_without_us import BLOCKS

pytestmark = pytest.mark.skipif(
    shutil.which("zstd") is None, reason="the zstd program is not installed (apt install zstd)"
)


def shell(name: str, **variables: Path) -> str:
    script = f"set -eu\n{BLOCKS[name]}"
    env = {**os.environ, "LC_ALL": "C.UTF-8", **{name: str(value) for name, value in variables.items()}}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_documents_come_back_with_zstd_and_python_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for name in ("solto", "são joão/linha\nnova", "a b/'$c", b"\xff/\xe7"):
        desk.write(name, repr(name))
    (desk.documents_dir / "vazia").mkdir()
    made = desk.run()
    folder = desk.root / made.id
    assert shell("check", BACKUP=folder).splitlines() == [f"{part.name}: OK" for part in made.parts]
    new = tmp_path / "new"
    assert shell("documents", BACKUP=folder, BACKUP_DIR=desk.root, DOCUMENTS=new) == ""
    for root in (desk.documents_dir, new):
        assert sum(path.is_file() for path in root.rglob("*")) == 4
    for path in desk.documents_dir.rglob("*"):
        if path.is_file():
            assert (new / path.relative_to(desk.documents_dir)).read_bytes() == path.read_bytes()
    solto = next(name for name in desk.objects() if b"solto" in (desk.root / name).read_bytes())
    other = next(name for name in desk.objects() if name != solto)
    shutil.copyfile(desk.root / other, desk.root / solto)
    assert shell("documents", BACKUP=folder, BACKUP_DIR=desk.root, DOCUMENTS=new) == "damaged: ./solto\n"
