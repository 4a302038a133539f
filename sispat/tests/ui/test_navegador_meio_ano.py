"""The first half of a year, played by five people in a real browser: at its end every figure is what their doings add up to.

The steps are in primeiro_semestre.py, and what must come of them is counted apart from the service, in modelo_do_ano.py. A
second half would be another file of steps, played in the same city after these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cidade_do_ano import Ano, comecar, exportado
from modelo_do_ano import Bem, celula, contagens, reais, soma
from primeiro_semestre import CONTAS, PASSOS

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
            for passo in PASSOS:
                passo(ano)
            yield ano
    finally:
        postgres_server.drop_database("meio_ano")


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
    assert titulos(pagina) == esperam(ano, quem)
    ultimos = [f"{numero:06}" for numero in sorted((bem.numero for bem in bens), reverse=True)[:5]]
    assert pagina.locator("tbody .plaqueta").all_inner_texts() == ultimos


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


def test_the_audit_has_a_record_of_each_thing_that_was_done_and_of_nothing_else(ano: Ano) -> None:
    rui, eventos, antes = ano["rui"], list[dict[str, Any]](), ""
    while lote := rui.request.get(f"/api/auditoria{antes}").json():
        eventos += lote
        antes = f"?antes_de={lote[-1]['id']}"
    feito = Counter((each["acao"], each["entidade"]) for each in eventos if each["entidade"] not in NAO_SAO_DO_ANO)
    etiquetas = [each for each in eventos if each["acao"] == "imprimir_etiquetas"]
    feito["imprimir_etiquetas", "usuario"] = len(etiquetas)
    assert feito == ano.modelo.auditoria
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
