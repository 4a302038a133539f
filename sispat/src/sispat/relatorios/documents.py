"""The shapes the API sends of reports, for its documentation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field, create_model

from sispat.kernel.fields import STRICT, Shape
from sispat.kernel.i18n import gettext_noop
from sispat.relatorios.report import Report

__all__ = ["Disponivel", "PedidoDeArquivo", "page_of"]


class Disponivel(Shape):
    """A report that may be asked for."""

    model_config = ConfigDict(extra="forbid")

    nome: str
    titulo: str
    pergunta: str
    colunas: list[str]
    filtros: list[str]


class PedidoDeArquivo(Shape):
    """The job that makes a file, and the file: it can be fetched when the job has ended, for a week."""

    model_config = ConfigDict(extra="forbid")

    tarefa_id: UUID
    arquivo_id: UUID


def page_of(report: Report) -> Any:
    """A page of a report; its sums stand on the first one, each of the type of its column in a line, null without any."""
    line = report.document.model_fields
    summed: dict[str, Any] = {
        "linhas": (int, ...), **{name: (line[name].annotation | None, ...) for name in report.summed},
    }  # fmt: skip
    sums: Any = create_model(f"Somas_{report.name}", __config__=STRICT, **summed)
    said = gettext_noop("Quantas linhas e as somas de todas elas, na primeira página; depois, null.")
    members: dict[str, Any] = {
        "items": (list[report.document], ...),  # type: ignore[name-defined]
        "somas": (sums | None, Field(..., description=said)),
        "next": (str | None, ...),
        "previous": (str | None, ...),
    }
    return create_model(f"Relatorio_{report.name}", __config__=STRICT, **members)
