"""What movements have: the tables that forms, API, documents, SQL, CSV and history are made from (kernel.fields)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from sispat.kernel import formats
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import BlankIsNone, CpfOrCnpj, Date, Input, Legible, Money, example
from sispat.kernel.situacoes import Situacao
from sispat.movimentacoes.inputs import Numeros
from sispat.movimentacoes.rules import (
    EstadoDaBaixa,
    EstadoDaManutencao,
    EstadoDaTransferencia,
    EstadoDoEmprestimo,
    MotivoDaBaixa,
    TipoDeManutencao,
)

__all__ = [
    "BAIXA", "EMPRESTIMO", "MANUTENCAO", "TRANSFERENCIA", "AceiteDeTransferencia", "CancelamentoDeTransferencia",
    "ConclusaoDeManutencao", "DevolucaoDeEmprestimo", "EstornoDeBaixa", "ItemDeTransferencia", "NovaBaixa", "NovaManutencao",
    "NovaTransferencia", "NovoEmprestimo", "ProrrogacaoDeEmprestimo", "RecusaDeTransferencia", "SaidaDeAgente",
]  # fmt: skip

# Examples name records of the demo city, whose ids are always the same.
_SETOR, _LOCAL = "f38b2ffc-80a4-4f5a-a1c9-bc701e7ea419", "66eebc57-8f4e-4b4f-a041-f5ee8bae8e66"
_AGENTE = "b7653cce-dfb1-4d4e-a699-d5ef454b78f8"

_NUMBERS = lazy("Os números das plaquetas, separados por vírgula, espaço ou linha; até 2.000.")
_ONLY = lazy("Em branco, todos os que ainda estão pendentes.")


class DadosDaTransferencia(Input):
    """Where assets are to go, and why."""

    destino_id: Annotated[
        UUID, Ui("Setor de destino", "O mesmo setor, quando só muda o responsável.", refers_to="setor")
    ]
    local_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Local de destino", "Em branco, quem aceita escolhe.", refers_to="local"),
    ] = None
    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Novo agente responsável", "Em branco, quem aceita escolhe.", refers_to="agente"),
    ] = None
    motivo: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Motivo", long=True)]


class NovaTransferencia(DadosDaTransferencia):
    """Assets by their numbers, or all that an agente has; one transfer comes of it for each setor they stand in."""

    model_config = example(
        numeros=[1, 2], destino_id=_SETOR, agente_id=_AGENTE, motivo="Mudança da sala de leitura para o prédio novo"
    )

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)] = ()
    carga_de: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Ou toda a carga do agente", "Todos os bens que estão com esta pessoa.", refers_to="agente"),
    ] = None

    @model_validator(mode="after")
    def _one_way_to_say_which(self) -> Self:
        if bool(self.numeros) == (self.carga_de is not None):
            raise InvalidData({"numeros": _("Informe os números dos bens ou o agente de toda a carga, e não ambos.")})
        return self


class CancelamentoDeTransferencia(Input):
    """Items that are not to be transferred after all."""

    model_config = example()

    numeros: Annotated[Numeros, Ui("Só estes bens", _ONLY)] = ()


class AceiteDeTransferencia(CancelamentoDeTransferencia):
    """Items that were received: where they stand now, and who answers for them."""

    model_config = example(local_id=_LOCAL, agente_id=_AGENTE)

    local_id: Annotated[UUID | None, BlankIsNone, Ui("Local", "Em branco, o que o pedido diz.", refers_to="local")] = (
        None
    )
    agente_id: Annotated[
        UUID | None, BlankIsNone, Ui("Agente responsável", "Em branco, o que o pedido diz.", refers_to="agente")
    ] = None


class RecusaDeTransferencia(CancelamentoDeTransferencia):
    """Items that are not accepted, and why."""

    model_config = example(observacao="Chegou com a tela quebrada")

    observacao: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Por que recusa", long=True)]


class _TransferenciaDada(Shape):
    """What the service gives a transfer."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaTransferencia, Ui("Estado")]
    origem_id: Annotated[UUID, Ui("Setor de origem", refers_to="setor")]
    bens: Annotated[int, Ui("Quantos bens")]
    pedida_por: Annotated[UUID, Ui("Pedida por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Pedida em")]
    decidida_em: Annotated[dt.datetime | None, Ui("Decidida em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


TRANSFERENCIA = Entity(
    name="transferencia",
    label=lazy("Transferência"),
    typed=(DadosDaTransferencia,),
    given=_TransferenciaDada,
    path="/transferencias",
    title="numero",
)


class ItemDeTransferencia(Shape):
    """One asset of a transfer; its table is not an entity of its own."""

    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    estado: Annotated[EstadoDaTransferencia, Ui("Estado")]
    local_id: Annotated[UUID, Ui("Estava em", refers_to="local")]
    agente_id: Annotated[UUID, Ui("Estava com", refers_to="agente")]
    decidida_por: Annotated[UUID | None, Ui("Decidida por", refers_to="usuario")]
    decidida_em: Annotated[dt.datetime | None, Ui("Decidida em")]
    observacao: Annotated[str, Ui("Observação")]


def _after(first: dt.date | None, second: dt.date | None, field: str) -> None:
    if first is not None and second is not None and second < first:
        raise InvalidData({field: _("A data deve ser igual ou posterior a %(date)s.", date=formats.date(first))})


class DadosDoEmprestimo(Input):
    """Who gets an asset for a while, and until when."""

    agente_id: Annotated[
        UUID | None,
        BlankIsNone,
        Ui("Quem fica com o bem", "Quando é alguém da prefeitura.", refers_to="agente"),
    ] = None
    tomador: Annotated[
        str,
        Field(max_length=120),
        Legible,
        Ui("Ou pessoa ou entidade de fora", "O nome, quando o bem sai da prefeitura."),
    ] = ""
    tomador_doc: Annotated[
        CpfOrCnpj | None,
        BlankIsNone,
        Ui("CPF ou CNPJ de quem é de fora", "O CPF só é mostrado em parte.", width="media"),
    ] = None
    contato: Annotated[str, Field(max_length=120), Legible, Ui("Contato", "Telefone ou e-mail.", width="media")] = ""
    saida: Annotated[Date, Ui("Emprestado em", width="curta")]
    previsao: Annotated[Date, Ui("Devolver até", width="curta")]
    finalidade: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Finalidade", long=True)]


class NovoEmprestimo(DadosDoEmprestimo):
    """Assets that are lent together; each is a loan of its own, and comes back by itself."""

    model_config = example(
        numeros=[4], tomador="Escola Estadual Rui Barbosa", saida="2026-03-02", previsao="2026-03-20",
        finalidade="Feira de ciências",
    )  # fmt: skip

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)]

    @model_validator(mode="after")
    def _to_somebody_for_a_while(self) -> Self:
        if (self.agente_id is not None) == bool(self.tomador):
            raise InvalidData(
                {"agente_id": _("Diga quem fica com o bem: alguém da prefeitura ou de fora, e não ambos.")}
            )
        _after(self.saida, self.previsao, "previsao")
        return self


