"""What a city hall must have by now, kept by hand beside it: changed by what people did in the browser, and by nothing else.

It knows the rules only as a clerk does (what is lent is away, what was refused stays), and none of the service's code.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

SITUACOES = ("em_uso", "em_manutencao", "emprestado", "em_transferencia", "nao_localizado", "baixado")


@dataclass
class Bem:
    numero: int
    descricao: str
    classe: str
    valor: Decimal
    aquisicao: dt.date
    setor: str
    local: str
    agente: str
    garantia: dt.date | None = None
    situacao: str = "em_uso"

    @property
    def plaqueta(self) -> str:
        return f"{self.numero:06}"


@dataclass
class Registro:
    """A row of a list of movements: what its export must say, by column."""

    tipo: str
    bens: list[int]
    colunas: dict[str, Any]


@dataclass
class Termo:
    titulo: str
    bens: list[int]
    valor: Decimal
    faltam: set[str]
    """Who is to sign it on the screen, and has not."""
    estado: str = "Vigente"


@dataclass
class Modelo:
    bens: dict[int, Bem] = field(default_factory=dict)
    registros: list[Registro] = field(default_factory=list)
    termos: list[Termo] = field(default_factory=list)
    auditoria: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each thing was done to each kind of record: (verb, entity)."""

    def importar(self, bens: Iterable[Bem]) -> None:
        for bem in bens:
            self.bens[bem.numero] = bem
            self.anotar("importar", "patrimonio")

    def anotar(self, verbo: str, entidade: str, vezes: int = 1) -> None:
        self.auditoria[verbo, entidade] += vezes

    def mudar(self, verbo: str, numeros: Iterable[int], **novo: Any) -> None:
        """Change assets; each has a record of it in the audit."""
        for numero in numeros:
            self.bens[numero] = replace(self.bens[numero], **novo)
            self.anotar(verbo, "patrimonio")

    def abrir(
        self, tipo: str, entidade: str, verbo: str, numeros: list[int], situacao: str, **colunas: Any
    ) -> Registro:
        """Assets leave, all by one record; of loans, maintenance and write-offs there is one for each asset."""
        self.mudar(verbo, numeros, situacao=situacao)
        self.anotar(verbo, entidade)
        registro = Registro(tipo, list(numeros), colunas)
        self.registros.append(registro)
        return registro

    def fechar(self, registro: Registro, entidade: str, verbo: str, colunas: dict[str, Any], **novo: Any) -> None:
        """The record says so, and its assets become `novo`."""
        registro.colunas |= colunas
        self.anotar(verbo, entidade)
        self.mudar(verbo, registro.bens, **novo)

    def emitir(self, titulo: str, bens: list[int], valor: Decimal, assinam: set[str]) -> Termo:
        self.anotar("emitir_termo", "termo")
        self.termos.append(Termo(titulo, bens, valor, set(assinam)))
        return self.termos[-1]

    def substituir(self, titulo: str) -> None:
        self.anotar("substituir_termo", "termo")
        next(termo for termo in self.termos if termo.titulo == titulo).estado = "Substituído"

    def assinar(self, termo: Termo, quem: str) -> None:
        self.anotar("assinar_termo", "termo")
        termo.faltam.remove(quem)

    def a_assinar(self, quem: str) -> list[Termo]:
        """Newest first."""
        return [termo for termo in reversed(self.termos) if termo.estado == "Vigente" and quem in termo.faltam]

    def de(self, tipo: str) -> list[Registro]:
        """Newest first, as lists are."""
        return [each for each in reversed(self.registros) if each.tipo == tipo]

    def em(self, setores: set[str] | None = None, agente: str | None = None) -> list[Bem]:
        """What somebody reaches, or what a person answers for; by number."""
        return [
            bem
            for _, bem in sorted(self.bens.items())
            if (setores is None or bem.setor in setores) and (agente is None or bem.agente == agente)
        ]


def contagens(bens: Iterable[Bem]) -> dict[str, tuple[int, Decimal]]:
    """How many are in each state, and their worth."""
    lista = list(bens)
    return {
        situacao: (len(nela := [bem for bem in lista if bem.situacao == situacao]), soma(nela))
        for situacao in SITUACOES
    }


def soma(bens: Iterable[Bem]) -> Decimal:
    return sum((bem.valor for bem in bens), Decimal("0.00"))


def reais(valor: Decimal) -> str:
    """As people read it."""
    return f"{valor:,.2f}".translate(str.maketrans(",.", ".,"))


def celula(valor: Any) -> str:
    """As a CSV has it."""
    return str(valor).replace(".", ",") if isinstance(valor, Decimal) else "" if valor is None else str(valor)
