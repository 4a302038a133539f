"""What is published: each dataset, its columns and what they mean, once for CSV, JSON, dictionary and catalogue. Pure.

Promises: no column is of a person, and none is free text but what names a thing (`descricao`, `nome`), in which a CPF that is
written as one is struck out (`sql`). A test fills every text of persons in the database and looks for it in the files.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from sispat.imoveis.rules import Destinacao, EstadoDoImovel, FormaDeAquisicao, TipoDeImovel
from sispat.kernel.i18n import lazy
from sispat.kernel.labelled import Labelled
from sispat.kernel.situacoes import Conservacao, Posse, Situacao
from sispat.movimentacoes.rules import MotivoDaBaixa

__all__ = ["CATALOGUE", "DATASETS", "DICTIONARY", "Column", "Dataset", "data_package", "dictionary"]

Kind = Literal["string", "integer", "number", "date"]
"""As Frictionless' Table Schema calls them."""
CATALOGUE, DICTIONARY = "datapackage.json", "dicionario.csv"


class Column(NamedTuple):
    """A column: what programs call it, its kind, what it means; `values` are all that it may have."""

    name: str
    kind: Kind
    meaning: str
    values: type[Labelled] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that is published, as NAME.csv and NAME.json."""

    name: str
    title: str
    columns: Sequence[Column] = field(default_factory=tuple)


DATASETS = (
    Dataset(
        "bens",
        lazy("Bens móveis"),
        (
            Column("numero", "integer", lazy("Número de patrimônio, o da plaqueta.")),
            Column("descricao", "string", lazy("O que é o bem.")),
            Column("conta", "string", lazy("Conta da classe no plano de contas.")),
            Column("classe", "string", lazy("Classe do bem.")),
            Column("setor_codigo", "string", lazy("Código do setor em que está.")),
            Column("setor", "string", lazy("Nome do setor em que está.")),
            Column("situacao", "string", lazy("Situação do bem."), Situacao),
            Column("conservacao", "string", lazy("Estado de conservação."), Conservacao),
            Column("posse", "string", lazy("A que título a cidade tem o bem."), Posse),
            Column("data_aquisicao", "date", lazy("Data de aquisição.")),
            Column("valor_aquisicao", "number", lazy("Valor de aquisição, em reais.")),
            Column(
                "valor_bruto",
                "number",
                lazy("Valor bruto contábil no fim do último mês fechado, em reais; vazio antes dele."),
            ),
            Column(
                "depreciacao_acumulada",
                "number",
                lazy("Depreciação acumulada no fim do último mês fechado, em reais; vazio antes dele."),
            ),
            Column(
                "perda",
                "number",
                lazy("Redução ao valor recuperável no fim do último mês fechado, em reais; vazio antes dele."),
            ),
            Column(
                "valor_liquido",
                "number",
                lazy("Valor líquido contábil no fim do último mês fechado, em reais; vazio antes dele."),
            ),
            Column("data_baixa", "date", lazy("Data da baixa; vazia enquanto o bem está no patrimônio.")),
            Column("motivo_baixa", "string", lazy("Motivo da baixa."), MotivoDaBaixa),
        ),
    ),
    Dataset(
        "imoveis",
        lazy("Imóveis"),
        (
            Column("numero", "integer", lazy("Número do imóvel.")),
            Column("nome", "string", lazy("Como o imóvel é conhecido.")),
            Column("tipo", "string", lazy("Tipo do imóvel."), TipoDeImovel),
            Column("destinacao", "string", lazy("Destinação (Código Civil, art. 99)."), Destinacao),
            Column("estado", "string", lazy("Situação do imóvel."), EstadoDoImovel),
            Column("posse", "string", lazy("A que título a cidade tem o imóvel."), Posse),
            Column("logradouro", "string", lazy("Logradouro.")),
            Column("numero_predial", "string", lazy("Número do prédio.")),
            Column("bairro", "string", lazy("Bairro.")),
            Column("cidade", "string", lazy("Cidade.")),
            Column("uf", "string", lazy("Unidade da Federação.")),
            Column("latitude", "number", lazy("Latitude, em graus.")),
            Column("longitude", "number", lazy("Longitude, em graus.")),
            Column("area_terreno", "number", lazy("Área do terreno, em m².")),
            Column("area_construida", "number", lazy("Área construída, em m².")),
            Column("forma_aquisicao", "string", lazy("Forma de aquisição."), FormaDeAquisicao),
            Column("data_aquisicao", "date", lazy("Data de aquisição.")),
            Column("valor_terreno", "number", lazy("Valor do terreno, em reais.")),
            Column("valor_edificacao", "number", lazy("Valor da edificação, em reais.")),
        ),
    ),
    Dataset(
        "contas",
        lazy("Bens móveis por conta e mês fechado"),
        (
            Column("competencia", "date", lazy("Mês fechado, pelo seu primeiro dia.")),
            Column("conta", "string", lazy("Conta do plano de contas.")),
            Column("nome", "string", lazy("Nome da conta.")),
            Column("bens", "integer", lazy("Quantos bens, no fim do mês.")),
            Column("entradas", "number", lazy("O que entrou no mês, em reais.")),
            Column("baixas", "number", lazy("O que foi baixado no mês, em reais.")),
            Column("depreciacao", "number", lazy("Depreciação do mês, em reais.")),
            Column("ajuste", "number", lazy("Ajuste da depreciação de meses anteriores, em reais.")),
            Column("valor_bruto", "number", lazy("Valor bruto no fim do mês, em reais.")),
            Column("depreciacao_acumulada", "number", lazy("Depreciação acumulada no fim do mês, em reais.")),
            Column("perda", "number", lazy("Redução ao valor recuperável no fim do mês, em reais.")),
            Column("valor_liquido", "number", lazy("Valor líquido no fim do mês, em reais.")),
        ),
    ),
)


def dictionary() -> list[tuple[str, str, str, str, str]]:
    """Each column as a line: dataset, column, kind, meaning, the values that it may have."""
    return [
        (each.name, column.name, _KINDS[column.kind], str(column.meaning), _values(column))
        for each in DATASETS
        for column in each.columns
    ]


_KINDS = {"string": "texto", "integer": "inteiro", "number": "decimal", "date": "data"}


def _values(column: Column) -> str:
    return "; ".join(f"{value}: {label}" for value, label in _labels(column).items())


def _labels(column: Column) -> Mapping[str, str]:
    return {value: str(label) for value, label in column.values.labels().items()} if column.values else {}


def data_package(city: str, published: dt.datetime, rows: Mapping[str, int]) -> dict[str, Any]:
    """The catalogue as Frictionless' Data Package has it, which catalogues of open data read."""
    return {
        "profile": "tabular-data-package",
        "name": "patrimonio",
        "title": f"{_PACKAGE}: {city}",
        "created": published.isoformat(timespec="seconds"),
        "resources": [_resource(each, rows[each.name]) for each in DATASETS],
    }


_PACKAGE = lazy("Patrimônio")


def _resource(dataset: Dataset, rows: int) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "path": f"{dataset.name}.csv",
        "title": str(dataset.title),
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"delimiter": ";", "lineTerminator": "\r\n"},
        "rows": rows,
        "schema": {"fields": [_field(each) for each in dataset.columns], "missingValues": [""]},
    }


def _field(column: Column) -> dict[str, Any]:
    more: dict[str, Any] = {"decimalChar": ","} if column.kind == "number" else {}
    if column.values is not None:
        more["constraints"] = {"enum": [str(value) for value in column.values]}
    return {"name": column.name, "type": column.kind, "description": str(column.meaning), **more}