class DevolucaoDeEmprestimo(Input):
    """An asset that came back."""

    model_config = example(devolvido_em="2026-03-18", observacao="Voltou com todos os cabos")

    devolvido_em: Annotated[Date, Ui("Devolvido em", width="curta")]
    observacao: Annotated[
        str, Field(max_length=500), Legible, Ui("Observação", "Em que estado voltou, o que faltou.", long=True)
    ] = ""


class ProrrogacaoDeEmprestimo(Input):
    """A later day, and why."""

    model_config = example(previsao="2027-03-20", motivo="A feira foi adiada")

    previsao: Annotated[Date, Ui("Devolver até", "O novo dia, depois do que estava marcado.", width="curta")]
    motivo: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Por que", long=True)]


class _Emprestimo(Shape):
    """What the service gives a loan, and what is typed when it ends."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDoEmprestimo, Ui("Estado")]
    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    devolvido_em: Annotated[dt.date | None, Ui("Devolvido em")]
    observacao: Annotated[str, Ui("Observação", long=True)]
    prorrogacoes: Annotated[int, Ui("Prorrogações")]
    prorrogacao: Annotated[str, Ui("Por que foi prorrogado", long=True)]
    prorrogado_por: Annotated[UUID | None, Ui("Prorrogado por", refers_to="usuario")]
    registrado_por: Annotated[UUID, Ui("Registrado por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrado em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


EMPRESTIMO = Entity(
    name="emprestimo",
    label=lazy("Empréstimo"),
    typed=(DadosDoEmprestimo,),
    given=_Emprestimo,
    path="/emprestimos",
    title="numero",
)


class DadosDaManutencao(Input):
    """What is to be done with an asset, by whom."""

    tipo: Annotated[TipoDeManutencao, Ui("Tipo")] = TipoDeManutencao.CORRETIVA
    problema: Annotated[str, Field(min_length=3, max_length=1000), Legible, Ui("O que precisa ser feito", long=True)]
    fornecedor: Annotated[str, Field(max_length=120), Legible, Ui("Oficina ou fornecedor")] = ""
    fornecedor_doc: Annotated[
        CpfOrCnpj | None, BlankIsNone, Ui("CPF ou CNPJ do fornecedor", "O CPF só é mostrado em parte.", width="media")
    ] = None
    em_garantia: Annotated[bool, Ui("Coberta pela garantia")] = False
    enviado_em: Annotated[Date, Ui("Enviado em", width="curta")]
    previsao: Annotated[Date | None, BlankIsNone, Ui("Deve voltar até", width="curta")] = None


class NovaManutencao(DadosDaManutencao):
    """Assets that are sent together; each is a maintenance of its own, with its own cost."""

    model_config = example(
        numeros=[5], problema="Não liga", fornecedor="Oficina Central", enviado_em="2026-03-02", previsao="2026-03-20"
    )

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)]

    @model_validator(mode="after")
    def _comes_back_later(self) -> Self:
        _after(self.enviado_em, self.previsao, "previsao")
        return self


class ConclusaoDeManutencao(Input):
    """What was done, and what it cost."""

    model_config = example(concluido_em="2026-03-18", custo="350.00", servico="Fonte trocada")

    concluido_em: Annotated[Date, Ui("Concluída em", width="curta")]
    custo: Annotated[Money, Ui("Custo", "Em reais; 0,00 quando nada custou.", width="curta")]
    servico: Annotated[str, Field(min_length=3, max_length=1000), Legible, Ui("O que foi feito", long=True)]
    servico_garantido_ate: Annotated[Date | None, BlankIsNone, Ui("Garantia do serviço até", width="curta")] = None


class _Manutencao(Shape):
    """What the service gives a maintenance, and what is typed when it ends."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaManutencao, Ui("Estado")]
    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    concluido_em: Annotated[dt.date | None, Ui("Concluída em")]
    custo: Annotated[Money | None, Ui("Custo")]
    servico: Annotated[str, Ui("O que foi feito", long=True)]
    servico_garantido_ate: Annotated[dt.date | None, Ui("Garantia do serviço até")]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


