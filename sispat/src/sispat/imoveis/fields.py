"""What imóveis have: the table that forms, API, documents, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.imoveis.rules import Destinacao, EstadoDoImovel, FormaDeAquisicao, TipoDeImovel
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import (
    Area,
    BlankIsNone,
    Cep,
    Coordinate,
    Date,
    Input,
    Legible,
    Money,
    Percent,
    Uf,
    Whole,
    example,
)
from sispat.kernel.patches import patch_of
from sispat.kernel.situacoes import Conservacao, Posse

__all__ = ["IMOVEL", "CorrecaoDeImovel", "EdicaoDeImovel", "NovoImovel"]

_QUE, _ENDERECO, _MEDIDAS, _ORIGEM = (
    lazy("O que é"),
    lazy("Endereço"),
    lazy("Medidas e valores"),
    lazy("Como foi adquirido"),
)
_REGISTRO, _CARGA, _ESTADO = lazy("Registro"), lazy("Quem responde"), lazy("Estado")
_LIVRO = lazy("Contabilidade")

# The outermost points of Brazil, islands included (IBGE), rounded outwards: what lies elsewhere was typed wrong.
_SOUTH, _NORTH, _WEST, _EAST = -33.8, 5.3, -74.0, -28.8

# Examples name records of the demo city, whose ids are always the same.
_EXAMPLE = {
    "nome": "Creche Sol Nascente", "tipo": "predial", "uso": "Creche", "cep": "13015904", "logradouro": "Rua Barreto Leme",
    "numero_predial": "100", "bairro": "Centro", "cidade": "Campinas", "uf": "SP", "latitude": "-23.550520",
    "longitude": "-46.633308", "area_terreno": "1200.00", "area_construida": "640.50", "valor_terreno": "900000.00",
    "valor_edificacao": "1250000.00", "data_aquisicao": "2019-05-20", "matricula": "45.678",
    "setor_id": "f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419", "agente_id": "b7653cce-dfb1-4d4e-a699-d5ef454b78f8",
}  # fmt: skip


class EdicaoDeImovel(Input):
    """What describes an imóvel and may be corrected; its use changes by an act (destinacoes)."""

    model_config = example(**_EXAMPLE)

    nome: Annotated[
        str,
        Field(min_length=3, max_length=200),
        Legible,
        Ui("Nome", "Como se conhece: Escola Municipal Rui Barbosa.", _QUE),
    ]
    tipo: Annotated[TipoDeImovel, Ui("Tipo", section=_QUE)] = TipoDeImovel.PREDIAL
    uso: Annotated[str, Field(max_length=120), Legible, Ui("Para que é usado", "Como escola, posto, praça.", _QUE)] = ""
    cep: Annotated[Cep, Ui("CEP", "Como 01001-000.", _ENDERECO, "curta", button="Buscar endereço pelo CEP")] = ""
    logradouro: Annotated[str, Field(max_length=200), Legible, Ui("Logradouro", section=_ENDERECO)] = ""
    numero_predial: Annotated[
        str, Field(max_length=20), Legible, Ui("Número do prédio", section=_ENDERECO, width="curta")
    ] = ""
    complemento: Annotated[str, Field(max_length=100), Legible, Ui("Complemento", section=_ENDERECO, width="media")] = (
        ""
    )
    bairro: Annotated[str, Field(max_length=200), Legible, Ui("Bairro", section=_ENDERECO, width="media")] = ""
    cidade: Annotated[str, Field(max_length=200), Legible, Ui("Cidade", section=_ENDERECO, width="media")] = ""
    uf: Annotated[Uf, Ui("UF", section=_ENDERECO, width="curta")] = ""
    latitude: Annotated[
        Coordinate | None, BlankIsNone, Ui("Latitude", "Em graus, como -23,550520.", _ENDERECO, "curta")
    ] = None
    longitude: Annotated[
        Coordinate | None, BlankIsNone, Ui("Longitude", "Em graus, como -46,633308.", _ENDERECO, "curta")
    ] = None
    area_terreno: Annotated[Area | None, BlankIsNone, Ui("Área do terreno (m²)", section=_MEDIDAS, width="curta")] = (
        None
    )
    area_construida: Annotated[
        Area | None, BlankIsNone, Ui("Área construída (m²)", section=_MEDIDAS, width="curta")
    ] = None
    valor_terreno: Annotated[
        Money,
        Ui("Valor do terreno", "Em reais. O terreno não sofre depreciação; por isso fica à parte.", _MEDIDAS, "curta"),
    ]
    valor_edificacao: Annotated[
        Money, Ui("Valor da edificação", "Em reais; 0,00 onde nada foi construído.", _MEDIDAS, "curta")
    ]
    classe_terreno_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui(
            "Classe do terreno",
            "Diz a conta contábil. Sem ela, o terreno não entra no fechamento.",
            _LIVRO,
            refers_to="classe",
        ),
    ] = None
    classe_edificacao_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui(
            "Classe da edificação",
            "Diz a conta, a vida útil e o residual. Sem ela, a edificação não entra no fechamento.",
            _LIVRO,
            refers_to="classe",
        ),
    ] = None
    data_disponivel: Annotated[
        Date | None,
        BlankIsNone,
        Ui("Edificação em uso desde", "Em branco, a data de aquisição.", _LIVRO, "curta"),
    ] = None
    vida_util_meses: Annotated[
        Annotated[int, Whole, Field(ge=1, le=1200)] | None,
        BlankIsNone,
        Ui("Vida útil da edificação (meses)", "Em branco, a da classe.", _LIVRO, "curta"),
    ] = None
    residual_pct: Annotated[
        Percent | None, BlankIsNone, Ui("Valor residual da edificação (%)", "Em branco, o da classe.", _LIVRO, "curta")
    ] = None
    forma_aquisicao: Annotated[FormaDeAquisicao, Ui("Forma de aquisição", section=_ORIGEM)] = FormaDeAquisicao.COMPRA
    data_aquisicao: Annotated[Date, Ui("Data de aquisição", section=_ORIGEM, width="curta")]
    ato_aquisicao: Annotated[
        str, Field(max_length=120), Legible, Ui("Escritura, lei ou processo", section=_ORIGEM, width="media")
    ] = ""
    transmitente: Annotated[str, Field(max_length=120), Legible, Ui("De quem foi adquirido", section=_ORIGEM)] = ""
    posse: Annotated[Posse, Ui("Posse", section=_ORIGEM)] = Posse.PROPRIO
    matricula: Annotated[
        str, Field(max_length=40), Legible, Ui("Matrícula", "No registro de imóveis.", _REGISTRO, "media")
    ] = ""
    cartorio: Annotated[
        str, Field(max_length=120), Legible, Ui("Cartório", "Como 1º Registro de Imóveis.", _REGISTRO, "media")
    ] = ""
    inscricao_imobiliaria: Annotated[
        str, Field(max_length=40), Legible, Ui("Inscrição imobiliária", "No cadastro do IPTU.", _REGISTRO, "media")
    ] = ""
    inscricao_rural: Annotated[
        str, Field(max_length=40), Legible, Ui("Código do imóvel rural", "No Incra ou na Receita.", _REGISTRO, "media")
    ] = ""
    setor_id: Annotated[UUID, Ui("Setor", section=_CARGA, refers_to="setor")]
    agente_id: Annotated[UUID, Ui("Agente responsável", section=_CARGA, refers_to="agente")]
    conservacao: Annotated[Conservacao, Ui("Conservação", section=_ESTADO)] = Conservacao.BOM
    observacao: Annotated[
        str, Field(max_length=2000), Legible, Ui("Observação", "Até 2.000 caracteres.", _ESTADO, long=True)
    ] = ""

    @model_validator(mode="after")
    def _position_is_in_brazil(self) -> Self:
        if wrong := _wrong_position(self.latitude, self.longitude):
            raise InvalidData(wrong)
        return self

    @model_validator(mode="after")
    def _available_after_acquisition(self) -> Self:
        if self.data_disponivel is not None and self.data_disponivel < self.data_aquisicao:
            raise InvalidData({"data_disponivel": _("A data deve ser igual ou posterior à de aquisição.")})
        return self

    @model_validator(mode="after")
    def _bare_land_has_no_building(self) -> Self:
        if self.tipo is TipoDeImovel.TERRITORIAL and (self.valor_edificacao or self.area_construida):
            raise InvalidData({"tipo": _("Um terreno sem edificação não tem área construída nem valor de edificação.")})
        return self


def _wrong_position(latitude: object, longitude: object) -> dict[str, str]:
    if latitude is None and longitude is None:
        return {}
    if latitude is None or longitude is None:
        missing = "latitude" if latitude is None else "longitude"
        return {missing: _("Informe latitude e longitude, ou nenhuma das duas.")}
    if _in_brazil(latitude, longitude):
        return {}
    if _in_brazil(longitude, latitude):
        return {"latitude": _("Latitude e longitude parecem trocadas uma pela outra.")}
    return {"latitude": _("Este ponto fica fora do Brasil. Confira os graus e o sinal de menos.")}


def _in_brazil(latitude: object, longitude: object) -> bool:
    return _SOUTH <= float(str(latitude)) <= _NORTH and _WEST <= float(str(longitude)) <= _EAST


class NovoImovel(EdicaoDeImovel):
    """A new imóvel, with the use it has when it is registered."""

    model_config = example(destinacao="uso_especial", **_EXAMPLE)

    destinacao: Annotated[
        Destinacao, Ui("Destinação", "Depois muda só por lei ou decreto, em Mudar a destinação.", _QUE)
    ] = Destinacao.USO_ESPECIAL


CorrecaoDeImovel = patch_of("CorrecaoDeImovel", EdicaoDeImovel, conservacao="regular")


class _Dado(Shape):
    """What the service gives an imóvel."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDoImovel, Ui("Situação")]
    destinacao: Annotated[Destinacao, Ui("Destinação", section=_QUE)]
    valor: Annotated[Money, Ui("Valor", section=_MEDIDAS)]
    versao: Annotated[int, Ui("Versão", in_csv=False)]
    criado_em: Annotated[dt.datetime, Ui("Cadastrado em", in_csv=False)]
    atualizado_em: Annotated[dt.datetime, Ui("Gravado em", in_csv=False)]


IMOVEL = Entity(
    name="imovel",
    label=lazy("Imóvel"),
    typed=(EdicaoDeImovel,),
    given=_Dado,
    path="/imoveis",
    sections=("", _QUE, _ENDERECO, _MEDIDAS, _LIVRO, _ORIGEM, _REGISTRO, _CARGA, _ESTADO),
    title="numero",
)
