"""What the accountant's reports of a year must say: their lines as CSV has them, from the model of what there is and the books
that were computed from the audit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from contas_da_auditoria import Linha, Livro, Saldo, Soma
from modelo_do_ano import Bem, Modelo, celula
from primeiro_semestre import CLASSES, SETORES

Linhas = list[dict[str, str]]
NOMES = {conta: nome for nome, (conta, _) in CLASSES.items()}


def saldos(saldo: Saldo) -> dict[str, str]:
    return {
        "bruto": celula(saldo.bruto), "acumulada": celula(saldo.acumulada), "perda": celula(saldo.perda),
        "liquido": celula(saldo.liquido),
    }  # fmt: skip


def balancete(livro: Livro, dia: dt.date) -> Linhas:
    """Of a month: all columns but the last are net, with their signs."""
    return [
        {
            "conta": conta, "nome": NOMES[conta], "bens": str(soma.bens),
            "anterior": celula(soma.saldo.menos(soma.tudo()).liquido),
            "entradas": celula(soma.movido("incorporacao").liquido), "baixas": celula(soma.movido("baixa").liquido),
            "reavaliacoes": celula(valorados(soma)), "ajustes": celula(soma.movido("ajuste").liquido),
            "depreciacao": celula(soma.movido("depreciacao").liquido), **saldos(soma.saldo),
        }
        for conta, soma in livro.somas(dia).items()
    ]  # fmt: skip


def valorados(linha: Linha | Soma) -> Decimal:
    """By how much reports of commissions changed the net value."""
    return sum((linha.movido(tipo).liquido for tipo in ("reavaliacao", "reducao", "revisao")), Decimal("0.00"))


def movimento(livro: Livro, modelo: Modelo, dia: dt.date) -> Linhas:
    """All but the depreciation, by account, kind and asset."""
    achados = [
        (linha, especie, saldo)
        for linha in livro.linhas(dia).values()
        for especie, saldo in linha.movimentos.items()
        if especie != "depreciacao"
    ]
    return [
        {"grupo": linha.conta, "conta": linha.conta, "especie": especie, **do_bem(linha, modelo), **saldos(saldo)}
        for linha, especie, saldo in sorted(achados, key=lambda achado: (achado[0].conta, achado[1], achado[0].numero))
    ]


def depreciacao(livro: Livro, modelo: Modelo, dia: dt.date) -> Linhas:
    """What the month took of each asset, by account."""
    achadas = [
        linha
        for linha in livro.linhas(dia).values()
        if "depreciacao" in linha.movimentos or linha.movido("ajuste").acumulada
    ]
    return [
        {
            "grupo": linha.conta, **do_bem(linha, modelo), "ajuste": celula(linha.movido("ajuste").acumulada),
            "depreciacao": celula(linha.movido("depreciacao").acumulada), **saldos(linha.saldo),
        }
        for linha in sorted(achadas, key=lambda linha: (linha.conta, linha.numero))
    ]  # fmt: skip


def do_bem(linha: Linha, modelo: Modelo) -> dict[str, str]:
    return {"numero": f"{linha.numero:06}", "descricao": modelo.bens[linha.numero].descricao, "setor": linha.setor}


def analitico(livro: Livro, bens: Iterable[Bem], dia: dt.date) -> Linhas:
    """What there is, by plate number, and what it was worth at the end of `dia`'s month."""
    linhas = livro.linhas(dia)
    return [
        {
            "numero": bem.plaqueta, "descricao": bem.descricao, "conta": CLASSES[bem.classe][0], "classe": bem.classe,
            "setor": bem.setor, "nome_do_setor": SETORES[bem.setor], "local": bem.local, "agente": bem.agente,
            "data_aquisicao": celula(bem.aquisicao), "garantia_ate": celula(bem.garantia), "situacao": bem.situacao,
            "valor": celula(bem.valor), "valor_liquido": celula(linhas[bem.numero].saldo.liquido),
        }
        for bem in bens if bem.situacao != "baixado"
    ]  # fmt: skip


def sintetico(livro: Livro, bens: Iterable[Bem], dia: dt.date, por: str) -> Linhas:
    """The same by account or setor."""
    linhas, grupos = livro.linhas(dia), dict[str, list[Bem]]()
    for bem in bens:
        if bem.situacao != "baixado":
            conta = CLASSES[bem.classe][0]
            grupo = f"{conta} · {bem.classe}" if por == "conta" else f"{bem.setor} · {SETORES[bem.setor]}"
            grupos.setdefault(grupo, []).append(bem)
    return [
        {
            "grupo": grupo, "bens": str(len(nele)), "valor": celula(sum((bem.valor for bem in nele), Decimal(0))),
            "valor_liquido": celula(sum((linhas[bem.numero].saldo.liquido for bem in nele), Decimal(0))),
            "de_terceiros": "0", "valor_de_terceiros": "0,00",
        }
        for grupo, nele in sorted(grupos.items())
    ]  # fmt: skip


def ficha(livro: Livro, numero: int, dias: Iterable[dt.date]) -> Linhas:
    """Each movement of an asset in these months, by kind and component."""
    return [
        {
            "competencia": celula(dia), "conta": linha.conta, "especie": especie, "componente": componente,
            "valor": celula(valor),
        }
        for dia in dias for linha in [livro.linhas(dia)[numero]]
        for especie, saldo in sorted(linha.movimentos.items())
        for componente, valor in sorted(saldo._asdict().items()) if valor
    ]  # fmt: skip


def conciliacao(livro: Livro, dia: dt.date) -> Linhas:
    """What both books say of a month in which they are the same."""
    return [
        {
            "conta": conta, "nome": NOMES[conta], "bruto": celula(soma.saldo.bruto),
            "contabil_bruto": celula(soma.saldo.bruto), "diferenca_bruto": "0,00",
            "acumulada": celula(soma.saldo.acumulada + soma.saldo.perda),
            "contabil_acumulada": celula(soma.saldo.acumulada + soma.saldo.perda), "diferenca_acumulada": "0,00",
        }
        for conta, soma in livro.somas(dia).items()
    ]  # fmt: skip
