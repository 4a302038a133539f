"""The demo city, as rows: the same seed and size give the same rows, ids included.

Promises: pure, no clock and no database; documents (CPF, CNPJ) have right check digits; an asset's local and agente
are of its setor; numbers are 1 to `tamanho`, and grow with the date of purchase as in a real register. All persons and
companies are invented.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from sispat.demo import _vocabulario as vocabulario
from sispat.kernel.brazil import valid_cnpj, valid_cpf

__all__ = ["COLUNAS", "Cidade", "LinhaDePatrimonio"]

INICIO = date(2011, 10, 1)
FIM = date(2026, 9, 30)
CNPJ_COM_LETRAS = date(2026, 7, 1)  # the day the first alphanumeric CNPJ could exist
AGENTES = 300
_FORNECEDORES = 120
_SETORES_DO_RESPONSAVEL = ("SEMED-EF", "SEMUS-AB")  # what the demo's responsavel answers for

COLUNAS = (
    "id", "numero", "descricao", "classe_id", "valor", "data_aquisicao", "data_disponivel", "conservacao", "situacao",
    "posse", "setor_id", "local_id", "agente_id", "marca", "modelo", "numero_serie", "fornecedor_doc", "nota_fiscal",
    "empenho", "licitacao",
)  # fmt: skip
LinhaDePatrimonio = tuple[str | int | None, ...]

# Cumulative shares of otimo, bom, regular, ruim, inservivel, by age: new, under 3 years, under 6, under 10, older.
_ESTADOS = ("otimo", "bom", "regular", "ruim", "inservivel")
_POR_IDADE = (
    (0.62, 0.98, 1.00, 1.00),
    (0.30, 0.88, 0.98, 0.995),
    (0.10, 0.68, 0.92, 0.98),
    (0.04, 0.46, 0.83, 0.95),
    (0.02, 0.28, 0.68, 0.88),
)
_OUTRAS_SITUACOES = (
    (0.020, "em_manutencao"), (0.038, "emprestado"), (0.045, "em_transferencia"), (0.058, "nao_localizado"),
)  # fmt: skip
_POSSES = ((0.955, "proprio"), (0.98, "cessao"), (1.0, "comodato"))
# Sizes of a purchase: one chair, or the chairs of a school.
_TAMANHOS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40)
_TAMANHOS_PESOS = tuple(accumulate((36, 16, 9, 8, 6, 5, 5, 5, 3, 3, 2, 1, 1)))


@dataclass(frozen=True, slots=True)
class _Destino:
    """Where things go: a setor with its locais, agentes and the shares of what it buys."""

    id: str
    locais: list[str]
    agentes: list[str]
    classes: list[tuple[str, vocabulario.Classe]]
    pesos: list[int]


class _Compra(NamedTuple):
    """What the assets of one purchase share, and how many they are."""

    quantidade: int
    destino: _Destino
    descricao: str
    serie: bool
    classe_id: str
    valor: str
    aquisicao: date
    disponivel: date
    marca: str
    modelo: str
    fornecedor: str | None
    papeis: tuple[str, str, str]
    posse: str


class Cidade:
    """The registers are ready after construction; `patrimonios` makes the assets."""

    def __init__(self, tamanho: int, semente: int) -> None:
        self.tamanho = tamanho
        self._rng = random.Random(semente)  # noqa: S311 - repeatable is the point
        codigos = {setor.codigo: self._id() for setor in vocabulario.SETORES}
        self.classes = [
            (self._id(), c.conta, c.nome, c.anos * 12, c.residual, c.depreciavel) for c in vocabulario.CLASSES
        ]
        self.setores = [(codigos[s.codigo], s.codigo, s.nome, s.pai and codigos[s.pai]) for s in vocabulario.SETORES]
        self.locais = [(self._id(), codigos[s.codigo], nome) for s in vocabulario.SETORES for nome in s.locais]
        self.agentes = list(self._agentes(codigos))
        self.usuarios = [
            (self._id(), f"{papel}@demo.local", nome, papel_do_usuario)
            for papel, nome, papel_do_usuario in (
                ("admin", "Administração da demonstração", "administrador"),
                ("gestor", "Gestão de patrimônio da demonstração", "gestor"),
                ("responsavel", "Responsável por setores da demonstração", "responsavel"),
                ("consulta", "Controle interno da demonstração", "consulta"),
            )
        ]
        self.setores_do_responsavel = [(self.usuarios[2][0], codigos[codigo]) for codigo in _SETORES_DO_RESPONSAVEL]
        self._fornecedores = [self._documento(n) for n in range(_FORNECEDORES)]
        self._novos = [self._cnpj("0123456789ABCDEFGHJKLMNPQRSTVWXYZ") for _ in range(8)]
        self._destinos = [self._destino(setor, codigos) for setor in vocabulario.SETORES]
        self._pesos = list(accumulate(setor.peso for setor in vocabulario.SETORES))

    def patrimonios(self) -> Iterator[LinhaDePatrimonio]:
        """Rows of patrimonio as `COLUNAS` says, in the order of their numbers; to be walked once."""
        sorteio, numero = self._rng.random, 0
        while numero < self.tamanho:
            compra = self._compra(numero)
            destino = compra.destino
            faixa = bisect((0.4, 3, 6, 10), (FIM - compra.disponivel).days / 365)
            comum = (str(compra.aquisicao), str(compra.disponivel))
            for _ in range(min(compra.quantidade, self.tamanho - numero)):
                numero += 1
                situacao, conservacao = self._estado(faixa)
                yield (
                    self._id(), numero, compra.descricao, compra.classe_id, compra.valor, *comum, conservacao, situacao,
                    compra.posse, destino.id, destino.locais[int(sorteio() * len(destino.locais))],
                    destino.agentes[int(sorteio() ** 2 * len(destino.agentes))], compra.marca, compra.modelo,
                    f"{compra.marca[:2].upper()}{self._rng.getrandbits(36):09X}" if compra.serie else "",
                    compra.fornecedor, *compra.papeis,
                )  # fmt: skip

    def _estado(self, faixa: int) -> tuple[str, str]:
        sorteio = self._rng.random
        if sorteio() < 0.005 + 0.05 * faixa:
            return "baixado", "inservivel" if sorteio() < 0.7 else "ruim"
        conservacao = _ESTADOS[bisect(_POR_IDADE[faixa], sorteio())]
        acaso = sorteio()
        return next((situacao for limite, situacao in _OUTRAS_SITUACOES if acaso < limite), "em_uso"), conservacao

    def _compra(self, numero: int) -> _Compra:
        sorteio, escolher = self._rng.random, self._rng.choice
        destino = self._destinos[bisect(self._pesos, sorteio() * self._pesos[-1])]
        quantidade = _TAMANHOS[bisect(_TAMANHOS_PESOS, sorteio() * _TAMANHOS_PESOS[-1])]
        classe_id, classe = destino.classes[bisect(destino.pesos, sorteio() * destino.pesos[-1])]
        item = escolher(classe.itens)
        marca, modelos = escolher(item.marcas)
        if item.minimo > 20_000:
            quantidade = 1
        aquisicao = self._data(numero / self.tamanho)
        disponivel = min(FIM, aquisicao + timedelta(days=int(sorteio() ** 2 * 60)))
        acaso = sorteio()
        posse = next(posse for limite, posse in _POSSES if acaso < limite)
        centavos = (0, 0, 90, 99, 50, int(sorteio() * 100))[int(sorteio() * 6)]
        reais = int(item.minimo * (item.maximo / item.minimo) ** sorteio())
        return _Compra(
            quantidade, destino, item.texto.format(escolher(item.variantes)), classe.serie and bool(marca), classe_id,
            f"{reais}.{centavos:02}", aquisicao, disponivel, marca, escolher(modelos),
            self._fornecedor(aquisicao, posse), self._papeis(aquisicao, posse), posse,
        )  # fmt: skip

    def _data(self, fracao: float) -> date:
        dias = (FIM - INICIO).days
        dia = int(fracao * dias + self._rng.gauss(0, 25))
        return INICIO + timedelta(days=min(max(dia, 0), dias))

    def _fornecedor(self, aquisicao: date, posse: str) -> str | None:
        if posse != "proprio":
            return None
        if aquisicao >= CNPJ_COM_LETRAS and self._rng.random() < 0.3:
            return self._rng.choice(self._novos)
        return self._rng.choice(self._fornecedores)

    def _papeis(self, aquisicao: date, posse: str) -> tuple[str, str, str]:
        """Invoice, commitment and tender of a purchase; nothing of these for what was lent to the city."""
        if posse != "proprio":
            return "", "", ""
        inteiro, ano = self._rng.randint, aquisicao.year
        modo = "Dispensa" if self._rng.random() < 0.3 else "Pregão eletrônico"
        return str(inteiro(100, 99_999)), f"{ano}NE{inteiro(1, 6000):06}", f"{modo} {inteiro(1, 180):03}/{ano}"

    def _destino(self, setor: vocabulario.Setor, codigos: dict[str, str]) -> _Destino:
        classes = [
            (linha[0], classe) for linha, classe in zip(self.classes, vocabulario.CLASSES, strict=True)
            if classe.chave in setor.classes
        ]  # fmt: skip
        setor_id = codigos[setor.codigo]
        return _Destino(
            setor_id,
            [id_ for id_, do_setor, _ in self.locais if do_setor == setor_id],
            [linha[0] for linha in self.agentes if linha[4] == setor_id],
            classes,
            list(accumulate(setor.classes[classe.chave] for _, classe in classes)),
        )

    def _agentes(self, codigos: dict[str, str]) -> Iterator[tuple[str, str, str, str, str, str | None]]:
        """Four for each setor, the rest where most things are: id, nome, matricula, cargo, setor, cpf."""
        pesos = [setor.peso for setor in vocabulario.SETORES]
        postos = [setor.codigo for setor in vocabulario.SETORES for _ in range(4)]
        postos += self._rng.choices([s.codigo for s in vocabulario.SETORES], pesos, k=AGENTES - len(postos))
        escolher, cpfs = self._rng.choice, set[str]()
        for n, codigo in enumerate(postos):
            nome = (
                f"{escolher(vocabulario.NOMES)} {escolher(vocabulario.SOBRENOMES)} {escolher(vocabulario.SOBRENOMES)}"
            )
            cpf = self._cpf() if self._rng.random() < 0.6 else None
            if cpf in cpfs:
                cpf = None
            if cpf:
                cpfs.add(cpf)
            yield self._id(), nome, f"{10_000 + n * 7}", escolher(vocabulario.CARGOS), codigos[codigo], cpf

    def _documento(self, n: int) -> str:
        return self._cpf() if n % 12 == 0 else self._cnpj("0123456789")

    def _cpf(self) -> str:
        return _com_digitos(f"{self._rng.randrange(10**9):09}", valid_cpf)

    def _cnpj(self, alfabeto: str) -> str:
        return _com_digitos("".join(self._rng.choices(alfabeto, k=8)) + "0001", valid_cnpj)

    def _id(self) -> str:
        texto = f"{self._rng.getrandbits(128):032x}"
        return f"{texto[:8]}-{texto[8:12]}-4{texto[13:16]}-a{texto[17:20]}-{texto[20:]}"


def _com_digitos(raiz: str, valido: Callable[[str], bool]) -> str:
    """`raiz` with the two check digits that make it valid."""
    return next(f"{raiz}{digitos:02}" for digitos in range(100) if valido(f"{raiz}{digitos:02}"))
