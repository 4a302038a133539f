"""What `esteio` and `esteio.policy` show of themselves: sorted, complete, and imported only when used."""

import subprocess
import sys

import pytest

import esteio
import esteio.policy


@pytest.mark.parametrize("module", [esteio, esteio.policy])
def test_all_is_sorted_and_each_name_can_be_had_and_is_in_dir(module: object) -> None:
    names: list[str] = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert set(names) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        module.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert esteio.__version__ == version("esteio")


def test_importing_esteio_imports_neither_asyncio_nor_its_own_parts() -> None:
    late = ("asyncio", "logging", "esteio.policy", "esteio.clock")
    code = f"import sys, esteio; print([m for m in {late} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
