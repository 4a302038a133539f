"""A year of a city hall, played by five people in a real browser: in its middle and at its end every figure is what their
doings add up to.

The steps are in primeiro_semestre.py and segundo_semestre.py. What must come of them is counted apart from the service: what
there is, where and in which state in modelo_do_ano.py, beside the browser; what it is worth, month by month and account by
account, in contas_da_auditoria.py, from the audit alone. The second half is played in the city of the first: the tests of the
first half stand first in this file, and look at it before the second is played.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import primeiro_semestre
import pypdfium2
import pytest
import relatorios_do_ano
import segundo_semestre
from cidade_do_ano import Ano, abrir_pdf, comecar, exportado, linhas_csv
from contas_da_auditoria import Livro
from modelo_do_ano import Bem, celula, contagens, reais, soma
from primeiro_semestre import CLASSES, CONTAS, SETORES
from relatorios_do_ano import saldos

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
]  # what is played before the first takes a minute on a machine at rest

TIPOS = ("transferencias", "emprestimos", "manutencoes", "localizacoes", "baixas")
NAO_SAO_DO_ANO = {
    "sessao",
    "usuario",
    "chave",
    "demo",
}  # who signed in and what they took out is no figure of a half-year


@pytest.fixture(scope="module")
def ano(postgres_server, modelo, chromium, tmp_path_factory) -> Iterator[Ano]:
    """The city after its first half-year."""
    dsn = postgres_server.create_database("meio_ano", template=modelo)
    try:
        with comecar(dsn, chromium, tmp_path_factory.mktemp("meio-ano")) as ano:
            for passo in primeiro_semestre.PASSOS:
                passo(ano)
            yield ano
    finally:
        postgres_server.drop_database("meio_ano")


@pytest.fixture(scope="module")
def encerrado(ano: Ano) -> Ano:
    """The same city after the year."""
    for passo in segundo_semestre.PASSOS:
        passo(ano)
    return ano


@pytest.fixture(scope="module")
def livro(encerrado: Ano) -> Livro:
    """Its books, computed from the audit."""
    return Livro(encerrado.dsn)


def alcance(quem: str) -> set[str] | None:
    setores = CONTAS[quem][2]
    return {setores} if setores else None


def titulos(pagina: Any) -> list[str]:
    return [texto.replace("\n", " ") for texto in pagina.locator(".esperas h3").all_inner_texts()]


@pytest.mark.parametrize("quem", CONTAS)
def test_the_first_page_counts_what_the_half_year_left_and_what_waits_for_each(ano: Ano, quem: str) -> None:
    pagina, bens = ano[quem], ano.modelo.em(alcance(quem))
    pagina.goto("/")
    vivos = [bem for bem in bens if bem.situacao != "baixado"]
    principal = pagina.locator("main").inner_text()
    assert f"Há {len(vivos)} bens" in principal
    assert f"no valor de R$ {reais(soma(vivos))}." in principal
    for situacao, (quantos, valor) in contagens(bens).items():
        cartao = pagina.locator(f".contagem.{situacao}")
        assert cartao.locator("strong").inner_text() == str(quantos), situacao
        assert cartao.locator("small").inner_text() == f"R$ {reais(valor)}", situacao
    assert barras(pagina) == valores(vivos)
    assert titulos(pagina) == esperam(ano, quem)
    ultimos = [f"{numero:06}" for numero in sorted((bem.numero for bem in bens), reverse=True)[:5]]
    assert pagina.locator("tbody .plaqueta").all_inner_texts() == ultimos


def barras(pagina: Any) -> list[str]:
    """The lines of the charts: by setor, then by classe."""
    return [" ".join(linha.split()) for linha in pagina.locator(".barras li").all_inner_texts()]


def valores(vivos: list[Bem]) -> list[str]:
    """What the charts show of them: where there is more than one setor or classe, each with its value, the highest first."""
    achados = []
    for nome_de in (lambda bem: SETORES[bem.setor], lambda bem: bem.classe):
        partes = {nome: soma([bem for bem in vivos if nome_de(bem) == nome]) for nome in map(nome_de, vivos)}
        ordem = sorted(partes.items(), key=lambda parte: (-parte[1], parte[0]))
        achados += [f"{nome} R$ {reais(valor)}" for nome, valor in ordem if len(partes) > 1]
    return achados


def esperam(ano: Ano, quem: str) -> list[str]:
    """What the first page says that waits for somebody."""
    modelo, setores, achados = ano.modelo, alcance(quem), list[str]()
    decide = quem == "ana" or setores == {"SEMUS"}
    pendentes = [each for each in modelo.de("transferencias") if each.colunas["estado"] == "pendente"]
    if decide and pendentes:
        achados.append(f"{len(pendentes)} transferência a aceitar ou recusar")
    if termos := len(modelo.a_assinar(quem)):
        achados.append(f"{termos} {'termo' if termos == 1 else 'termos'} a assinar")
    if garantias := sum(ainda_garantido(ano, bem) for bem in modelo.em(setores)):
        achados.append(f"{garantias} {'garantia termina' if garantias == 1 else 'garantias terminam'} em 30 dias")
    return achados


def ainda_garantido(ano: Ano, bem: Bem) -> bool:
    return bem.garantia is not None and 0 <= (bem.garantia - ano.hoje).days <= 30 and bem.situacao != "baixado"


@pytest.mark.parametrize("formato", ["CSV", "XLSX"])
@pytest.mark.parametrize("quem", ["ana", "bruno"])
def test_what_the_list_of_assets_exports_is_what_people_made_of_them(ano: Ano, quem: str, formato: str) -> None:
    pagina, bens = ano[quem], ano.modelo.em(alcance(quem))
    pagina.goto("/patrimonios")
    assert pagina.locator(".total").inner_text() == f"{len(bens)} bens"
    linhas = exportado(pagina, formato)
    esperadas = [
        {
            "numero": bem.plaqueta, "descricao": bem.descricao, "classe": bem.classe, "valor": celula(bem.valor),
            "data_aquisicao": celula(bem.aquisicao), "garantia_ate": celula(bem.garantia), "local": bem.local,
            "agente": bem.agente, "situacao": bem.situacao,
        }
        for bem in bens
    ]  # fmt: skip
    assert [{nome: linha[nome] for nome in esperadas[0]} for linha in linhas] == esperadas


@pytest.mark.parametrize("tipo", TIPOS)
def test_what_each_list_of_movements_exports_is_what_was_done(ano: Ano, tipo: str) -> None:
    ana, registros = ano["ana"], ano.modelo.de(tipo)
    ana.goto(f"/{tipo}")
    assert ana.locator("tbody tr").count() == len(registros)
    for formato in ("CSV", "XLSX"):
        linhas = exportado(ana, formato)
        esperadas = [{nome: celula(valor) for nome, valor in registro.colunas.items()} for registro in registros]
        assert [{nome: linha[nome] for nome in esperadas[0]} for linha in linhas] == esperadas, formato


def test_termos_say_what_changed_hands_and_who_still_has_to_sign(ano: Ano) -> None:
    ana, termos = ano["ana"], list(reversed(ano.modelo.termos))
    ana.goto("/termos")
    linhas = [linha.locator("td").all_inner_texts() for linha in ana.locator("tbody tr").all()]
    assert [(linha[0], linha[3], linha[-1]) for linha in linhas] == [
        (termo.titulo, str(len(termo.bens)), termo.estado) for termo in termos
    ]
    for termo in termos:
        ana.goto("/termos")
        ana.get_by_role("link", name=termo.titulo, exact=True).click()
        assert f"R$ {reais(termo.valor)}" in ana.locator("main").inner_text()


def auditado(ano: Ano) -> Counter[tuple[str, str]]:
    """How often each thing was done, as the API tells it an auditor."""
    rui, eventos, antes = ano["rui"], list[dict[str, Any]](), ""
    while lote := rui.request.get(f"/api/auditoria{antes}").json():
        eventos += lote
        antes = f"?antes_de={lote[-1]['id']}"
    feito = Counter((each["acao"], each["entidade"]) for each in eventos if each["entidade"] not in NAO_SAO_DO_ANO)
    etiquetas = [each for each in eventos if each["acao"] == "imprimir_etiquetas"]
    feito["imprimir_etiquetas", "usuario"] = len(etiquetas)
    return feito


def test_the_audit_has_a_record_of_each_thing_that_was_done_and_of_nothing_else(ano: Ano) -> None:
    rui = ano["rui"]
    assert auditado(ano) == ano.modelo.auditoria
    rui.goto("/auditoria?acao=recusar_transferencia")
    assert rui.locator("tbody tr").count() == ano.modelo.auditoria["recusar_transferencia", "patrimonio"] + 1


def test_each_card_tells_the_whole_story_of_its_asset(ano: Ano) -> None:
    """That of the stolen computer, from its purchase to the police report."""
    rui = ano["rui"]
    rui.goto("/patrimonios?q=16")
    historia = rui.locator(".historico .quando strong").all_inner_texts()
    assert historia == ["Deu baixa", "Registrou que falta", "Trocou a carga", "Importou"]
    rui.get_by_role("link", name="Ver a baixa").click()
    assert "000016 Computador de mesa" in rui.locator("tbody").inner_text()


def test_at_the_end_of_the_year_the_audit_and_the_lists_have_what_was_done_since(encerrado: Ano) -> None:
    assert auditado(encerrado) == encerrado.modelo.auditoria
    test_the_first_page_counts_what_the_half_year_left_and_what_waits_for_each(encerrado, "ana")
    test_what_the_list_of_assets_exports_is_what_people_made_of_them(encerrado, "ana", "CSV")
    test_what_each_list_of_movements_exports_is_what_was_done(encerrado, "localizacoes")


def test_the_twelve_months_are_closed_as_the_audit_alone_says(encerrado: Ano, livro: Livro) -> None:
    ana = encerrado["ana"]
    ana.goto("/fechamentos")
    todas = exportado(ana, "CSV")
    meses = [str(encerrado.dia(1, mes)) for mes in (12, 11, 11, *range(10, 0, -1))]
    assert [linha["competencia"] for linha in todas] == meses, "November was opened again"
    assert [linha["motivo"] for linha in todas if linha["estado"] == "reaberto"] == ["Falta o preço de outra cadeira"]
    linhas = [linha for linha in todas if linha["estado"] == "fechado"]
    assert len(linhas) == 12
    for linha in linhas:
        total = livro.total(dia_de(linha["competencia"]))
        esperado = {
            "bens": str(total.bens), "ajuste": celula(total.movido("ajuste").acumulada),
            "depreciacao": celula(total.movido("depreciacao").acumulada),
            **saldos(total.saldo),
        }  # fmt: skip
        assert {nome: linha[nome] for nome in esperado} == esperado, linha["competencia"]


def test_each_asset_is_worth_in_each_month_what_the_audit_alone_says(encerrado: Ano, livro: Livro) -> None:
    ana = encerrado["ana"]
    fechados = ana.request.get("/api/fechamentos?estado=fechado").json()["items"]
    assert len(fechados) == 12
    for fechado in fechados:
        resposta = ana.request.get(f"/api/fechamentos/{fechado['id']}/bens.csv")
        titulos, *linhas = linhas_csv(resposta.body())
        bens = livro.linhas(dia_de(fechado["competencia"]))
        assert [dict(zip(titulos, linha, strict=True)) for linha in linhas] == [
            {
                "competencia": fechado["competencia"], "numero": f"{bem.numero:06}",
                "descricao": encerrado.modelo.bens[bem.numero].descricao, "conta": bem.conta, "setor": bem.setor,
                "entrada": celula(bem.movido("incorporacao").bruto),
                "depreciacao": celula(bem.movido("depreciacao").acumulada),
                "ajuste_bruto": celula(bem.movido("ajuste").bruto),
                "ajuste_acumulada": celula(bem.movido("ajuste").acumulada),
                "reavaliacao": celula(relatorios_do_ano.valorados(bem)), "tipo": "movel",
                "baixa": celula(bem.movido("baixa").liquido), **saldos(bem.saldo),
            }
            for bem in bens.values()
        ]  # fmt: skip


def test_the_card_of_december_says_of_each_account_what_the_audit_alone_says(encerrado: Ano, livro: Livro) -> None:
    ana = encerrado["ana"]
    ana.goto("/fechamentos")
    ana.locator("tbody .plaqueta").first.click()
    linhas = [
        linha.locator("th, td").all_inner_texts()
        for linha in ana.locator("table[aria-labelledby=s-contas] tbody tr").all()
    ]
    nomes = {conta: nome for nome, (conta, _) in CLASSES.items()}
    assert [tuple(linha) for linha in linhas] == [
        (
            f"{nomes[conta]}\n{conta}", str(soma.bens), reais(soma.movido("incorporacao").bruto),
            reais(-soma.movido("baixa").bruto), reais(soma.movido("depreciacao").acumulada), "0,00",
            *map(reais, (*soma.saldo, soma.saldo.liquido)),
        )
        for conta, soma in livro.somas(encerrado.dia(31, 12)).items()
    ]  # fmt: skip


def test_the_reports_of_each_month_say_what_the_audit_alone_says(encerrado: Ano, livro: Livro) -> None:
    modelo = encerrado.modelo
    for mes in range(1, 13):
        dia = encerrado.dia(1, mes)
        pedido = {"competencia": str(dia)}
        conferir(lido(encerrado, "ana", "balancete", **pedido), relatorios_do_ano.balancete(livro, dia))
        conferir(lido(encerrado, "ana", "depreciacao", **pedido), relatorios_do_ano.depreciacao(livro, modelo, dia))
        movidos = relatorios_do_ano.movimento(livro, modelo, dia)
        assert bool(movidos) is (mes in (1, 6, 9, 10, 11, 12)), "bought, stolen, revalued, reduced, corrected, found"
        conferir(lido(encerrado, "ana", "movimento", **pedido), movidos)
    dezembro = encerrado.dia(1, 12)
    conferir(
        lido(encerrado, "ana", "conciliacao", competencia=str(dezembro)), relatorios_do_ano.conciliacao(livro, dezembro)
    )


def test_the_reports_of_assets_say_what_there_is_and_the_audit_alone_what_it_is_worth(
    encerrado: Ano, livro: Livro
) -> None:
    modelo, dezembro = encerrado.modelo, encerrado.dia(31, 12)
    for quem in ("ana", "bruno"):
        bens = modelo.em(alcance(quem))
        linhas = lido(encerrado, quem, "inventario-analitico")
        conferir(linhas, relatorios_do_ano.analitico(livro, bens, dezembro))
        for por in ("conta", "setor"):
            linhas = lido(encerrado, quem, "inventario-sintetico", por=por)
            conferir(linhas, relatorios_do_ano.sintetico(livro, bens, dezembro, por))
    linhas = lido(encerrado, "ana", "carga", agente=agente(encerrado, "Bruno Lima"))
    conferir(linhas, relatorios_do_ano.analitico(livro, modelo.em(agente="Bruno Lima"), dezembro))
    meses = [encerrado.dia(1, mes) for mes in range(1, 13)]
    conferir(lido(encerrado, "ana", "ficha", numero="13"), relatorios_do_ano.ficha(livro, 13, meses))


def test_every_report_is_a_page_a_workbook_and_a_paper_with_the_same_figures(encerrado: Ano) -> None:
    ana = encerrado["ana"]
    escolhas = {"carga": f"?agente={agente(encerrado, 'Bruno Lima')}", "ficha": "?numero=13"}
    relatorios = [each["nome"] for each in ana.request.get("/api/relatorios").json()]
    assert {"inventario-analitico", "inventario-sintetico", "balancete", "movimento", "conciliacao"} < set(relatorios)
    for nome in relatorios:
        ana.goto(f"/relatorios/{nome}{escolhas.get(nome, '')}")
        linhas = exportado(ana, "CSV")
        assert linhas == exportado(ana, "XLSX"), nome
        na_tela = ana.locator("tbody tr", has_not_text="Total").count()
        assert na_tela == min(len(linhas), 50) > 0, nome
        titulo = ana.locator("h1").inner_text()
        with pypdfium2.PdfDocument(abrir_pdf(ana, "link", "PDF")) as documento:
            texto = " ".join(folha.get_textpage().get_text_bounded() for folha in documento)
        assert titulo in texto
        for coluna in ("liquido", "valor_liquido", "valor"):
            if coluna in linhas[0]:
                assert reais(Decimal(linhas[0][coluna].replace(",", "."))) in texto, (nome, coluna)


def lido(ano: Ano, quem: str, relatorio: str, **filtros: str) -> list[dict[str, str]]:
    """The lines of a report, as a person downloads them."""
    resposta = ano[quem].request.get(f"/api/relatorios/{relatorio}.csv", params=filtros)
    assert resposta.ok, resposta.text()
    titulos, *linhas = linhas_csv(resposta.body())
    return [dict(zip(titulos, linha, strict=True)) for linha in linhas]


def conferir(linhas: list[dict[str, str]], esperadas: list[dict[str, str]]) -> None:
    """All lines, in their order, as far as something is expected of their columns."""
    assert [
        {nome: linha[nome] for nome in esperada} for linha, esperada in zip(linhas, esperadas, strict=True)
    ] == esperadas


def agente(ano: Ano, nome: str) -> str:
    ((id_,),) = ano.consultar("select id::text from agente where nome = %s", nome)
    return str(id_)


def test_what_happened_in_the_year_is_in_its_months(encerrado: Ano, livro: Livro) -> None:
    """The second computation itself, looked at: so that both are not wrong in the same way."""
    meses = {mes: livro.total(encerrado.dia(1, mes)).movimentos for mes in range(1, 13)}

    def em(especie: str) -> dict[int, Decimal]:
        return {mes: movimentos[especie].liquido for mes, movimentos in meses.items() if especie in movimentos}

    comprado = Decimal("187779.30")
    assert comprado == soma(primeiro_semestre.comprados(encerrado))
    assert em("incorporacao") == {1: comprado, 12: Decimal("250.00")}, "what was bought, and the fan"
    # The stolen computer, bought in January for 3,450.00: 10 % residual, 60 months, 51.75 a month, and June does not count.
    # The printer came back.
    assert em("baixa") == {6: 5 * Decimal("51.75") - Decimal("3450.00")}
    assert list(em("reavaliacao")) == [9]
    # The van: 142,300.00, 10 % residual, 180 months, nine of 711.50; then 100,000.00 less 14,230.00 over 171 months.
    assert em("reducao") == {10: Decimal("100000.00") - (Decimal("142300.00") - 9 * Decimal("711.50"))}
    furgao = livro.linhas(encerrado.dia(1, 10))[segundo_semestre.FURGAO]
    assert furgao.saldo == (Decimal("142300.00"), 9 * Decimal("711.50") + Decimal("501.58"), Decimal("35896.50"))
    # Two chairs had cost 50.00 more than was typed: for ten months 0.375 a month. November takes 1.80 of each, as if it had
    # always been known.
    assert em("ajuste") == {11: 2 * (Decimal("50.00") - Decimal("3.75"))}
    assert livro.linhas(encerrado.dia(1, 11))[5].movido("depreciacao").acumulada == Decimal("1.80")
    # A cabinet of 980.50: 98.05 residual, 120 months; ten passed, 73.54. Then 200 months down to 5 %: 4.29 a month, not 7.35.
    armario = livro.linhas(encerrado.dia(1, 11))[21]
    assert armario.movido("revisao") == (0, 0, 0)
    assert armario.movido("depreciacao").acumulada == Decimal("4.29")
    computador = livro.linhas(encerrado.dia(1, 9))[13]
    # After eight months 3,036.00, of which 112.5 % are 3,415.50; less the residual, over the 52 months that remain.
    assert (computador.saldo.bruto, computador.saldo.acumulada) == (Decimal("3415.50"), Decimal("59.05"))


def dia_de(competencia: str) -> dt.date:
    return dt.date.fromisoformat(competencia)
