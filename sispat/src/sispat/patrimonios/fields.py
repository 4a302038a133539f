"""What an asset has: the table that forms, API, documents, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, model_validator

from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, CpfOrCnpj, Date, Input, Legible, Money, Percent, Whole, example
from sispat.kernel.patches import patch_of
from sispat.kernel.situacoes import Conservacao, FonteDeRecurso, Posse, Situacao
from sispat.patrimonios.rules import LOTE_MAXIMO

__all__ = [
    "PATRIMONIO", "CorrecaoDePatrimonio", "EdicaoDePatrimonio", "ItemDoLote", "LoteDePatrimonios", "NovoPatrimonio",
    "TrocaDeCarga",
]  # fmt: skip

_QUE, _ORIGEM, _CARGA = lazy("O que é"), lazy("Como foi adquirido"), lazy("Onde fica e quem responde")
_ESTADO, _LOTE = lazy("Estado"), lazy("Lote")

# Examples name records of the demo city, whose ids are always the same.
_DESCRITO = {
    "descricao": "Notebook 14 polegadas, 16 GB", "classe_id": "e41686cd-6616-4227-a737-14726c167229",
    "valor": "4299.90", "data_aquisicao": "2026-01-31", "nota_fiscal": "1234", "numero_serie": "NB-0001",
}  # fmt: skip
_ENTREGUE = {
    "setor_id": "f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419", "local_id": "66eebc57-8f4e-4b4f-a041-f5ee8bae8e66",
    "agente_id": "b7653cce-dfb1-4d4e-a699-d5ef454b78f8",
}  # fmt: skip


_SERIAL_LENGTH = 80


def _lines(value: Any) -> Any:
    """A text of a form as its lines; a list of a program as it is."""
    return tuple(line.strip() for line in value.splitlines() if line.strip()) if isinstance(value, str) else value


@cache
def _columns_of(model: type[Input]) -> tuple[str, ...]:
    return tuple(column for column in PATRIMONIO.columns if column in model.model_fields)


class EdicaoDePatrimonio(Input):
    """What describes an asset and may be corrected."""

    model_config = example(**_DESCRITO)

    descricao: Annotated[
        str,
        Field(min_length=3, max_length=500),
        Legible,
        Ui("Descrição", "O que é o bem, com o que o distingue. De 3 a 500 caracteres.", _QUE, in_list=True),
    ]
    classe_id: Annotated[UUID, Ui("Classe", section=_QUE, refers_to="classe", in_list=True)]
    marca: Annotated[str, Field(max_length=80), Legible, Ui("Marca", section=_QUE, width="media")] = ""
    modelo: Annotated[str, Field(max_length=80), Legible, Ui("Modelo", section=_QUE, width="media")] = ""
    numero_serie: Annotated[
        str, Field(max_length=_SERIAL_LENGTH), Legible, Ui("Número de série", section=_QUE, width="media")
    ] = ""
    valor: Annotated[Money, Ui("Valor", "Em reais, como 1.234,56.", _ORIGEM, "curta", in_list=True)]
    data_aquisicao: Annotated[
        Date, Ui("Data de aquisição", "Dia, mês e ano da compra.", _ORIGEM, "curta", in_list=True)
    ]
    data_disponivel: Annotated[
        Date | None, BlankIsNone, Ui("Em uso desde", "Em branco, a de aquisição.", _ORIGEM, "curta", filled=True)
    ] = None
    garantia_ate: Annotated[Date | None, BlankIsNone, Ui("Garantia até", section=_ORIGEM, width="curta")] = None
    vida_util_meses: Annotated[
        Annotated[int, Whole, Field(ge=1, le=1200)] | None,
        BlankIsNone,
        Ui("Vida útil (meses)", "Em branco, a da classe.", _ORIGEM, "curta"),
    ] = None
    residual_pct: Annotated[
        Percent | None, BlankIsNone, Ui("Valor residual (%)", "Em branco, o da classe.", _ORIGEM, "curta")
    ] = None
    posse: Annotated[Posse, Ui("Posse", section=_ORIGEM)] = Posse.PROPRIO
    fornecedor_doc: Annotated[
        CpfOrCnpj | None, BlankIsNone, Ui("CPF ou CNPJ do fornecedor", section=_ORIGEM, width="media")
    ] = None
    fonte: Annotated[FonteDeRecurso, Ui("Fonte de recursos", section=_ORIGEM)] = FonteDeRecurso.NAO_INFORMADA
    fonte_numero: Annotated[
        str,
        Field(max_length=60),
        Legible,
        Ui("Nº do convênio, da emenda ou nome do fundo", section=_ORIGEM, width="media"),
    ] = ""
    nota_fiscal: Annotated[str, Field(max_length=60), Legible, Ui("Nota fiscal", section=_ORIGEM, width="media")] = ""
    empenho: Annotated[str, Field(max_length=60), Legible, Ui("Empenho", section=_ORIGEM, width="media")] = ""
    licitacao: Annotated[str, Field(max_length=60), Legible, Ui("Licitação", section=_ORIGEM, width="media")] = ""
    conservacao: Annotated[Conservacao, Ui("Conservação", section=_ESTADO, in_list=True)] = Conservacao.BOM
    observacao: Annotated[
        str, Field(max_length=2000), Legible, Ui("Observação", "Até 2.000 caracteres.", _ESTADO, long=True)
    ] = ""

    @model_validator(mode="after")
    def _available_after_acquisition(self) -> Self:
        if self.data_disponivel is not None and self.data_disponivel < self.data_aquisicao:
            raise InvalidData({"data_disponivel": _("A data deve ser igual ou posterior à de aquisição.")})
        return self

    def columns(self) -> dict[str, Any]:
        """Values by column; availability is the acquisition's date unless said otherwise."""
        values = {column: getattr(self, column) for column in _columns_of(type(self))}
        values["data_disponivel"] = self.data_disponivel or self.data_aquisicao
        return values