MANUTENCAO = Entity(
    name="manutencao",
    label=lazy("Manutenção"),
    typed=(DadosDaManutencao,),
    given=_Manutencao,
    path="/manutencoes",
    title="numero",
)


class DadosDaBaixa(Input):
    """Why an asset leaves the books, with what this motive asks for (rules.REQUIRED)."""

    motivo: Annotated[MotivoDaBaixa, Ui("Motivo")]
    data: Annotated[Date, Ui("Data da baixa", width="curta")]
    justificativa: Annotated[
        str,
        Field(min_length=10, max_length=2000),
        Legible,
        Ui("Justificativa", "O que aconteceu ou por que interessa à cidade, em pelo menos 10 letras.", long=True),
    ]
    processo: Annotated[
        str, Field(max_length=60), Legible, Ui("Processo administrativo", "O número.", width="media")
    ] = ""
    comissao_id: Annotated[
        UUID | None, BlankIsNone, Ui("Comissão", "A portaria e os membros vêm dela.", refers_to="comissao")
    ] = None
    portaria: Annotated[
        str, Field(max_length=60), Legible, Ui("Ou portaria da comissão", "O número e o ano.", width="media")
    ] = ""
    membros: Annotated[
        str,
        Field(max_length=1000),
        Legible,
        Ui("Membros da comissão", "Um por linha, quando a comissão não está cadastrada.", long=True),
    ] = ""
    valor_avaliado: Annotated[
        Money | None, BlankIsNone, Ui("Valor da avaliação", "De cada bem, em reais.", width="curta")
    ] = None
    laudo: Annotated[str, Field(max_length=60), Legible, Ui("Número do laudo", width="media")] = ""
    destinatario: Annotated[str, Field(max_length=120), Legible, Ui("Quem recebe o bem")] = ""
    destinatario_doc: Annotated[
        CpfOrCnpj | None, BlankIsNone, Ui("CPF ou CNPJ de quem recebe", "O CPF só é mostrado em parte.", width="media")
    ] = None
    boletim: Annotated[str, Field(max_length=60), Legible, Ui("Boletim de ocorrência", "O número.", width="media")] = ""
    data_ocorrencia: Annotated[Date | None, BlankIsNone, Ui("Quando aconteceu", width="curta")] = None


