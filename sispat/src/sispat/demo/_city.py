"""The demo city, as rows: the same seed and size give the same rows, ids included.

Promises: pure, no clock and no database; documents (CPF, CNPJ) have right check digits; an asset's local and agente
are of its setor; numbers are 1 to `size`, and grow with the date of purchase as in a real register. All persons and
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

from sispat.demo import _vocabulary as vocabulary
from sispat.kernel.brazil import valid_cnpj, valid_cpf

__all__ = ["COLUMNS", "City", "PatrimonioRow"]

BEGIN = date(2011, 10, 1)
END = date(2026, 9, 30)
CNPJ_WITH_LETTERS = date(2026, 7, 1)  # the day the first alphanumeric CNPJ could exist
AGENTES = 300
_FORNECEDORES = 120
_SETORES_DO_RESPONSAVEL = ("SEMED-EF", "SEMUS-AB")  # what the demo's responsavel answers for

COLUMNS = (
    "id", "numero", "descricao", "classe_id", "valor", "data_aquisicao", "data_disponivel", "conservacao", "situacao",
    "posse", "setor_id", "local_id", "agente_id", "marca", "modelo", "numero_serie", "fornecedor_doc", "nota_fiscal",
    "empenho", "licitacao", "fonte", "fonte_numero",
)  # fmt: skip
PatrimonioRow = tuple[str | int | None, ...]

# Cumulative shares of otimo, bom, regular, ruim, inservivel, by age: new, under 3 years, under 6, under 10, older.
_CONDITIONS = ("otimo", "bom", "regular", "ruim", "inservivel")
_BY_AGE = (
    (0.62, 0.98, 1.00, 1.00),
    (0.30, 0.88, 0.98, 0.995),
    (0.10, 0.68, 0.92, 0.98),
    (0.04, 0.46, 0.83, 0.95),
    (0.02, 0.28, 0.68, 0.88),
)
_OTHER_SITUACOES = (
    (0.020, "em_manutencao"), (0.038, "emprestado"), (0.045, "em_transferencia"), (0.058, "nao_localizado"),
)  # fmt: skip
# What pays for a purchase, in cumulative shares; of the rest nobody wrote it down.
_FONTES = ((0.62, "proprio"), (0.77, "convenio"), (0.85, "emenda"), (0.93, "fundo"), (1.0, "nao_informada"))
_FUNDOS = ("Fundeb", "Fundo Municipal de Saúde", "Fundo Municipal de Assistência Social")
_POSSES = ((0.955, "proprio"), (0.98, "cessao"), (1.0, "comodato"))
# Sizes of a purchase: one chair, or the chairs of a school.
_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40)
_SIZE_WEIGHTS = tuple(accumulate((36, 16, 9, 8, 6, 5, 5, 5, 3, 3, 2, 1, 1)))


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where things go: a setor with its locais, agentes and the shares of what it buys."""

    id: str
    locais: list[str]
    agentes: list[str]
    classes: list[tuple[str, vocabulary.Classe]]
    weights: list[int]


class _Purchase(NamedTuple):
    """What the assets of one purchase share, and how many they are."""

    quantity: int
    destination: _Destination
    descricao: str
    serie: bool
    classe_id: str
    valor: str
    aquisicao: date
    disponivel: date
    marca: str
    modelo: str
    fornecedor: str | None
    papers: tuple[str, str, str, str, str]
    posse: str