class TrocaDeCarga(Input):
    """Who answers for an asset, and where it stands."""

    model_config = example(**_ENTREGUE)

    setor_id: Annotated[UUID, Ui("Setor", section=_CARGA, refers_to="setor", in_form=False, in_list=True)]
    """Implied by the local in forms, so that the two can't contradict each other."""
    local_id: Annotated[
        UUID,
        Ui(
            "Local",
            "Os locais estão reunidos por setor; o setor do bem é o do local.",
            _CARGA,
            refers_to="local",
            in_list=True,
        ),
    ]
    agente_id: Annotated[UUID, Ui("Agente responsável", section=_CARGA, refers_to="agente", in_list=True)]


class NovoPatrimonio(TrocaDeCarga, EdicaoDePatrimonio):
    """A new asset: described, placed, in somebody's custody. `quantidade` equal ones at once."""

    model_config = example(**_DESCRITO, **_ENTREGUE)

    quantidade: Annotated[
        int,
        Whole,
        Field(ge=1, le=LOTE_MAXIMO),
        Ui(
            "Quantos bens iguais",
            lazy("De 1 a %(most)s. Cada um recebe o seu número, em sequência.", most=LOTE_MAXIMO),
            _LOTE,
            "curta",
        ),
    ] = 1
    numeros_serie: Annotated[
        tuple[Annotated[str, Legible], ...],
        BeforeValidator(_lines),
        Ui(
            "Números de série do lote",
            "Um por linha, na ordem das plaquetas: tantos quantos são os bens.",
            _LOTE,
            long=True,
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_serial_number_each(self) -> Self:
        if self.numeros_serie and (wrong := self._wrong_serials()):
            raise InvalidData({"numeros_serie": wrong})
        return self

    def columns(self) -> dict[str, Any]:
        """Values by column; the only serial number of a lot of one is that of the asset."""
        alone = {"numero_serie": self.numeros_serie[0]} if len(self.numeros_serie) == 1 else {}
        return super().columns() | alone

    def _wrong_serials(self) -> str:
        given = self.numeros_serie
        if self.numero_serie:
            return _("Preencha o número de série do bem ou os do lote, não ambos.")
        if len(given) != self.quantidade:
            return _(
                "São %(given)s números de série para %(assets)s bens. Informe um por bem, um por linha.",
                given=len(given), assets=self.quantidade,
            )  # fmt: skip
        twice = next((each for each in given if given.count(each) > 1), "")
        if twice:
            return _("O número de série “%(serial)s” está mais de uma vez na lista.", serial=twice)
        long = next((each for each in given if len(each) > _SERIAL_LENGTH), "")
        if not long:
            return ""
        return _("O número de série “%(serial)s” passa de %(most)s caracteres.", serial=long, most=_SERIAL_LENGTH)


class ItemDoLote(TrocaDeCarga, EdicaoDePatrimonio):
    """One asset of several different ones."""

    model_config = example(**_DESCRITO, **_ENTREGUE)


class LoteDePatrimonios(Input):
    """Different assets that are registered at once, all or none."""

    model_config = example(items=[{**_DESCRITO, **_ENTREGUE}])

    items: Annotated[
        tuple[ItemDoLote, ...], Field(min_length=1, max_length=LOTE_MAXIMO), As("text"), Ui("Bens do lote")
    ]


CorrecaoDePatrimonio = patch_of("CorrecaoDePatrimonio", EdicaoDePatrimonio, observacao="Tela trocada na garantia.")


class _Given(Shape):
    """What the service gives an asset."""

    id: Annotated[UUID, Ui("Identificador", in_list=True, in_csv=False)]
    numero: Annotated[int, As("plate"), Ui("Número", in_list=True)]
    situacao: Annotated[Situacao, Ui("Situação", in_list=True)]
    valor_liquido: Annotated[Money | None, Ui("Valor líquido")]
    """At the end of the last closed month; null before the first, and while it is in none."""
    versao: Annotated[int, Ui("Versão", in_list=True, in_csv=False)]
    criado_em: Annotated[dt.datetime, Ui("Cadastrado em", in_csv=False)]
    atualizado_em: Annotated[dt.datetime, Ui("Gravado em", in_csv=False)]


PATRIMONIO = Entity(
    name="patrimonio",
    label=lazy("Bem"),
    typed=(EdicaoDePatrimonio, TrocaDeCarga),
    given=_Given,
    path="/patrimonios",
    sections=("", _QUE, _ORIGEM, _CARGA, _ESTADO, _LOTE),
    title="numero",
)