class NovaBaixa(DadosDaBaixa):
    """Assets that leave together, for one motive; each has a write-off of its own."""

    model_config = example(
        numeros=[6], motivo="furto_roubo", data="2026-03-02", justificativa="Sala arrombada no fim de semana",
        boletim="BO 4711/2026", data_ocorrencia="2026-03-01",
    )  # fmt: skip

    numeros: Annotated[Numeros, Ui("Números dos bens", _NUMBERS)]

    @model_validator(mode="after")
    def _happened_before(self) -> Self:
        if self.data_ocorrencia is not None and self.data_ocorrencia > self.data:
            raise InvalidData({"data_ocorrencia": _("Aconteceu antes da baixa, ou no mesmo dia: confira as datas.")})
        return self


class EstornoDeBaixa(Input):
    """Why a write-off is taken back."""

    model_config = example(estorno="O bem foi encontrado no depósito")

    estorno: Annotated[str, Field(min_length=10, max_length=2000), Legible, Ui("Por que a baixa é desfeita", long=True)]


class _Baixa(Shape):
    """What the service gives a write-off, and what is typed when it is taken back."""

    id: Annotated[UUID, Ui("Identificador", in_csv=False)]
    numero: Annotated[int, Ui("Número")]
    estado: Annotated[EstadoDaBaixa, Ui("Estado")]
    patrimonio_id: Annotated[UUID, Ui("Bem", refers_to="patrimonio")]
    setor_id: Annotated[UUID, Ui("Setor", refers_to="setor")]
    valor: Annotated[Money, Ui("Valor do bem")]
    situacao_anterior: Annotated[Situacao, Ui("Situação antes")]
    registrada_por: Annotated[UUID, Ui("Registrada por", refers_to="usuario")]
    criado_em: Annotated[dt.datetime, Ui("Registrada em")]
    estornada_em: Annotated[dt.datetime | None, Ui("Desfeita em")]
    estornada_por: Annotated[UUID | None, Ui("Desfeita por", refers_to="usuario")]
    estorno: Annotated[str, Ui("Por que foi desfeita", long=True)]
    versao: Annotated[int, Ui("Versão", in_csv=False)]


BAIXA = Entity(name="baixa", label=lazy("Baixa"), typed=(DadosDaBaixa,), given=_Baixa, path="/baixas", title="numero")


class SaidaDeAgente(Input):
    """Who takes over everything of a person who leaves."""

    model_config = example(sucessor_id=_AGENTE, motivo="Aposentadoria")

    sucessor_id: Annotated[UUID, Ui("Quem recebe tudo", refers_to="agente")]
    motivo: Annotated[str, Field(min_length=3, max_length=500), Legible, Ui("Motivo", long=True)]
    desativar: Annotated[bool, Ui("Tirar a pessoa do cadastro", "Ela não recebe mais bens; o histórico fica.")] = True
