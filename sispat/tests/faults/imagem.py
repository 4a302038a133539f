"""A base for our image, as no registry of images is reached by the tests: Debian's files, as they are installed here.

In it are the packages below with all that they depend on, the Python of the tests in /usr/local, where an image of Python
has it, and with it pip and what our wheels need.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from pacotes import Made

__all__ = ["write_base"]

_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = ("base-files", "coreutils", "dash", "grep", "libstdc++6", "login", "passwd", "sed")
_WITHOUT = ("__phello__", "config-*", "ensurepip", "idlelib", "site-packages", "test", "tests", "tkinter", "_tkinter*")


def write_base(archive: Path, made: Made) -> None:
    """Write it to `archive`, for `podman import`."""
    home, library = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib"))
    programs = [home / "bin" / _PYTHON, *library.glob("lib-dynload/*.so")]
    libraries = _libraries(*(each for each in programs if "tkinter" not in each.name))
    ours = {each for each in libraries if each.is_relative_to(home)}
    system = _files(*_PACKAGES) | {_without_links(path) for each in libraries - ours for path in (each, each.resolve())}
    _tar(archive, "--create", "--directory=/", "--no-recursion", "--files-from=-", given="\n".join(sorted(system)))
    for name in ("passwd", "group"):
        _add(archive, Path("/usr/share/base-passwd"), [f"{name}.master"], f"s,.*,etc/{name},")
    _add(archive, home / "bin", [_PYTHON], "s,.*,usr/local/bin/python3,")
    for each in ours:
        _add(archive, each.parent, [each.name], "s,^,usr/lib/,")
    _add(archive, library, ["."], f"s,^[.],usr/local/lib/{_PYTHON},")
    packages = f"s,^,usr/local/lib/{_PYTHON}/site-packages/,"
    _add(archive, made.needed, [each.name for each in made.needed.iterdir()], packages)
    _add(archive, Path(sysconfig.get_path("purelib")), ["pip"], packages)


def _add(archive: Path, directory: Path, names: list[str], transform: str) -> None:
    left_out = [f"--exclude={each}" for each in _WITHOUT]
    _tar(
        archive, "--append", "--dereference", *left_out, f"--transform={transform}", f"--directory={directory}", *names
    )


def _tar(archive: Path, *words: str, given: str = "") -> None:
    subprocess.run(["tar", f"--file={archive}", *words], input=given, text=True, check=True, timeout=180)


def _said(*words: str) -> list[str]:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=180).stdout.splitlines()


def _libraries(*programs: Path) -> set[Path]:
    """What the system loads for them."""
    return {Path(line.split()[2]) for line in _said("ldd", *map(str, programs)) if "=> /" in line}


def _files(*packages: str) -> set[str]:
    """The files of packages and of those they depend on."""
    paths = {Path(line) for line in _said("dpkg-query", "--listfiles", *_closure(packages)) if line.startswith("/")}
    return {_without_links(path) for path in paths if os.path.lexists(path) and "/share/doc" not in str(path)}


def _without_links(path: Path) -> str:
    """`path` from the root, with no link on the way to it: /bin/sh is usr/bin/sh."""
    return f"{path.parent.resolve()}/{path.name}".lstrip("/")


def _closure(packages: tuple[str, ...]) -> set[str]:
    depends = {}
    for line in _said("dpkg-query", "--show", "--showformat=${Package}\t${Pre-Depends},${Depends}\n"):
        name, wanted = line.split("\t")
        depends[name] = re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", wanted)  # of alternatives what is installed
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in depends and name not in found:
            found.add(name)
            waiting += depends[name]
    return found
