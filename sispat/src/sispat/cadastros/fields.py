"""What setores, locais, agentes and classes have: the tables that everything about them is made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import Field

from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import lazy
from sispat.kernel.inputs import As, BlankIsNone, Cep, Cpf, EmailOrBlank, Input, Legible, Percent, Uf, Whole, example
from sispat.kernel.paging import Paged

__all__ = ["ENTITIES", "Agente", "Classe", "ListaDeCadastro", "Local", "Setor"]

_ENDERECO = lazy("Endereço")
_CODE = lazy("Use letras, algarismos, ponto e hífen, começando por letra ou algarismo; no máximo 20 caracteres.")
_MATRICULA = lazy("Use letras, algarismos, ponto e hífen; no máximo 20.")
_CONTA = lazy("Use de um a nove grupos de até três algarismos, separados por pontos, como 1.2.3.1.1.03.01.")
_SETOR = "f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419"  # of the demo city, for examples

Nome = Annotated[str, Field(min_length=1, max_length=120), Legible, Ui("Nome", "Até 120 caracteres.")]
Ativo = Annotated[bool, Ui("Em uso no cadastro", "O que não está em uso continua nos registros antigos.")]


class Setor(Input):
    """A unit of the city hall."""

    model_config = example(codigo="NOVO-1", nome="Setor novo")

    codigo: Annotated[
        str,
        Field(pattern=r"^[0-9A-Z][0-9A-Z.\-]{0,19}$", examples=["SEMED"]),
        Legible,
        As("code"),
        Ui("Código", "A sigla do setor, como SEMED.", width="curta", pattern_hint=_CODE),
    ]
    nome: Nome
    pai_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Setor superior", "A unidade de que este setor faz parte.", refers_to="setor"),
    ] = None
    ativo: Ativo = True


class Local(Input):
    """A room or place of one setor; it stays with that setor. The address is optional, and so is each part of it."""

    model_config = example(
        setor_id=_SETOR, nome="Sala 12", cep="01001-000", logradouro="Praça da Sé", cidade="São Paulo", uf="SP"
    )

    setor_id: Annotated[UUID, Ui("Setor", "Não muda depois.", refers_to="setor", fixed=True)]
    nome: Nome
    ativo: Ativo = True
    cep: Annotated[Cep, Ui("CEP", "Como 01001-000.", _ENDERECO, "curta", button="Buscar endereço pelo CEP")] = ""
    logradouro: Annotated[str, Field(max_length=200), Legible, Ui("Logradouro", section=_ENDERECO)] = ""
    numero: Annotated[str, Field(max_length=20), Legible, Ui("Número", section=_ENDERECO, width="curta")] = ""
    complemento: Annotated[str, Field(max_length=100), Legible, Ui("Complemento", section=_ENDERECO, width="media")] = (
        ""
    )
    bairro: Annotated[str, Field(max_length=200), Legible, Ui("Bairro", section=_ENDERECO, width="media")] = ""
    cidade: Annotated[str, Field(max_length=200), Legible, Ui("Cidade", section=_ENDERECO, width="media")] = ""
    uf: Annotated[Uf, Ui("UF", section=_ENDERECO, width="curta")] = ""


class Agente(Input):
    """A person who can answer for assets (Lei 4.320/64, art. 94)."""

    model_config = example(nome="Ana Lima", matricula="77123-4", cargo="Escriturária", setor_id=_SETOR)

    nome: Nome
    matricula: Annotated[
        str,
        Field(pattern=r"^[0-9A-Z.\-]{1,20}$", examples=["12345-6"]),
        Legible,
        As("code"),
        Ui("Matrícula", width="curta", pattern_hint=_MATRICULA),
    ]
    cargo: Annotated[str, Field(max_length=120), Legible, Ui("Cargo")] = ""
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    cpf: Annotated[Cpf | None, BlankIsNone, Ui("CPF", "Só é mostrado em parte.", width="media")] = None
    email: Annotated[
        EmailOrBlank, Ui("E-mail", "O da conta da pessoa no SISPAT: com ela assina os seus termos.", width="media")
    ] = ""
    ativo: Ativo = True


class Classe(Input):
    """An account of assets with its useful life."""

    model_config = example(
        conta="1.2.3.1.1.99.01", nome="Instrumentos musicais", vida_util_meses=120, residual_pct="10.00"
    )

    conta: Annotated[
        str,
        Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){0,8}$", examples=["1.2.3.1.1.03.01"]),
        Legible,
        Ui(
            "Conta contábil",
            "Como no plano de contas: 1.2.3.1.1.03.01.",
            width="media",
            pattern_hint=_CONTA,
        ),
    ]
    nome: Nome
    vida_util_meses: Annotated[
        int, Whole, Field(ge=1, le=1200), Ui("Vida útil (meses)", "De 1 a 1.200 meses.", width="curta")
    ]
    residual_pct: Annotated[
        Percent,
        Ui("Valor residual (%)", "De 0 a 100, como 10 ou 12,5.", width="curta"),
    ]
    depreciavel: Annotated[bool, Ui("Sofre depreciação", "Terrenos e bens culturais não sofrem.")] = True
    ativo: Ativo = True


class _Given(Shape):
    """What the service gives a row."""

    id: Annotated[UUID, Ui("Identificador")]
    versao: Annotated[int, Ui("Versão")]
    criado_em: Annotated[dt.datetime, Ui("Cadastrado em")]
    atualizado_em: Annotated[dt.datetime, Ui("Gravado em")]


ENTITIES = {
    "setor": Entity("setor", lazy("Setor"), (Setor,), _Given, "/setores"),
    "local": Entity("local", lazy("Local"), (Local,), _Given, "/locais", ("", _ENDERECO)),
    "agente": Entity("agente", lazy("Agente"), (Agente,), _Given, "/agentes"),
    "classe": Entity("classe", lazy("Classe"), (Classe,), _Given, "/classes"),
}


class ListaDeCadastro(Paged):
    """What the list of a register may be asked for."""

    q: Annotated[str, Field(max_length=100), Legible, Ui("Busca")] = ""
    setor: Annotated[UUID | None, BlankIsNone, Ui("Setor")] = None
    ativos: Annotated[bool, Ui("Só os que estão em uso")] = False
    cursor: Annotated[str, Field(max_length=1200), Legible, Ui("Página")] = ""
    limit: Annotated[int, Field(ge=1, le=2000), Ui("Limite")] = 1000
