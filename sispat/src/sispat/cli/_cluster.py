"""`sispat cluster status`: how the three machines stand, in the language of the commands.

Promises: what is asked and judged is Esteio's (`esteio.cluster.operate`), and so is the exit code: 0 when the loss of any
machine would cost nothing, 1 when it works and the loss of one more could, 2 when nobody takes writes, or nobody could next.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from esteio.cli import StatusWords

__all__ = ["app"]

app = typer.Typer(help=_("Três máquinas: como estão."), no_args_is_help=True)


@app.callback()
def _group() -> None:
    """So that `status` is named even while it is alone."""


@app.command(
    "status",
    help=_(
        "Papéis, atraso e votos, como as máquinas dizem. Sai com 0 se perder qualquer uma não custa nada, com 1 se funciona "
        "mas perder mais uma pode custar, com 2 se ninguém grava, ou ninguém poderia ser promovido."
    ),
)
def status(
    config: Annotated[
        Path,
        typer.Option("--config", "-c", envvar="ESTEIO_CLUSTER", help=_("O cluster.toml de `esteio cluster init`.")),
    ] = Path("/etc/esteio-cluster/cluster.toml"),
    as_json: Annotated[bool, typer.Option("--json", help=_("Para programas."))] = False,
) -> None:
    """Roles, lag and votes, as the machines say."""
    from esteio.cli import show_status

    show_status(config, as_json=as_json, words=_words())


def _words() -> StatusWords:
    from esteio.cli import StatusWords

    return StatusWords(
        columns=(_("máquina"), _("endereço"), _("papel"), _("estado"), _("linha"), _("atraso"), _("vota")),
        roles={
            "leader": _("grava"),
            "sync_standby": _("reserva confirma"),
            "quorum_standby": _("reserva confirma"),
            "replica": _("reserva"),
        },
        states={
            "running": _("em pé"),
            "streaming": _("acompanha"),
            "in archive recovery": _("acompanha"),
            "stopped": _("parada"),
            "starting": _("iniciando"),
        },
        witness=_("só vota"),
        silent=_("sem resposta"),
        yes=_("sim"),
        no=_("não"),
        nobody=_("Ninguém grava."),
        alone=_("Nenhuma reserva confirma o que se grava: perder agora a máquina que grava perderia isso."),
        no_quorum=_("Menos da metade das máquinas vota: ninguém pode ser promovido."),
        missing=_("Falta alguma coisa: perder mais uma máquina pode parar o serviço."),
    )
