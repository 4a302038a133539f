"""A real browser, and pages of it signed in over a demo city."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from servida import CHROMIUM, servir

AXE = Path(__file__).parents[3] / ".venv/axe/axe.min.js"  # brought by .ci/axe


@pytest.fixture(scope="session")
def chromium(chromium: str) -> str:
    """The browser's program; what is expected of a page may take as long as a busy machine needs, not the usual 5 s."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    return chromium


@pytest.fixture
def endereco(cidade) -> Iterator[str]:
    """Where the application is."""
    with servir(cidade, open_data=True) as endereco:
        yield endereco


@pytest.fixture
def aba(chromium, endereco) -> Callable[..., AbstractContextManager[Any]]:
    """`with aba("gestor", viewport=...) as pagina:` - a page of a browser, somebody signed in through the form."""
    from playwright.sync_api import sync_playwright

    @contextlib.contextmanager
    def aberta(quem: str | None = None, **contexto: Any) -> Iterator[Any]:
        with sync_playwright() as navegadores:
            navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
            try:
                pagina = navegador.new_context(locale="pt-BR", base_url=endereco, **contexto).new_page()
                pagina.set_default_timeout(60_000)
                if quem is not None:
                    entrar(pagina, quem)
                yield pagina
            finally:
                navegador.close()

    return aberta


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for what shuts people out of a page; without it the test is skipped, and in CI fails."""
    if not AXE.exists():
        motivo = f"{AXE} não existe (.ci/axe o traz)"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(motivo)
        pytest.skip(motivo)
    return AXE.read_text(encoding="utf-8")


def entrar(pagina: Any, quem: str) -> None:
    """Sign in through the form."""
    pagina.goto("/entrar")
    pagina.get_by_label("E-mail").fill(f"{quem}@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("button", name="Sair").wait_for()
