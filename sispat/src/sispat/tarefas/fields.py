"""What a list of jobs may be asked for, and what the API sends of one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Shape
from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.jobs.queue import Estado
from sispat.kernel.jobs.work import Job
from sispat.kernel.paging import Paged

__all__ = ["ListaDeTarefas", "PaginaDeTarefas", "Tarefa", "document_of"]


class ListaDeTarefas(Paged):
    """A page of jobs."""

    @property
    def before(self) -> int | None:
        """The number below which the page begins; None: the newest. Raises `InvalidData`."""
        if not self.cursor:
            return None
        if not re.fullmatch(r"[1-9]\d{0,17}", self.cursor, re.ASCII):
            raise InvalidData(
                {"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")}
            )
        return int(self.cursor)


class ErroDeTarefa(Shape):
    """Why it failed."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str


class Tarefa(Shape):
    """A job."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    numero: int
    tipo: str
    nome: str = Field(description=gettext_noop("O que ela faz, em palavras."))
    estado: Estado
    pessoa: str | None = Field(description=gettext_noop("Quem a pediu."))
    pedida_em: dt.datetime
    iniciada_em: dt.datetime | None
    terminada_em: dt.datetime | None
    etapa: str = Field(description=gettext_noop("Em que passo está, em palavras."))
    feito: int
    total: int | None = Field(description=gettext_noop("De quantos é `feito`; null: não se sabe."))
    cancelamento_pedido: bool
    resultado: dict[str, Any] | None
    erro: ErroDeTarefa | None
    pagina: str = Field(description=gettext_noop("Onde se vê o que ela fez; vazio: em lugar nenhum."))


class PaginaDeTarefas(Shape):
    """One page; `next` goes into `?cursor=`."""

    model_config = ConfigDict(extra="forbid")

    items: list[Tarefa]
    next: str | None
    previous: str | None


def document_of(row: Mapping[str, Any], jobs: Mapping[str, Job]) -> dict[str, Any]:
    """A job as it is sent and shown; one of a kind that this release does not know has its bare name."""
    job = jobs.get(row["tipo"])
    step = row["etapa"]
    same = ("id", "numero", "tipo", "estado", "pessoa", "pedida_em", "iniciada_em", "terminada_em", "feito", "total")
    return {
        **{name: row[name] for name in same},
        "nome": str(job.label) if job else row["tipo"],
        "etapa": str(job.steps.get(step, step)) if job else step,
        "cancelamento_pedido": row["cancelar_em"] is not None,
        "resultado": row["resultado"],
        "erro": row["erro"],
        "pagina": job.path({**row["argumentos"], **(row["resultado"] or {})}) if job else "",
    }
