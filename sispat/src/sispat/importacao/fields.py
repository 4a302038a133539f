"""What an import has, what is chosen for it, and what the API sends of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, create_model

from sispat.importacao.columns import LABELS
from sispat.importacao.rules import EstadoDaImportacao, Existentes
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import STRICT, Shape, Ui
from sispat.kernel.i18n import _, gettext_noop, lazy
from sispat.kernel.inputs import As, BlankIsNone, Date, Input, Legible, Money, example
from sispat.kernel.paging import Paged

__all__ = [
    "DEFAULTS", "Conferencia", "ErroDaPlanilha", "Gravacao", "Importacao", "ListaDeErros", "ListaDeImportacoes",
    "PaginaDeErros", "PaginaDeImportacoes", "document_of",
]  # fmt: skip

_TODAS = lazy("Para o que a planilha não diz")


class Conferencia(Input):
    """How a spreadsheet is to be read."""

    model_config = example(
        colunas=["numero", "descricao", "classe_id", "valor", "data_aquisicao", "local_id", "matricula"]
    )

    colunas: Annotated[
        tuple[Annotated[str, Field(max_length=40), Legible], ...],
        Field(max_length=300),
        As("text"),
        Ui("Colunas", "O campo de cada coluna, na ordem da planilha; vazio: fica de fora."),
    ] = ()
    existentes: Annotated[Existentes, Ui("Plaquetas que já existem")] = Existentes.RECUSAR
    classe_id: Annotated[UUID | None, BlankIsNone, Ui("Classe", section=_TODAS, refers_to="classe")] = None
    local_id: Annotated[UUID | None, BlankIsNone, Ui("Local", section=_TODAS, refers_to="local")] = None
    agente_id: Annotated[UUID | None, BlankIsNone, Ui("Agente responsável", section=_TODAS, refers_to="agente")] = None
    valor: Annotated[Money | None, BlankIsNone, Ui("Valor", section=_TODAS, width="curta")] = None
    data_aquisicao: Annotated[Date | None, BlankIsNone, Ui("Data de aquisição", section=_TODAS, width="curta")] = None

    def require_known(self, headings: int) -> None:
        """Raise `InvalidData` unless there is a field, or nothing, for each of `headings` columns, and none twice."""
        unknown = next((name for name in self.colunas if name and name not in LABELS), None)
        if unknown is not None:
            raise InvalidData({"colunas": _("Não há o campo “%(name)s”.", name=unknown)})
        chosen = [name for name in self.colunas if name]
        twice = next((name for name in chosen if chosen.count(name) > 1), None)
        if twice is not None:
            text = _("Mais de uma coluna é “%(field)s”. Deixe uma, e as outras de fora.", field=LABELS[twice])
            raise InvalidData({"colunas": text})
        if self.colunas and len(self.colunas) != headings:
            raise InvalidData(
                {"colunas": _("A planilha tem %(count)s colunas: diga o campo de cada uma.", count=headings)}
            )


DEFAULTS = ("classe_id", "local_id", "agente_id", "valor", "data_aquisicao")
"""What all rows may have that do not say it themselves."""


class Gravacao(Input):
    """That an import is to be saved, as it was checked: `versao` is the one that was read."""

    model_config = example(versao=3)

    versao: Annotated[int, Field(ge=1), Ui("Versão")]


class _ByNumber(Paged):
    @property
    def number(self) -> int | None:
        """Where the page begins; raises `InvalidData`."""
        if not self.cursor:
            return None
        if not re.fullmatch(r"\d{1,18}", self.cursor, re.ASCII):
            raise InvalidData(
                {"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")}
            )
        return int(self.cursor)


class ListaDeImportacoes(_ByNumber):
    """A page of imports."""


class ListaDeErros(_ByNumber):
    """A page of errors."""


class Coluna(Shape):
    """A column of the spreadsheet."""

    model_config = ConfigDict(extra="forbid")

    titulo: str
    campo: str = Field(description=gettext_noop("O campo do bem; vazio: a coluna fica de fora."))


class Importacao(Shape):
    """An import."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    numero: int
    arquivo: str
    tamanho: int
    formato: Literal["", "csv", "xlsx", "ods"]
    estado: EstadoDaImportacao
    pessoa: str
    criada_em: dt.datetime
    gravada_em: dt.datetime | None
    desfeita_em: dt.datetime | None
    versao: int
    colunas: list[Coluna]
    opcoes: dict[str, Any]
    linhas: int
    erros: int = Field(description=gettext_noop("Quantos há; os primeiros 1.000 estão em /erros."))
    resumo: dict[str, Any] = Field(
        description=gettext_noop(
            "Quantos bens são novos, alterados, iguais ou baixados, quantos vêm sem número, e o maior número."
        )
    )
    tarefa_id: UUID | None = Field(description=gettext_noop("A tarefa que a confere, grava ou desfaz."))


class ErroDaPlanilha(Shape):
    """What is wrong with a cell."""

    model_config = ConfigDict(extra="forbid")

    linha: int
    coluna: str
    valor: str
    mensagem: str


def _pages(name: str, item: Any) -> Any:
    return create_model(
        name, __config__=STRICT, items=(list[item], ...), next=(str | None, ...),
        previous=(str | None, ...),
    )  # fmt: skip


PaginaDeImportacoes: Any = _pages("PaginaDeImportacoes", Importacao)
PaginaDeErros: Any = _pages("PaginaDeErros", ErroDaPlanilha)


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """An import as it is sent."""
    return {name: row[name] for name in Importacao.model_fields}
