"""Both distributions as wheels, and what they say they need, without anything else of this environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from processos import SEM_LIMITES

RAIZ = Path(__file__).parents[3]


@dataclass(frozen=True)
class Made:
    """What services of several releases stand on, below one directory that every account may pass."""

    directory: Path
    first_wheels: tuple[Path, ...]
    """Of both distributions, as they are here."""
    needed: Path
    """What these need, as links."""

    @property
    def source(self) -> Path:
        """Where the links lead."""
        return Path(str(distribution("uvicorn").locate_file(""))).resolve()

    @property
    def wheels(self) -> Path:
        """Where wheels are put."""
        return self.first_wheels[0].parent

    def variables(self, **more: str) -> dict[str, str]:
        """For a service that is given what it needs, and nothing else of this environment."""
        return {"PYTHONPATH": str(self.needed), **SEM_LIMITES, **more}

    @classmethod
    def below(cls, directory: Path) -> Made:
        """Build both wheels."""
        wheels = directory / "wheels"
        wheels.mkdir()
        both = wheel("sispat", wheels), wheel("esteio", wheels)
        return cls(directory, both, needed(directory / "needed", *both))


def wheel(project: str, output: Path, version: str = "", changes: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """The wheel of a distribution, or of a copy with another `version` and `changes`: for a file, a text and what replaces it.

    An empty text makes a new file.
    """
    source = RAIZ / project
    if version:
        source = output.parent / f"{project}-{version}"
        shutil.copytree(RAIZ / project, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        for file, name in {"pyproject.toml": "version", f"src/{project}/__init__.py": "__version__"}.items():
            path = source / file
            path.write_text(re.sub(rf'(?m)^{name} = ".*"$', f'{name} = "{version}"', path.read_text()))
        for file, (text, replacement) in (changes or {}).items():
            path = source / file
            before = path.read_text() if text else ""
            assert text in before, f"{file} has no {text!r} any more"
            path.write_text(before.replace(text, replacement, 1) if text else replacement)
    there = set(output.glob("*.whl"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(output)],
        cwd=source, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (made,) = set(output.glob("*.whl")) - there
    return made


def environment(directory: Path, *wheels: Path) -> Path:
    """An empty environment with these wheels and nothing that they need; its `bin`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True, timeout=60)
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--offline", "--no-cache", "-q",
         "--python", str(directory / "bin" / "python"), *map(str, wheels)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return directory / "bin"


def needed(directory: Path, *wheels: Path) -> Path:
    """Links to what the wheels say they need, and what that needs in turn, as it is installed here; to nothing else."""
    directory.mkdir()
    ours = {path.name.partition("-")[0]: _requires(path) for path in wheels}
    waiting = [("sispat", "")]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        requires = ours[name] if name in ours else distribution(name).requires or []
        if name not in ours and not extra:
            _link(name, directory)
        for text in requires:
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
                continue
            found = {(canonicalize_name(wanted.name), each) for each in ("", *wanted.extras)}
            waiting += found - seen
            seen |= found
    return directory


def _requires(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as content:
        (name,) = [each for each in content.namelist() if each.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(content.read(name).decode()).get_all("Requires-Dist", [])


def _link(name: str, directory: Path) -> None:
    found = distribution(name)
    for top in _tops(str(file) for file in found.files or ()):
        target = Path(str(found.locate_file(top)))
        if target.exists() and not (directory / top).is_symlink():
            (directory / top).symlink_to(target)


def _tops(files: Iterable[str]) -> set[str]:
    return {file.split("/")[0] for file in files} - {"..", "__pycache__"}
