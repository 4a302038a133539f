"""Every exported name of a public package stands on a page of docs/."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import esteio
from esteio.serve import ConnectionLimits, ServerOptions, Timeouts

DOCS = Path(__file__).parents[3] / "docs"
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md")) if "adr" not in page.parts)


def public_modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(esteio.__path__, "esteio.")]
    return ["esteio", *(name for name in found if not any(part.startswith("_") for part in name.split(".")))]


@pytest.mark.parametrize("name", public_modules())
def test_each_exported_name_is_explained(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(str(error))
    exported = getattr(module, "__all__", ())
    missing = [each for each in exported if not re.search(rf"\b{re.escape(each)}\b", PAGES)]
    assert not missing, f"{name}: on no page of docs/: {missing}"


@pytest.mark.parametrize("settings", [ConnectionLimits, ServerOptions, Timeouts])
def test_each_setting_of_serve_is_in_its_reference(settings: type) -> None:
    page = (DOCS / "reference" / "serve.md").read_text(encoding="utf-8")
    missing = [field.name for field in dataclasses.fields(settings) if not re.search(rf"\b{field.name}\b", page)]
    assert not missing


def test_the_readme_links_every_page() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS.parent).as_posix() for page in DOCS.rglob("*.md") if "adr" not in page.parts]
    assert not [page for page in pages if f"({page})" not in readme]
