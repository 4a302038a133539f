"""The documents say what is there: links lead somewhere, make targets and settings exist, code compiles."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from sispat.cli._commands import commands

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


@pytest.mark.parametrize("pagina", PAGINAS, ids=lambda p: str(p.relative_to(RAIZ)))
def test_every_command_that_is_shown_exists_with_its_options(pagina: Path) -> None:
    programa = typer.main.get_command(commands())
    for linha in re.findall(r"(?:^|`)(?:[A-Z_]+=\S+ )*sispat ([a-z][^`\n#|]*)", pagina.read_text(), re.M):
        comando, palavras = programa, shlex.split(linha)
        while palavras and palavras[0] in getattr(comando, "commands", ()):
            comando = comando.commands[palavras.pop(0)]
        assert not (hasattr(comando, "commands") and palavras and palavras[0].isalpha()), linha
        opcoes = {opcao for parametro in comando.params for opcao in (*parametro.opts, *parametro.secondary_opts)}
        assert {palavra.partition("=")[0] for palavra in palavras if palavra.startswith("--")} <= opcoes | {"--help"}, (
            linha
        )


def test_the_readme_has_nothing_left_to_fill_in() -> None:
    for nome in ("README.md", "README.pt-BR.md"):
        assert not re.search(r"\b(FIGURES|FAULTS|POLICY_STATE|TODO)\b", (RAIZ / nome).read_text()), nome
