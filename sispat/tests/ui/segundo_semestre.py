"""July to December in the same city: the books of the months, a revaluation, the yearly count by phone, the year closed.

`PASSOS` are played after those of primeiro_semestre.py. Three of the twelve months are closed in the browser: the first one
ever, one that follows, the last; the others are asked of the API, and done by the same jobs. November is closed twice: an
administrator opens it again.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from decimal import Decimal
from typing import Any

import pypdfium2
from arquivos import pdf
from cidade_do_ano import Ano, abrir_pdf, enviar, preencher, seguir
from contas_da_auditoria import Livro
from modelo_do_ano import Bem, reais
from primeiro_semestre import AGENTES, CLASSES, do_bem

TELEFONE = {"width": 390, "height": 844}
SUMIDO = 9
ACHADO = "Ventilador de parede"
REAVALIADA, PERCENTUAL = "Informática", "112,5"
FURGAO, REVISTOS, CORRIGIDOS = 30, (21, 22, 23, 24), (5, 6)
CORRIGIDO = Decimal("239.90")


def os_primeiros_meses(ano: Ano) -> None:
    """The first month takes the rule with it; the next one is proposed."""
    fechar_no_navegador(ano, 1)
    fechar_no_navegador(ano, 2)
    for mes in range(3, 9):
        fechar(ano, mes)


def a_reavaliacao(ano: Ano) -> None:
    """A commission of that year values all that is in a class, in a month that is still open."""
    modelo = ano.modelo
    nomear(ano, "23/2026", "avaliacao", str(ano.dia(31, 12)))
    bens = [bem.numero for bem in modelo.em() if bem.classe == REAVALIADA and bem.situacao != "baixado"]
    registrar_laudo(ano, "Reavaliação", ano.dia(15, 9), len(bens), {
        "Ou todos os bens da classe": REAVALIADA, "Novo valor em % do líquido": PERCENTUAL,
        "Arquivos": ano.arquivo("laudo 3.pdf", pdf()),
    })  # fmt: skip
    modelo.anotar("anexar_documento", "reavaliacao")
    fechar(ano, 9)


def a_reducao(ano: Ano) -> None:
    """The van was in a flood: it is worth less than the books say."""
    campos = {"Bens e novos valores": f"{FURGAO} 100.000,00"}
    registrar_laudo(ano, "Redução ao valor recuperável", ano.dia(20, 10), 1, campos)
    fechar(ano, 10)


def a_revisao_e_os_ajustes(ano: Ano) -> None:
    """The cabinets will last longer. What a chair had cost is corrected, ten months after it began to depreciate; November is
    closed, and once more, with a second chair, after an administrator has opened it again.
    """
    from playwright.sync_api import expect

    ana, marta, modelo = ano["ana"], ano["marta"], ano.modelo
    revistos = {
        "Bens e novos valores": "\n".join(map(str, REVISTOS)), "Vida útil que resta (meses)": "200",
        "Valor residual (%)": "5",
    }  # fmt: skip
    registrar_laudo(ano, "Revisão da vida útil e do valor residual", ano.dia(5, 11), len(REVISTOS), revistos)
    primeira, segunda = CORRIGIDOS
    corrigir(ano, primeira)
    fechar(ano, 11)
    for pagina in (ana, marta):
        pagina.goto("/fechamentos")
        pagina.locator("tbody .plaqueta").first.click()
        expect(pagina.locator("#s-contas")).to_contain_text(f"{ano.dia(1, 11):%m/%Y}")
    expect(ana.get_by_role("link", name="Reabrir o mês")).to_have_count(0)
    seguir(marta, "Reabrir o mês")
    enviar(marta, "Reabrir o mês", {"Por que reabrir": "Falta o preço de outra cadeira"}, "Mês reaberto")
    modelo.anotar("reabrir_mes", "fechamento")
    corrigir(ano, segunda)
    fechar(ano, 11)


def a_contagem(ano: Ano) -> None:
    """Bruno counts the school on his phone: one chair is missing, and there is a fan that nobody has registered."""
    from playwright.sync_api import expect

    ana, bruno, modelo = ano["ana"], ano["bruno"], ano.modelo
    nomear(ano, "40/2026", "inventario", None)
    ana.goto("/inventarios")
    seguir(ana, "Abrir inventário")
    enviar(ana, "Abrir", {
        "Um setor": True, "Setor": "Educação", "Comissão que conta": "40/2026", "Data-base": ano.dia(31, 12),
    }, "Inventário aberto")  # fmt: skip
    cartao = ana.url.partition("?")[0]
    modelo.anotar("abrir_inventario", "inventario")
    passar(ana, "Começar a contagem", "Começar", "A contagem começou.")
    modelo.anotar("iniciar_contagem", "inventario")

    esperados = [bem for bem in modelo.em({"SEMED"}) if bem.situacao != "baixado"]
    bruno.set_viewport_size(TELEFONE)
    bruno.goto("/")
    espera = bruno.locator(".esperas .cartao", has_text="1 inventário em contagem")
    expect(espera).to_contain_text("Um setor: Educação")
    espera.locator("li a").click()
    bruno.wait_for_selector("#contar[data-pronto]", state="attached")
    preencher(bruno, {"Onde estou": "Sala 1"})
    *quase_todos, ultimo = esperados
    for bem in quase_todos:
        ler(
            bruno,
            ano.codigos.get(bem.numero, bem.plaqueta),
            "Não encontrado" if bem.numero == SUMIDO else "Encontrado aqui",
        )
    # Who concludes too early is told what is missing; the count goes on, and the card shows how far it is by itself.
    expect(ana.locator("[data-estado=encontrado]")).to_have_text(str(len(quase_todos) - 1), timeout=60_000)
    seguir(ana, "Concluir a contagem")
    ana.get_by_role("button", name="Concluir", exact=True).click()
    expect(ana.get_by_role("alert")).to_contain_text("1 bem não foi verificado")
    ler(bruno, ultimo.plaqueta, "Encontrado aqui")
    bruno.get_by_text("Conservação, nota, bem sem plaqueta").click()
    preencher(bruno, {"O que é": ACHADO, "Nota": "Atrás do quadro, sem plaqueta"})
    ler(bruno, "", "Achei um bem sem plaqueta")
    expect(bruno.locator("[data-fila-estado]")).to_contain_text("já chegou", timeout=60_000)
    ana.goto(cartao)
    passar(ana, "Concluir a contagem", "Concluir", "Contagem concluída")
    modelo.anotar("concluir_contagem", "inventario")
    as_divergencias(ano, cartao)


def as_divergencias(ano: Ano, cartao: str) -> None:
    """What is missing is looked for, what was found enters the books; only then is the count closed, for good."""
    from playwright.sync_api import expect

    ana, modelo = ano["ana"], ano.modelo
    divergencia(ana, "Carteira escolar")
    seguir(ana, "Decidir")
    campos = {"Registrar como não localizado": True, "Justificativa": "Ninguém a viu desde as férias"}
    enviar(ana, "Decidir", campos, "Divergência decidida.")
    modelo.anotar("decidir_divergencia", "inventario_item")
    modelo.abrir("localizacoes", "localizacao", "notar_falta", [SUMIDO], "nao_localizado", estado="nao_localizado",
                 patrimonio=modelo.bens[SUMIDO].descricao, data=ano.hoje, registrada_por="Ana Prado")  # fmt: skip

    ana.goto(cartao)
    seguir(ana, "Encerrar o inventário")
    ana.get_by_role("button", name="Encerrar para sempre").click()
    expect(ana.get_by_role("alert")).to_contain_text("1 divergência está sem decisão")
    ana.goto(cartao)
    divergencia(ana, ACHADO)
    seguir(ana, "Regularizar")
    enviar(ana, "Regularizar", {
        "Encontrado em": ano.dia(9, 12), "Classe": "Mobiliário", "Agente responsável": "Bruno",
        "Comissão que avaliou": "23/2026", "Número do laudo": "9/2026", "Avaliado em": ano.dia(10, 12),
        "Valor da avaliação": "250,00",
    }, "Divergência decidida.")  # fmt: skip
    modelo.anotar("decidir_divergencia", "inventario_item")
    modelo.anotar("regularizar", "regularizacao")
    modelo.anotar("criar", "patrimonio")
    numero = max(modelo.bens) + 1
    modelo.bens[numero] = Bem(
        numero, ACHADO, "Mobiliário", Decimal("250.00"), ano.dia(9, 12), "SEMED", "Sala 1", "Bruno Lima"
    )

    ana.goto(cartao)
    passar(ana, "Encerrar o inventário", "Encerrar para sempre", "Inventário encerrado.")
    modelo.anotar("encerrar_inventario", "inventario")
    expect(ana.locator("main").get_by_role("link", name="Voltar a contar")).to_have_count(0)
    with pypdfium2.PdfDocument(abrir_pdf(ana, "link", "Relatório em PDF")) as documento:
        texto = " ".join(folha.get_textpage().get_text_bounded() for folha in documento)
    assert modelo.bens[SUMIDO].plaqueta in texto
    assert ACHADO in texto


def o_ultimo_mes(ano: Ano) -> None:
    """December, with what the count brought into the books."""
    fechar_no_navegador(ano, 12)


def a_conciliacao(ano: Ano) -> None:
    """Accounting has forgotten the fan; reminded of it, it has what the office has."""
    from playwright.sync_api import expect

    ana, livro = ano["ana"], Livro(ano.dsn)
    contas = livro.somas(ano.dia(31, 12))
    for falta, estado in ((Decimal("250.00"), "Há diferenças"), (Decimal(0), "Confere")):
        ana.goto("/conciliacoes")
        seguir(ana, "Conciliar um mês")
        for n, (conta, soma) in enumerate(contas.items()):
            tem = soma.saldo.bruto - falta * (conta == CLASSES["Mobiliário"][0])
            expect(ana.locator(f"#dica-bruto-{n}")).to_contain_text(reais(soma.saldo.bruto))
            ana.locator(f"#campo-bruto-{n}").fill(reais(tem))
            ana.locator(f"#campo-acumulada-{n}").fill(reais(soma.saldo.acumulada + soma.saldo.perda))
        enviar(ana, "Registrar a conciliação", {}, "Conciliação registrada.")
        expect(ana.locator(".cabeca .situacao")).to_have_text(estado)
        if falta:
            expect(ana.locator("table[aria-labelledby=s-contas] strong")).to_have_text([f"-{reais(falta)}"])
        ano.modelo.anotar("conciliar", "conciliacao")


PASSOS = (
    os_primeiros_meses, a_reavaliacao, a_reducao, a_revisao_e_os_ajustes, a_contagem, o_ultimo_mes, a_conciliacao,
)  # fmt: skip


# What people do again and again.


def fechar_no_navegador(ano: Ano, mes: int) -> None:
    """Close a month and wait for it, as people do."""
    from playwright.sync_api import expect

    ana, competencia = ano["ana"], f"{ano.dia(1, mes):%m/%Y}"
    ana.goto("/fechamentos")
    seguir(ana, "Fechar o mês")
    if mes == 1:  # the first one is chosen
        preencher(ana, {"Mês": competencia})
    expect(ana.get_by_label("Mês", exact=True)).to_have_value(competencia)
    ana.locator("main").get_by_role("button", name="Fechar o mês").click()
    expect(ana.locator("main")).to_contain_text("Concluída.", timeout=60_000)
    seguir(ana, "Ver o resultado")
    expect(ana.locator("#s-contas")).to_contain_text(competencia)
    ano.modelo.anotar("fechar_mes", "fechamento")


def fechar(ano: Ano, mes: int) -> None:
    """The same, asked of the API."""
    tarefa = ano.pedir("ana", "/api/fechamentos", {"competencia": str(ano.dia(1, mes))})["tarefa_id"]
    fim = time.monotonic() + 60
    while not (
        terminada := ano.consultar("select estado, erro from tarefa where id = %s and terminada_em is not null", tarefa)
    ):
        assert time.monotonic() < fim, f"month {mes} is not closed after a minute"
        time.sleep(0.05)
    assert terminada == [("concluida", None)]
    ano.modelo.anotar("fechar_mes", "fechamento")


def registrar_laudo(ano: Ano, tipo: str, dia: dt.date, bens: int, campos: dict[str, Any]) -> None:
    """What the commission reports, of so many assets."""
    ana, modelo = ano["ana"], ano.modelo
    ana.goto("/reavaliacoes")
    seguir(ana, "Registrar laudo")
    enviar(ana, "Registrar o laudo", {
        tipo: True, "Data do laudo": dia, "Laudo": f"{dia.month}/2026", "Comissão": "23/2026",
        "Justificativa": "Pesquisa de preços de mercado", **campos,
    }, "Laudo registrado")  # fmt: skip
    modelo.anotar("registrar_laudo", "reavaliacao")
    modelo.anotar("reavaliar", "patrimonio", bens)


def corrigir(ano: Ano, numero: int) -> None:
    """Type what an asset had cost."""
    do_bem(ano["ana"], numero, "Editar")
    enviar(ano["ana"], "Salvar", {"Valor": reais(CORRIGIDO)}, "Alterações gravadas")
    ano.modelo.mudar("editar", [numero], valor=CORRIGIDO)


def nomear(ano: Ano, portaria: str, finalidade: str, fim: str | None) -> None:
    """A commission of three."""
    nova = {
        "portaria": portaria, "finalidade": finalidade, "inicio": str(ano.dia(2, 1)), "fim": fim,
        "matriculas": [AGENTES[nome][0] for nome in ("Bruno Lima", "Carla Reis", "Elisa Nunes")],
    }  # fmt: skip
    ano.pedir("ana", "/api/comissoes", nova)
    ano.modelo.anotar("nomear_comissao", "comissao")


def passar(pagina: Any, acao: str, botao: str, aviso: str) -> None:
    """Move the count on, from its card."""
    seguir(pagina, acao)
    enviar(pagina, botao, {}, aviso)


def ler(pagina: Any, codigo: str, desfecho: str) -> None:
    """Scan or type, and say what is."""
    from playwright.sync_api import expect

    pagina.locator("#campo-codigo").fill(codigo)
    pagina.get_by_role("button", name=desfecho, exact=True).last.click()
    dito = codigo or ACHADO
    expect(pagina.locator("[data-dito]")).to_contain_text(dito)
    expect(pagina.locator("#campo-codigo")).to_have_value("")


def divergencia(pagina: Any, descricao: str) -> None:
    """From the card of the count to one of the items that somebody has to decide."""
    pagina.locator(".andamento").get_by_role("link", name=re.compile("Divergências sem decisão")).click()
    pagina.locator("tbody tr", has_text=descricao).locator(".plaqueta").first.click()
    pagina.get_by_role("heading", name="Leituras").wait_for()
