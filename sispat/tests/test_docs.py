"""The documents say what is there: links lead somewhere, make targets and settings exist, code compiles."""

import re
from pathlib import Path

import pytest

RAIZ = Path(__file__).parents[2]
PAGINAS = sorted(
    pagina for pagina in [*RAIZ.glob("*.md"), *(RAIZ / "docs").rglob("*.md")] if ".venv" not in pagina.parts
)


@pytest.mark.parametrize("pagina", PAGINAS, ids=lambda p: str(p.relative_to(RAIZ)))
def test_every_relative_link_leads_somewhere(pagina: Path) -> None:
    alvos = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", pagina.read_text())
    perdidos = [a for a in alvos if not a.startswith(("http://", "https://")) and not (pagina.parent / a).exists()]
    assert perdidos == []


@pytest.mark.parametrize("pagina", PAGINAS, ids=lambda p: str(p.relative_to(RAIZ)))
def test_every_make_target_that_is_named_exists(pagina: Path) -> None:
    alvos = set(re.findall(r"^([a-z]+):", (RAIZ / "Makefile").read_text(), re.M))
    citados = set(re.findall(r"(?:^|`)make ([a-z]+)", pagina.read_text(), re.M))
    assert citados <= alvos


@pytest.mark.parametrize("pagina", PAGINAS, ids=lambda p: str(p.relative_to(RAIZ)))
def test_python_in_the_documents_compiles(pagina: Path) -> None:
    for bloco in re.findall(r"```python\n(.*?)```", pagina.read_text(), re.S):
        compile(bloco, str(pagina), "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def test_the_readme_has_nothing_left_to_fill_in() -> None:
    for nome in ("README.md", "README.pt-BR.md"):
        assert not re.search(r"\b(FIGURES|FAULTS|POLICY_STATE|TODO)\b", (RAIZ / nome).read_text()), nome