class City:
    """The registers are ready after construction; `patrimonios` makes the assets."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._rng = random.Random(seed)  # noqa: S311 - repeatable is the point
        self._fontes = random.Random(f"fontes {seed}")  # noqa: S311 - its own, so that all else stays as it was
        codes = {setor.code: self._id() for setor in vocabulary.SETORES}
        self.classes = [
            (self._id(), c.conta, c.nome, c.years * 12, c.residual, c.depreciavel) for c in vocabulary.CLASSES
        ]
        self.setores = [(codes[s.code], s.code, s.nome, s.parent and codes[s.parent]) for s in vocabulary.SETORES]
        self.locais = [(self._id(), codes[s.code], nome) for s in vocabulary.SETORES for nome in s.locais]
        self.agentes = list(self._agentes(codes))
        self.usuarios = [
            (self._id(), f"{papel}@demo.local", nome, role)
            for papel, nome, role in (
                ("admin", "Administração da demonstração", "administrador"),
                ("gestor", "Gestão de patrimônio da demonstração", "gestor"),
                ("responsavel", "Responsável por setores da demonstração", "responsavel"),
                ("consulta", "Controle interno da demonstração", "consulta"),
            )
        ]
        self.setores_do_responsavel = [(self.usuarios[2][0], codes[code]) for code in _SETORES_DO_RESPONSAVEL]
        self._fornecedores = [self._tax_number(n) for n in range(_FORNECEDORES)]
        self._new_suppliers = [self._cnpj("0123456789ABCDEFGHJKLMNPQRSTVWXYZ") for _ in range(8)]
        self._destinations = [self._destination(setor, codes) for setor in vocabulary.SETORES]
        self._weights = list(accumulate(setor.weight for setor in vocabulary.SETORES))

    def patrimonios(self) -> Iterator[PatrimonioRow]:
        """Rows of patrimonio as `COLUMNS` says, in the order of their numbers; to be walked once."""
        draw, numero = self._rng.random, 0
        while numero < self.size:
            purchase = self._purchase(numero)
            destination = purchase.destination
            age = bisect((0.4, 3, 6, 10), (END - purchase.disponivel).days / 365)
            shared = (str(purchase.aquisicao), str(purchase.disponivel))
            for _ in range(min(purchase.quantity, self.size - numero)):
                numero += 1
                situacao, conservacao = self._condition(age)
                yield (
                    self._id(), numero, purchase.descricao, purchase.classe_id, purchase.valor, *shared, conservacao, situacao,
                    purchase.posse, destination.id, destination.locais[int(draw() * len(destination.locais))],
                    destination.agentes[int(draw() ** 2 * len(destination.agentes))], purchase.marca, purchase.modelo,
                    f"{purchase.marca[:2].upper()}{self._rng.getrandbits(36):09X}" if purchase.serie else "",
                    purchase.fornecedor, *purchase.papers,
                )  # fmt: skip

    def _condition(self, age: int) -> tuple[str, str]:
        draw = self._rng.random
        if draw() < 0.005 + 0.05 * age:
            return "baixado", "inservivel" if draw() < 0.7 else "ruim"
        conservacao = _CONDITIONS[bisect(_BY_AGE[age], draw())]
        chance = draw()
        return next((situacao for threshold, situacao in _OTHER_SITUACOES if chance < threshold), "em_uso"), conservacao

    def _purchase(self, numero: int) -> _Purchase:
        draw, choose = self._rng.random, self._rng.choice
        destination = self._destinations[bisect(self._weights, draw() * self._weights[-1])]
        quantity = _SIZES[bisect(_SIZE_WEIGHTS, draw() * _SIZE_WEIGHTS[-1])]
        classe_id, classe = destination.classes[bisect(destination.weights, draw() * destination.weights[-1])]
        item = choose(classe.items)
        marca, modelos = choose(item.marcas)
        if item.lowest > 20_000:
            quantity = 1
        aquisicao = self._date(numero / self.size)
        disponivel = min(END, aquisicao + timedelta(days=int(draw() ** 2 * 60)))
        chance = draw()
        posse = next(posse for threshold, posse in _POSSES if chance < threshold)
        cents = (0, 0, 90, 99, 50, int(draw() * 100))[int(draw() * 6)]
        reais = int(item.lowest * (item.highest / item.lowest) ** draw())
        return _Purchase(
            quantity, destination, item.text.format(choose(item.variants)), classe.serie and bool(marca), classe_id,
            f"{reais}.{cents:02}", aquisicao, disponivel, marca, choose(modelos),
            self._fornecedor(aquisicao, posse), (*self._papers(aquisicao, posse), *self._fonte(aquisicao, posse)), posse,
        )  # fmt: skip

    def _date(self, fraction: float) -> date:
        days = (END - BEGIN).days
        day = int(fraction * days + self._rng.gauss(0, 25))
        return BEGIN + timedelta(days=min(max(day, 0), days))

    def _fornecedor(self, aquisicao: date, posse: str) -> str | None:
        if posse != "proprio":
            return None
        if aquisicao >= CNPJ_WITH_LETTERS and self._rng.random() < 0.3:
            return self._rng.choice(self._new_suppliers)
        return self._rng.choice(self._fornecedores)

    def _papers(self, aquisicao: date, posse: str) -> tuple[str, str, str]:
        """Invoice, commitment and tender of a purchase; nothing of these for what was lent to the city."""
        if posse != "proprio":
            return "", "", ""
        integer, year = self._rng.randint, aquisicao.year
        mode = "Dispensa" if self._rng.random() < 0.3 else "Pregão eletrônico"
        return str(integer(100, 99_999)), f"{year}NE{integer(1, 6000):06}", f"{mode} {integer(1, 180):03}/{year}"

    def _fonte(self, aquisicao: date, posse: str) -> tuple[str, str]:
        """What paid for it, and the number or name of that; what was lent to the city nobody paid for."""
        if posse != "proprio":
            return "nao_informada", ""
        chance = self._fontes.random()
        fonte = next(fonte for threshold, fonte in _FONTES if chance < threshold)
        number = {
            "convenio": f"{self._fontes.randint(1, 90):02}/{aquisicao.year}",
            "emenda": f"{aquisicao.year}{self._fontes.randint(1000, 9999)}", "fundo": self._fontes.choice(_FUNDOS),
        }  # fmt: skip
        return fonte, number.get(fonte, "")

    def _destination(self, setor: vocabulary.Setor, codes: dict[str, str]) -> _Destination:
        classes = [
            (row[0], classe) for row, classe in zip(self.classes, vocabulary.CLASSES, strict=True)
            if classe.key in setor.classes
        ]  # fmt: skip
        setor_id = codes[setor.code]
        return _Destination(
            setor_id,
            [id_ for id_, do_setor, _ in self.locais if do_setor == setor_id],
            [row[0] for row in self.agentes if row[4] == setor_id],
            classes,
            list(accumulate(setor.classes[classe.key] for _, classe in classes)),
        )

    def _agentes(self, codes: dict[str, str]) -> Iterator[tuple[str, str, str, str, str, str | None]]:
        """Four for each setor, the rest where most things are: id, nome, matricula, cargo, setor, cpf."""
        weights = [setor.weight for setor in vocabulary.SETORES]
        posts = [setor.code for setor in vocabulary.SETORES for _ in range(4)]
        posts += self._rng.choices([s.code for s in vocabulary.SETORES], weights, k=AGENTES - len(posts))
        choose, cpfs = self._rng.choice, set[str]()
        for n, code in enumerate(posts):
            nome = f"{choose(vocabulary.FIRST_NAMES)} {choose(vocabulary.LAST_NAMES)} {choose(vocabulary.LAST_NAMES)}"
            cpf = self._cpf() if self._rng.random() < 0.6 else None
            if cpf in cpfs:
                cpf = None
            if cpf:
                cpfs.add(cpf)
            yield self._id(), nome, f"{10_000 + n * 7}", choose(vocabulary.JOB_TITLES), codes[code], cpf

    def _tax_number(self, n: int) -> str:
        return self._cpf() if n % 12 == 0 else self._cnpj("0123456789")

    def _cpf(self) -> str:
        return _with_check_digits(f"{self._rng.randrange(10**9):09}", valid_cpf)

    def _cnpj(self, alphabet: str) -> str:
        return _with_check_digits("".join(self._rng.choices(alphabet, k=8)) + "0001", valid_cnpj)

    def _id(self) -> str:
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _with_check_digits(root: str, valid: Callable[[str], bool]) -> str:
    """`root` with the two check digits that make it valid."""
    return next(f"{root}{digits:02}" for digits in range(100) if valid(f"{root}{digits:02}"))
