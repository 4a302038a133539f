"""The books of a city computed from its audit alone: what was bought, revalued, written off, and its worth in each month.

It reads the table `evento` and nothing else, and knows the law's rule (NBC TSP 07: straight-line by whole months; that of the
availability for use counts, that of a write-off does not) and none of the service's code. It reads event by event, as an
auditor would: when a month is closed, it is computed from what was known then; what should have stood at the end of the month
before, less what was closed, is an adjustment; a month that is opened again is forgotten.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import psycopg

from esteio.postgres import Dsn

ZERO = Decimal("0.00")


def centavos(valor: Fraction | Decimal) -> Decimal:
    """Rounded half up."""
    fracao = Fraction(valor)
    return (Decimal(fracao.numerator) / Decimal(fracao.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def mes_de(dia: dt.date) -> int:
    return dia.year * 12 + dia.month - 1


@dataclass(frozen=True)
class Laudo:
    """A commission's report, of one asset: from its month on it is worth this, for so many months, down to `residual`."""

    dia: dt.date
    tipo: str
    liquido: Decimal
    meses: int
    residual: Decimal


class Saldo(NamedTuple):
    """What something is worth, or by how much that changed."""

    bruto: Decimal = ZERO
    acumulada: Decimal = ZERO
    perda: Decimal = ZERO

    @property
    def liquido(self) -> Decimal:
        return self.bruto - self.acumulada - self.perda

    def mais(self, outro: Saldo) -> Saldo:
        return Saldo(*(um + dois for um, dois in zip(self, outro, strict=True)))

    def menos(self, outro: Saldo) -> Saldo:
        return Saldo(*(um - dois for um, dois in zip(self, outro, strict=True)))


NADA = Saldo()


@dataclass
class Linha:
    """An asset in one month: what happened, by kind, and what it is worth at the end."""

    numero: int
    conta: str
    setor: str
    saldo: Saldo = NADA
    movimentos: dict[str, Saldo] = field(default_factory=dict)

    def mover(self, especie: str, saldo: Saldo) -> None:
        if any(saldo):
            self.movimentos[especie] = saldo
            self.saldo = self.saldo.mais(saldo)

    def movido(self, especie: str) -> Saldo:
        return self.movimentos.get(especie, NADA)


@dataclass
class Soma:
    """Lines, summed; `bens` are those that are there at the end of the month."""

    bens: int = 0
    saldo: Saldo = NADA
    movimentos: dict[str, Saldo] = field(default_factory=dict)

    def somar(self, linha: Linha) -> None:
        self.bens += "baixa" not in linha.movimentos
        self.saldo = self.saldo.mais(linha.saldo)
        for especie, saldo in linha.movimentos.items():
            self.movimentos[especie] = self.movido(especie).mais(saldo)

    def movido(self, especie: str) -> Saldo:
        return self.movimentos.get(especie, NADA)

    def tudo(self) -> Saldo:
        """All that moved."""
        tudo = NADA
        for saldo in self.movimentos.values():
            tudo = tudo.mais(saldo)
        return tudo


@dataclass
class Ficha:
    """What the audit tells of an asset."""

    dados: dict[str, Any]
    laudos: list[Laudo] = field(default_factory=list)
    baixada_em: dt.date | None = None

    def dia(self, nome: str) -> dt.date:
        return dt.date.fromisoformat(self.dados[nome])


