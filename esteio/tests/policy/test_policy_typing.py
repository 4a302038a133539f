"""Guarded functions keep their types: checked by mypy, and by pyright where PYRIGHT names its command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TYPES = Path(__file__).parents[1] / "typing" / "policy_types.py"
SOURCE = Path(__file__).parents[2] / "src"


def test_mypy_agrees() -> None:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", str(TYPES)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(SOURCE)}, check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("PYRIGHT" not in os.environ, reason="set PYRIGHT to the command of pyright")
def test_pyright_agrees(tmp_path: Path) -> None:
    settings = tmp_path / "pyrightconfig.json"
    chosen = {"include": [str(TYPES)], "extraPaths": [str(SOURCE)], "typeCheckingMode": "strict"}
    settings.write_text(json.dumps(chosen), encoding="utf-8")
    command = [os.environ["PYRIGHT"], "--project", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
