"""What a list of assets may be asked for, and the cursors that walk it.

Promises: a cursor says where a page begins or ends, by the values of its sort; one made for another sort, or made up, is
refused. What is inserted meanwhile neither repeats nor hides a row.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, Legible, Moment
from sispat.kernel.paging import Paged
from sispat.kernel.situacoes import Conservacao, Situacao
from sispat.patrimonios.sql import Query, Row

__all__ = ["SORT_LABELS", "ListPage", "ListaDePatrimonios", "cursor_at", "page_query", "walked"]

SORT_LABELS = {
    "numero": lazy("Número, do menor ao maior"),
    "-numero": lazy("Número, do maior ao menor"),
    "descricao": lazy("Descrição, de A a Z"),
    "-descricao": lazy("Descrição, de Z a A"),
    "valor": lazy("Valor, do menor ao maior"),
    "-valor": lazy("Valor, do maior ao menor"),
    "data_aquisicao": lazy("Aquisição, da mais antiga à mais nova"),
    "-data_aquisicao": lazy("Aquisição, da mais nova à mais antiga"),
}
Direction = Literal["a", "d"]  # the page before (antes) or after (depois) a row


class ListaDePatrimonios(Paged):
    """What a list may be asked for."""

    q: Annotated[str, Field(max_length=100), Legible, Ui("Busca")] = ""
    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor", refers_to="setor")] = None
    local: Annotated[UUID | None, BlankIsNone, Ui("Local", refers_to="local")] = None
    classe: Annotated[UUID | None, BlankIsNone, Ui("Classe", refers_to="classe")] = None
    agente: Annotated[UUID | None, BlankIsNone, Ui("Agente responsável", refers_to="agente")] = None
    situacao: Annotated[Situacao | None, BlankIsNone, Ui("Situação")] = None
    conservacao: Annotated[Conservacao | None, BlankIsNone, Ui("Conservação")] = None
    sort: Annotated[
        Literal["numero", "-numero", "descricao", "-descricao", "valor", "-valor", "data_aquisicao", "-data_aquisicao"],
        As("code"),
        Ui("Ordem"),
    ] = "numero"
    numero: Annotated[int | None, Field(ge=0, lt=2**63), BlankIsNone, Ui("Número")] = None
    atualizado_desde: Annotated[
        Moment | None, BlankIsNone, Field(examples=["2026-01-31T08:00:00-03:00"]), Ui("Gravado desde")
    ] = None

    importacao: Annotated[UUID | None, BlankIsNone, Ui("Importação", "Os bens que ela criou ou alterou.")] = None

    def filters(self) -> dict[str, Any]:
        """The filters that are set, by column."""
        asked = {
            "setor_id": self.setor,
            "local_id": self.local,
            "classe_id": self.classe,
            "agente_id": self.agente,
            "situacao": self.situacao,
            "conservacao": self.conservacao,
            "numero": self.numero,
            "atualizado_em": self.atualizado_desde,
            "id": self.importacao,
        }
        return {column: value for column, value in asked.items() if value is not None}

    def query(self, setores: tuple[UUID, ...] | None) -> Query:
        """The same for SQL, within reach."""
        return Query(
            setores=setores,
            q=self.q,
            filters=self.filters(),
            sort=self.sort.lstrip("-"),
            descending=self.sort.startswith("-"),
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True)
class ListPage:
    """Documents (JSON) of one page and the cursors of its neighbours."""

    documents: list[str]
    following: str | None = None
    preceding: str | None = None


def page_query(asked: ListaDePatrimonios, setores: tuple[UUID, ...] | None) -> Query:
    """What finds one row more than the page holds, so that `walked` knows whether there is another page."""
    query = replace(asked.query(setores), limit=asked.limit + 1)
    if not asked.cursor:
        return query
    backwards, key, numero = _opened(asked)
    return replace(query, after=(key, numero), descending=query.descending != backwards)


def walked(asked: ListaDePatrimonios, rows: Sequence[Row]) -> ListPage:
    """The page of the rows that `page_query` found."""
    backwards = bool(asked.cursor) and _opened(asked)[0]
    more, shown = len(rows) > asked.limit, list(rows[: asked.limit])
    if backwards:
        shown.reverse()
    after, before = (True, more) if backwards else (more, bool(asked.cursor))
    return ListPage(
        [row.document for row in shown],
        cursor_at(asked, shown[-1], "d") if shown and after else None,
        cursor_at(asked, shown[0], "a") if shown and before else None,
    )


def cursor_at(asked: ListaDePatrimonios, row: Row, direction: Direction) -> str:
    """The opaque cursor of the page before ("a") or after ("d") `row`."""
    data = json.dumps([asked.sort, direction, row.key, row.numero], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


_KEY_OF_SORT = {
    "numero": r"\d{1,18}",
    "descricao": r"[^\x00\ud800-\udfff]{0,100}",
    "valor": r"\d{1,12}(\.\d{1,2})?",
    "data_aquisicao": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
}


def _is_place(sort: str, key: object, numero: object) -> bool:
    """Whether the database can compare these with its columns: what is made up must not become an error there."""
    return (
        isinstance(key, str)
        and re.fullmatch(_KEY_OF_SORT[sort], key, re.ASCII) is not None
        and type(numero) is int
        and 0 <= numero < 2**63
        and (sort != "data_aquisicao" or _is_date(key))
    )


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _opened(asked: ListaDePatrimonios) -> tuple[bool, str, int]:
    try:
        data = base64.urlsafe_b64decode(asked.cursor + "=" * (-len(asked.cursor) % 4))
        sort, direction, key, numero = json.loads(data)
        valid = sort == asked.sort and direction in ("a", "d") and _is_place(sort.lstrip("-"), key, numero)
    except (ValueError, TypeError):
        valid = False
    if not valid:
        raise InvalidData({"cursor": _("A chave da página não é desta lista. Comece de novo pela primeira página.")})
    return direction == "a", key, numero