class Livro:
    """The books, read from the audit."""

    def __init__(self, dsn: Dsn) -> None:
        self.setores: dict[str, dict[str, Any]] = {}
        self.classes: dict[str, dict[str, Any]] = {}
        self.bens: dict[str, Ficha] = {}
        self._baixas: dict[str, tuple[str, dt.date]] = {}
        self._laudos: dict[str, dict[str, Any]] = {}
        self._reavaliados: list[tuple[str, str, dict[str, Any]]] = []
        self._meses: dict[int, dict[str, Linha]] = {}
        """Closed months: what each says of each asset that is in the books in it."""
        self._fechamentos: dict[str, int] = {}
        with psycopg.connect(dsn.conninfo) as conn:
            eventos = conn.execute(
                "select entidade, entidade_id::text, acao, requisicao, depois::text from evento order by id"
            ).fetchall()
        for entidade, id_, acao, requisicao, texto in eventos:
            depois = json.loads(texto, parse_float=Decimal) if texto else {}
            getattr(self, f"_{entidade}", _nada)(id_, acao, requisicao, depois)

    def _setor(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        self.setores[id_] = self.setores.get(id_, {}) | depois

    def _classe(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        self.classes[id_] = self.classes.get(id_, {}) | depois

    def _patrimonio(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        if acao == "reavaliar":
            self._reavaliados.append((requisicao, id_, depois))
        elif id_ in self.bens:
            self.bens[id_].dados |= depois
        else:
            self.bens[id_] = Ficha(depois)

    def _reavaliacao(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        if acao == "registrar_laudo":
            self._laudos[requisicao] = depois

    def _fechamento(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        if acao == "fechar_mes":
            self._fechamentos[id_] = mes = mes_de(dt.date.fromisoformat(depois["competencia"]))
            self._meses[mes] = self._fechado(mes)
        elif acao == "reabrir_mes":
            assert self._fechamentos[id_] == max(self._meses), "only the last one is opened again"
            del self._meses[self._fechamentos[id_]]

    def _baixa(self, id_: str, acao: str, requisicao: str, depois: dict[str, Any]) -> None:
        if acao == "baixar":
            self._baixas[id_] = depois["patrimonio_id"], dt.date.fromisoformat(depois["data"])
        elif acao == "estornar_baixa":
            del self._baixas[id_]

    def linhas(self, dia: dt.date) -> dict[int, Linha]:
        """What the month of `dia` says of each asset that is in the books in it, by plate number."""
        linhas = {linha.numero: linha for linha in self._meses[mes_de(dia)].values()}
        return dict(sorted(linhas.items()))

    def somas(self, dia: dt.date) -> dict[str, Soma]:
        """The same, summed by account."""
        somas: dict[str, Soma] = defaultdict(Soma)
        for linha in self.linhas(dia).values():
            somas[linha.conta].somar(linha)
        return dict(sorted(somas.items()))

    def total(self, dia: dt.date) -> Soma:
        """The same of the whole city."""
        total = Soma()
        for linha in self.linhas(dia).values():
            total.somar(linha)
        return total

    def _fechado(self, mes: int) -> dict[str, Linha]:
        """A month by what is known now, beside what was closed of the month before."""
        for requisicao, id_, depois in self._reavaliados:
            laudo = self._laudos[requisicao]
            self.bens[id_].laudos.append(
                Laudo(dt.date.fromisoformat(laudo["data"]), laudo["tipo"], Decimal(depois["valor_liquido"]),
                      int(depois["vida_util_meses"]), Decimal(depois["residual"]))
            )  # fmt: skip
        self._reavaliados.clear()
        baixadas = dict(self._baixas.values())
        linhas = {}
        for id_, ficha in self.bens.items():
            ficha.baixada_em = baixadas.get(id_)
            sabidas = {quando: linha for quando, linha in self._sabidas(ficha, mes) if quando >= mes - 1}
            fechada = self._meses.get(mes - 1, {}).get(id_)
            if fechada is not None and "baixa" in fechada.movimentos:
                fechada = None
            if mes not in sabidas:
                assert fechada is None, "nothing is written off late in the year that is played"
                continue
            agora, antes = sabidas[mes], sabidas.get(mes - 1)
            linha = Linha(agora.numero, agora.conta, agora.setor, NADA if fechada is None else fechada.saldo)
            if antes is not None:
                if fechada is None:
                    linha.mover("incorporacao", Saldo(antes.saldo.bruto))
                linha.mover("ajuste", antes.saldo.menos(linha.saldo))
            for especie, saldo in agora.movimentos.items():
                linha.mover(especie, saldo)
            linhas[id_] = linha
        return linhas

    def _sabidas(self, ficha: Ficha, ate: int) -> Iterator[tuple[int, Linha]]:
        """From the month of its purchase to that of its write-off, or to this one, as if all had always been known."""
        dados, classe = ficha.dados, self.classes[ficha.dados["classe_id"]]
        base = Decimal(str(dados["valor"]))
        residual = centavos(base * Decimal(str(dados["residual_pct"] or classe["residual_pct"])) / 100)
        vida = int(dados["vida_util_meses"] or classe["vida_util_meses"])
        antes = ZERO  # what this plan had depreciated by the month before
        desde, mes = mes_de(ficha.dia("data_disponivel")), mes_de(ficha.dia("data_aquisicao"))
        saldo, entra = NADA, Saldo(base)
        while mes <= ate:
            linha = Linha(int(dados["numero"]), classe["conta"], self.setores[dados["setor_id"]]["codigo"], saldo)
            linha.mover("incorporacao", entra)
            if ficha.baixada_em is not None and mes_de(ficha.baixada_em) <= mes:
                linha.mover("baixa", NADA.menos(linha.saldo))
                yield mes, linha
                return
            for laudo in ficha.laudos:
                if mes_de(laudo.dia) == mes:
                    if laudo.tipo == "reavaliacao":
                        linha.mover("reavaliacao", Saldo(laudo.liquido).menos(linha.saldo))
                    else:  # a reduction keeps gross value and depreciation, a revision every balance
                        linha.mover(laudo.tipo, Saldo(perda=linha.saldo.liquido - laudo.liquido))
                    base, residual, vida, desde, antes = laudo.liquido, laudo.residual, laudo.meses, mes, ZERO
            passados = min(max(mes - desde + 1, 0), vida) if classe["depreciavel"] else 0
            agora = centavos(Fraction(base - residual) * passados / vida)
            linha.mover("depreciacao", Saldo(acumulada=agora - antes))
            yield mes, linha
            saldo, antes, entra, mes = linha.saldo, agora, NADA, mes + 1


def _nada(*_: Any) -> None:
    """What is no fact of the books."""
