"""The commands follow SISPAT_LANG or the terminal's locale; all of their help and errors are in the catalogue."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sispat.kernel.i18n import of_environment

_PORTUGUESE = re.compile(r"[ãõçáéíóúâêôà]|\b(?:nenhum|uma?|para|de|da|dos|das|em|que|foi|ou|ao|sem)\b", re.IGNORECASE)
_ALL_HELP = """
import typer
from sispat.kernel import i18n
i18n.set_default(i18n.of_environment())
from sispat.cli._commands import commands
def walk(command):
    print(command.help or "")
    for parameter in command.params:
        print(getattr(parameter, "help", "") or "")
    for each in getattr(command, "commands", {}).values():
        walk(each)
walk(typer.main.get_command(commands()))
"""


def _run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "pt-BR"),
        ({"LANG": "C.UTF-8"}, "pt-BR"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "pt_BR.UTF-8"}, "pt-BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LC_ALL": "pt_BR.UTF-8", "SISPAT_LANG": "en"}, "en"),
        ({"LANG": "en_US", "SISPAT_LANG": "pt-BR"}, "pt-BR"),
    ],
)
def test_the_language_of_the_commands_is_that_of_the_environment(environ: dict[str, str], language: str) -> None:
    assert of_environment(environ) == language


def test_no_help_of_a_command_is_portuguese_to_who_reads_english() -> None:
    said = _run("-c", _ALL_HELP, SISPAT_LANG="en").stdout.splitlines()
    assert len(said) > 150
    assert [line for line in said if _PORTUGUESE.search(line)] == []


def test_the_page_of_the_commands_is_current() -> None:
    """`make docs` writes it."""
    root = Path(__file__).parents[3]
    made = subprocess.run(
        [sys.executable, "-m", "tools.commands"], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert made.stdout == (root / "docs/reference/sispat-commands.md").read_text("utf-8"), made.stderr


def test_wrong_settings_are_told_in_english() -> None:
    told = _run("-m", "sispat", "settings", SISPAT_LANG="en", SISPAT_PORT="x", SISPAT_SESSION_MAX="1").stderr
    assert told.startswith("Error: Invalid settings:\n  SISPAT_PORT = “x” (environment)")
    assert not _PORTUGUESE.search(told)
