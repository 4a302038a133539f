"""The page of SISPAT's commands, docs/reference/sispat-commands.md, made from the commands themselves: `make docs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from sispat.kernel import i18n

_HEAD = """# Reference: the commands of SISPAT

Their words: groups and verbs that an operator works with in the domain are Portuguese (`usuario criar`, `chave revogar`,
`manutencao ligar`), as the pages are; what runs the service is English, as the tools of its kind are (`serve`, `migrate`,
`backup restore`, `settings`). Options have the names of the fields they set (`--nome`, `--papel`), else English ones
(`--json`, `--port`). Names never change with the language; help, messages and errors do: `SISPAT_LANG`, else the terminal's
locale. `sispat COMMAND --help` says more.

| in the commands | in English |
|---|---|
| usuario, papel, setor, senha | user, role, department, password |
| criar, listar, editar, desativar, reativar | create, list, edit, retire, restore |
| sessoes, encerrar; segundo-fator, retirar; recifrar | sessions, end; second factor, remove; encrypt again |
| chave, integracao, dias, revogar | API key, integration, days, revoke |
| banco, relatorio | database, report |
| documentos, mover, manter | documents, move, keep |
| manutencao, ligar, desligar, estado, motivo, ate | maintenance, on, off, state, reason, until |

This page is made from the commands by `make docs`.

| command | options | what it does |
|---|---|---|
"""


def page() -> str:
    """The page; in English whatever the environment says, if the commands were not imported before."""
    i18n.set_default("en")
    from sispat.cli._commands import commands

    return _HEAD + "".join(f"{line}\n" for line in _lines(get_command(commands()), ""))


def _lines(command: Any, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner:
        options = " ".join(f"`{_named(each)}`" for each in command.params if each.name != "help")
        told = " ".join((command.help or "").replace("|", "\\|").split())
        yield f"| `{name}` | {options or '—'} | {told} |"
    for verb, each in inner.items():
        if not each.hidden:
            yield from _lines(each, f"{name} {verb}".strip())


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return max(parameter.opts, key=len) + "".join(f"/{each}" for each in parameter.secondary_opts)


if __name__ == "__main__":
    sys.stdout.write(page())
