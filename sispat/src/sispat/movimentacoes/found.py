"""What is missing, found again, or found without a plate: tables of fields (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import BlankIsNone, Date, Input, Legible, Money, example
from sispat.kernel.situacoes import Conservacao
from sispat.movimentacoes.inputs import Numeros
from sispat.movimentacoes.rules import EstadoDaLocalizacao, EstadoDaRegularizacao

__all__ = ["LOCALIZACAO", "REGULARIZACAO", "SECTIONS", "BensEncontrados", "BensQueFaltam", "NovaRegularizacao"]

_LOCAL, _AGENTE = "66eebc57-8f4e-4b4f-a041-f5ee8bae8e66", "b7653cce-dfb1-4d4e-a699-d5ef454b78f8"  # of the demo city
_NUMBERS = lazy("Os números das plaquetas, separados por vírgula, espaço ou linha; até 2.000.")
_ACHADO, _QUE, _ONDE, _PAPEIS = (
    lazy("Como foi achado"),
    lazy("O que é"),
    lazy("Onde fica e quem responde"),
    lazy("Avaliação"),
)


class DadosDaLocalizacao(Input):
    """When it was noticed, and how."""

    data: Annotated[Date, Ui("Quando", width="curta")]
    circunstancia: Annotated[
        str,
        Field(min_length=3, max_length=1000),
        Legible,
        Ui("Circunstância", "Como se notou, quem viu, onde.", long=True),
    ]


class BensQueFaltam(DadosDaLocalizacao):
    """Assets that nobody finds where they should stand."""

    model_config = example(numeros=[7], data="2026-03-02", circunstancia="Não estava na sala na conferência")

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)]


class BensEncontrados(DadosDaLocalizacao):
    """Missing assets that are there again: where, and with whom, if that is new."""

    model_config = example(numeros=[7], data="2026-03-09", circunstancia="Estava no depósito", local_id=_LOCAL)

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)]
    local_id: Annotated[
        UUID | None, BlankIsNone, Ui("Local", "Em branco, cada bem volta ao seu local.", refers_to="local")
    ] = None
    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Agente responsável", "Em branco, cada bem fica com o seu agente.", refers_to="agente"),
    ] = None


class _LocalizacaoDada(Shape):
    """What the service gives it."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaLocalizacao, Ui("O que se notou")]
    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


LOCALIZACAO = Entity(
    name="localizacao",
    label=lazy("Localização"),
    typed=(DadosDaLocalizacao,),
    given=_LocalizacaoDada,
    path="/localizacoes",
    title="numero",
)


class DadosDaRegularizacao(Input):
    """How an asset without a plate was found, and who appraised it."""

    encontrado_em: Annotated[Date, Ui("Encontrado em", section=_ACHADO, width="curta")]
    circunstancia: Annotated[
        str,
        Field(min_length=3, max_length=1000),
        Legible,
        Ui("Como foi encontrado", "Onde, por quem, e o que se sabe da origem.", _ACHADO, long=True),
    ]
    comissao_id: Annotated[UUID, Ui("Comissão que avaliou", section=_PAPEIS, refers_to="comissao")]
    laudo: Annotated[
        str, Field(min_length=1, max_length=60), Legible, Ui("Número do laudo", section=_PAPEIS, width="media")
    ]
    avaliado_em: Annotated[Date, Ui("Avaliado em", section=_PAPEIS, width="curta")]
    valor_avaliado: Annotated[
        Money, Ui("Valor da avaliação", "Em reais; é o valor com que o bem entra no patrimônio.", _PAPEIS, "curta")
    ]


class NovaRegularizacao(DadosDaRegularizacao):
    """An asset found without a plate, which gets the next number."""

    model_config = example(
        encontrado_em="2026-03-02", circunstancia="No depósito da escola, sem plaqueta", laudo="L-77",
        comissao_id="41e37779-cf68-9c53-7191-a19cf18b9990", avaliado_em="2026-03-05", valor_avaliado="250.00",
        descricao="Armário de aço, duas portas", classe_id="e41686cd-6616-4227-a737-14726c167229", local_id=_LOCAL,
        agente_id=_AGENTE,
    )  # fmt: skip

    descricao: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Descrição", section=_QUE)]
    classe_id: Annotated[UUID, Ui("Classe", section=_QUE, refers_to="classe")]
    marca: Annotated[str, Field(max_length=80), Legible, Ui("Marca", section=_QUE, width="media")] = ""
    modelo: Annotated[str, Field(max_length=80), Legible, Ui("Modelo", section=_QUE, width="media")] = ""
    numero_serie: Annotated[str, Field(max_length=80), Legible, Ui("Número de série", section=_QUE, width="media")] = ""
    conservacao: Annotated[Conservacao, Ui("Conservação", section=_QUE)] = Conservacao.REGULAR
    local_id: Annotated[UUID, Ui("Local", "O setor do bem é o do local.", _ONDE, refers_to="local")]
    agente_id: Annotated[UUID, Ui("Agente responsável", section=_ONDE, refers_to="agente")]

    @model_validator(mode="after")
    def _appraised_later(self) -> Self:
        if self.avaliado_em < self.encontrado_em:
            first = formats.date(self.encontrado_em)
            raise InvalidData({"avaliado_em": _("A data deve ser igual ou posterior a %(date)s.", date=first)})
        return self

    def found(self) -> dict[str, Any]:
        """How it was found and appraised, by column."""
        return {name: getattr(self, name) for name in DadosDaRegularizacao.model_fields}

    def asset(self) -> dict[str, Any]:
        """What is registered of the asset; its value is that of the appraisal."""
        own = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in DadosDaRegularizacao.model_fields
        }
        return {
            **own,
            "valor": self.valor_avaliado,
            "data_aquisicao": self.encontrado_em,
            "data_disponivel": self.avaliado_em,
        }


class _RegularizacaoDada(Shape):
    """What the service gives it."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaRegularizacao, Ui("Estado")]
    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    portaria: Annotated[str, Ui("Portaria da comissão")]
    membros: Annotated[str, Ui("Membros da comissão", long=True)]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


REGULARIZACAO = Entity(
    name="regularizacao",
    label=lazy("Regularização"),
    typed=(DadosDaRegularizacao,),
    given=_RegularizacaoDada,
    path="/regularizacoes",
    sections=("", _ACHADO, _PAPEIS),
    title="numero",
)
SECTIONS = (_ACHADO, _QUE, _ONDE, _PAPEIS)
