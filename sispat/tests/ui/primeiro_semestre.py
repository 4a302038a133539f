"""January to June in a city hall: what came in, changed hands, was lent, repaired, lost. Each step is what people click.

`PASSOS` are played in order; the next half-year goes on from there. Each writes into the model what it did.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import xlsxwriter
from arquivos import pdf
from cidade_do_ano import ADMIN, Ano, abrir_pdf, codigos, enviar, preencher, seguir
from modelo_do_ano import Bem, reais, soma

CONTAS = {  # who has an account: e-mail's first part -> name, role, setores
    "ana": ("Ana Prado", "gestor", ""),
    "bruno": ("Bruno Lima", "responsavel", "SEMED"),
    "carla": ("Carla Reis", "responsavel", "SEMUS"),
    "rui": ("Rui Castro", "consulta", ""),
}
SETORES = {"SEMAD": "Administração", "SEMED": "Educação", "SEMUS": "Saúde"}
LOCAIS = {"Almoxarifado": "SEMAD", "Sala 1": "SEMED", "Posto Central": "SEMUS"}
AGENTES = {  # name -> matrícula, setor, e-mail
    "Bruno Lima": ("1001", "SEMED", "bruno@cidade.example"),
    "Carla Reis": ("1002", "SEMUS", "carla@cidade.example"),
    "Davi Melo": ("1003", "SEMAD", ""),
    "Elisa Nunes": ("1004", "SEMAD", ""),
}
CLASSES = {"Mobiliário": ("1.2.3.1.1.03.01", "120"), "Informática": ("1.2.3.1.1.02.01", "60"),
           "Veículos": ("1.2.3.1.1.05.01", "180")}  # fmt: skip
COMPRAS = (  # how many, what, class, each
    (12, "Carteira escolar", "Mobiliário", "189.90"),
    (8, "Computador de mesa", "Informática", "3450.00"),
    (4, "Armário de aço", "Mobiliário", "980.50"),
    (3, "Projetor multimídia", "Informática", "2799.00"),
    (2, "Impressora a laser", "Informática", "1640.75"),
    (1, "Furgão de entregas", "Veículos", "142300.00"),
)


def os_cadastros(ano: Ano) -> None:
    """What must be there before anything can be bought."""
    setores = {
        codigo: ano.pedir("marta", "/api/setores", {"codigo": codigo, "nome": nome})["id"]
        for codigo, nome in SETORES.items()
    }
    for nome, setor in LOCAIS.items():
        ano.pedir("marta", "/api/locais", {"setor_id": setores[setor], "nome": nome})
    for nome, (matricula, setor, email) in AGENTES.items():
        novo = {"nome": nome, "matricula": matricula, "setor_id": setores[setor], "email": email}
        ano.pedir("marta", "/api/agentes", novo)
    for nome, (conta, meses) in CLASSES.items():
        nova = {"conta": conta, "nome": nome, "vida_util_meses": meses, "residual_pct": "10"}
        ano.pedir("marta", "/api/classes", nova)
    for entidade, linhas in (("setor", SETORES), ("local", LOCAIS), ("agente", AGENTES), ("classe", CLASSES)):
        ano.modelo.anotar("criar", entidade, len(linhas))


def as_contas(ano: Ano) -> None:
    """Each person has an account and is signed in."""
    for quem, (nome, papel, setores) in CONTAS.items():
        email = f"{quem}@cidade.example"
        ano.consultar(
            """with nova as (insert into usuario (email, nome, papel, senha_hash)
                             select %s, %s, %s, senha_hash from usuario where email = %s returning id)
               insert into usuario_setor select nova.id, setor.id from nova, setor where codigo = %s returning 1""",
            email, nome, papel, ADMIN[0], setores,
        )  # fmt: skip
        ano.entrar(quem, email)


def a_planilha(ano: Ano) -> None:
    """Thirty assets come as a spreadsheet: one heading has to be explained, one price is wrong, and then all are in."""
    from playwright.sync_api import expect

    ana, bens = ano["ana"], comprados(ano)
    ana.goto("/")
    expect(ana.locator("main")).to_contain_text("Nenhum bem cadastrado ainda.")
    seguir(ana, "Importar uma planilha")
    principal = ana.locator("main")
    com_erro = ano.arquivo("compras.xlsx", planilha(bens, errado=bens[18]))
    mandar_planilha(ana, com_erro)
    expect(principal).to_contain_text("A planilha tem 31 erros", timeout=60_000)  # nobody knows where the assets are
    expect(principal).to_contain_text("Uma coluna ficou de fora: “Onde está”.")
    seguir(ana, "Dizer o que é cada coluna")
    preencher(ana, {"Onde está": "Local"})
    ana.get_by_role("button", name="Conferir a planilha").click()
    expect(principal).to_contain_text("A planilha tem um erro", timeout=60_000)
    expect(principal.get_by_role("row", name=re.compile("três mil"))).to_contain_text("20")

    seguir(ana, "Enviar a planilha corrigida")
    mandar_planilha(ana, ano.arquivo("compras corrigida.xlsx", planilha(bens)))
    expect(principal.get_by_role("button", name="Gravar", exact=True)).to_be_visible(timeout=60_000)
    expect(principal).to_contain_text(re.compile(r"Bens novos\s*30"))  # the heading is known by now
    principal.get_by_role("button", name="Gravar", exact=True).click()
    expect(principal).to_contain_text("Gravada: 30 bens novos", timeout=60_000)
    ano.modelo.importar(bens)
    ano.modelo.anotar("receber_importacao", "importacao", 2)
    ano.modelo.anotar("gravar_importacao", "importacao")


def as_etiquetas(ano: Ano) -> None:
    """The labels of what came in are one click away; what a phone reads of one leads to a page that names nobody."""
    from playwright.sync_api import expect

    ana = ano["ana"]
    seguir(ana, "Ver os bens importados")
    expect(ana.locator("main")).to_contain_text("30 bens")
    ana.get_by_role("button", name="Etiquetas de todos os desta busca").click()
    expect(ana.locator("main")).to_contain_text("30 etiquetas, 1 folha.")
    lidos = codigos(abrir_pdf(ana, "button", "Abrir o PDF"))
    assert len(set(lidos)) == 30
    ano.modelo.anotar("imprimir_etiquetas", "usuario", 2)  # seen, and fetched once more by the test

    estranho = ano.estranho()
    for codigo in lidos[:1] + lidos[-1:]:
        estranho.goto(codigo)
        bem = ano.modelo.bens[int(estranho.locator(".plaqueta").inner_text())]
        ano.codigos[bem.numero] = codigo
        pagina = estranho.locator("main").inner_text()
        assert "Prefeitura de Pedra Alta" in pagina
        assert bem.agente not in pagina
        assert reais(bem.valor) not in pagina
    assert len(ano.codigos) == 2
    estranho.context.close()


def a_entrega(ano: Ano) -> None:
    """Bruno's school gets its things, and he signs for them; whoever has the paper can confirm it."""
    from playwright.sync_api import expect

    ana, modelo = ano["ana"], ano.modelo
    ana.goto("/patrimonios?q=carteira")
    ana.get_by_label("Marcar todos desta página").check()
    expect(ana.locator("main")).to_contain_text("12 bens marcados")
    entregar(ano, range(1, 13), "Sala 1", "Bruno Lima")
    marcar(ana, [17, 18, 28])
    entregar(ano, [17, 18, 28], "Posto Central", "Carla Reis")
    marcar(ana, [25, 26, 13])
    ana.get_by_label("Marcar o bem 000016").click(modifiers=["Shift"])  # and those between
    entregar(ano, [13, 14, 15, 16, 25, 26], "Sala 1", "Bruno Lima")

    # The way from there to the paper is one click.
    enviar(ana, "Emitir termo de responsabilidade", {}, "Termo emitido.")
    carga = modelo.em(agente="Bruno Lima")
    titulo = f"Termo de responsabilidade nº 1/{ano.hoje.year}"
    expect(ana.get_by_role("heading", level=1)).to_have_text(titulo)
    expect(ana.locator("main")).to_contain_text(f"R$ {reais(soma(carga))}")
    termo = modelo.emitir(titulo, [bem.numero for bem in carga], soma(carga), assinam={"ana", "bruno"})

    bruno = ano["bruno"]
    bruno.goto("/")
    expect(bruno.locator("main")).to_contain_text("1 termo a assinar")
    seguir(bruno, titulo)
    papel = abrir_pdf(bruno, "link", "Abrir o PDF")
    modelo.anotar("imprimir_termo", "termo")
    enviar(bruno, "Li e assino", {}, "Assinatura registrada.")
    ana.reload()
    enviar(ana, "Li e assino", {}, "Assinatura registrada.")
    for quem in ("bruno", "ana"):
        modelo.assinar(termo, quem)

    (confere,) = codigos(papel)
    estranho = ano.estranho()
    estranho.goto(confere)
    pagina = estranho.locator("main")
    expect(pagina).to_contain_text("foi emitido por este serviço e vale")
    expect(pagina).to_contain_text(titulo)
    expect(pagina).to_contain_text("2 de 2")
    expect(pagina).not_to_contain_text("Bruno")
    estranho.context.close()


def as_transferencias(ano: Ano) -> None:
    """Bruno asks for five: Carla accepts two and refuses one, he takes one back, and one nobody decides."""
    from playwright.sync_api import expect

    bruno, carla, modelo = ano["bruno"], ano["carla"], ano.modelo
    pedidas = {}
    for numeros, motivo in (
        ([13, 14], "Computadores para o posto"), ([25], "Palestras no posto"), ([15], "Recepção do posto"),
        ([1, 2], "Sala de espera"), ([3], "Engano na contagem"),
    ):  # fmt: skip
        marcar(bruno, numeros)
        bruno.get_by_role("button", name="Transferir os marcados").click()
        enviar(bruno, "Pedir transferência", {"Setor de destino": "SEMUS", "Motivo": motivo}, "Transferência pedida.")
        pedidas[motivo] = modelo.abrir(
            "transferencias", "transferencia", "pedir_transferencia", numeros, "em_transferencia",
            estado="pendente", origem="Educação", destino="Saúde", local=None, agente=None, motivo=motivo,
            bens=len(numeros), pedida_por="Bruno Lima",
        )  # fmt: skip
    enviar_decisao(
        bruno, "Cancelar a transferência", {}, "Transferência cancelada"
    )  # the last one is still on his screen
    modelo.fechar(pedidas["Engano na contagem"], "transferencia", "cancelar_transferencia", {"estado": "cancelada"},
                  situacao="em_uso")  # fmt: skip

    carla.goto("/")
    expect(carla.locator("main")).to_contain_text("4 transferências a aceitar ou recusar")
    expect(carla.locator(".esperas")).to_contain_text("Educação → Saúde, 2 bens: Computadores para o posto")
    for motivo in ("Computadores para o posto", "Palestras no posto"):
        abrir_transferencia(carla, motivo, pedidas[motivo].bens)
        enviar_decisao(
            carla, "Aceitar", {"Local": "Posto Central", "Agente responsável": "Carla"}, "Transferência aceita"
        )
        modelo.fechar(pedidas[motivo], "transferencia", "aceitar_transferencia", {"estado": "aceita"},
                      situacao="em_uso", setor="SEMUS", local="Posto Central", agente="Carla Reis")  # fmt: skip
    abrir_transferencia(carla, "Recepção do posto", [15])
    enviar_decisao(carla, "Recusar", {"Por que recusa": "Sem tomada na recepção"}, "Transferência recusada")
    modelo.fechar(pedidas["Recepção do posto"], "transferencia", "recusar_transferencia", {"estado": "recusada"},
                  situacao="em_uso")  # fmt: skip

    # The paper of what changed hands, and the new one of what Bruno still answers for.
    ana = ano["ana"]
    abrir_transferencia(ana, "Computadores para o posto", [13, 14])
    enviar(ana, "Emitir termo de transferência", {}, "Termo emitido.")
    passados = [modelo.bens[13], modelo.bens[14]]
    modelo.emitir(f"Termo de transferência nº 1/{ano.hoje.year}", [13, 14], soma(passados), assinam={"bruno", "carla"})
    ana.goto("/termos")
    seguir(ana, f"Termo de responsabilidade nº 1/{ano.hoje.year}", "Emitir outro, que o substitui")
    enviar(ana, "Emitir", {}, "Termo emitido.")
    carga = modelo.em(agente="Bruno Lima")
    novo = f"Termo de responsabilidade nº 2/{ano.hoje.year}"
    expect(ana.get_by_role("heading", level=1)).to_have_text(novo)
    modelo.substituir(f"Termo de responsabilidade nº 1/{ano.hoje.year}")
    modelo.emitir(novo, [bem.numero for bem in carga], soma(carga), assinam={"ana", "bruno"})


def os_emprestimos(ano: Ano) -> None:
    """One goes to a school and comes back; another is overdue, which the first page says, and gets a later day."""
    from playwright.sync_api import expect

    ana, bruno, modelo = ano["ana"], ano["bruno"], ano.modelo
    do_bem(bruno, 26, "Emprestar")
    enviar(bruno, "Emprestar", {
        "Ou pessoa ou entidade de fora": "Escola Estadual Rui Barbosa", "Emprestado em": ano.dia(10, 4),
        "Devolver até": ano.dia(20, 4), "Finalidade": "Feira de ciências",
    }, "Empréstimo registrado.")  # fmt: skip
    feira = modelo.abrir(
        "emprestimos", "emprestimo", "emprestar", [26], "emprestado", estado="aberto", patrimonio="Projetor multimídia",
        setor="Educação", agente=None, tomador="Escola Estadual Rui Barbosa", saida=ano.dia(10, 4),
        previsao=ano.dia(20, 4), finalidade="Feira de ciências", devolvido_em=None, prorrogacoes=0,
    )  # fmt: skip
    seguir(bruno, "Registrar a devolução")
    campos = {"Devolvido em": ano.dia(18, 4), "Observação": "Voltou com o cabo"}
    enviar(bruno, "Registrar a devolução", campos, "Devolução registrada")
    modelo.fechar(feira, "emprestimo", "devolver_emprestimo", {"estado": "devolvido", "devolvido_em": ano.dia(18, 4)},
                  situacao="em_uso")  # fmt: skip

    do_bem(ana, 30, "Emprestar")
    enviar(ana, "Emprestar", {
        "Quem fica com o bem": "Elisa", "Emprestado em": ano.dia(5, 4), "Devolver até": ano.dia(30, 4),
        "Finalidade": "Entrega das cestas",
    }, "Empréstimo registrado.")  # fmt: skip
    cestas = modelo.abrir(
        "emprestimos", "emprestimo", "emprestar", [30], "emprestado", estado="aberto", patrimonio="Furgão de entregas",
        setor="Administração", agente="Elisa Nunes", tomador=None, saida=ano.dia(5, 4), previsao=ano.dia(30, 4),
        finalidade="Entrega das cestas", devolvido_em=None, prorrogacoes=0,
    )  # fmt: skip
    ana.goto("/")
    espera = ana.locator(".esperas .cartao", has_text="1 empréstimo atrasado")
    expect(espera).to_contain_text("Furgão de entregas")
    espera.locator("li a").first.click()
    seguir(ana, "Prorrogar")
    novo_dia = ano.hoje + dt.timedelta(days=60)
    enviar(ana, "Prorrogar", {"Devolver até": novo_dia, "Por que": "As cestas continuam"}, "Empréstimo prorrogado.")
    cestas.colunas |= {"previsao": novo_dia, "prorrogacoes": 1}
    modelo.anotar("prorrogar_emprestimo", "emprestimo")
    ana.goto("/")
    expect(ana.locator("main")).not_to_contain_text("empréstimo atrasado")


def os_consertos(ano: Ano) -> None:
    """One comes back late, with its invoice; another is still away."""
    from playwright.sync_api import expect

    ana, modelo = ano["ana"], ano.modelo
    for numero, problema, enviado, previsao in (
        (17, "Não liga", ano.dia(4, 5), ano.dia(20, 5)),
        (28, "Mancha as folhas", ano.dia(11, 5), ano.hoje + dt.timedelta(days=20)),
    ):
        do_bem(ana, numero, "Manutenção")
        enviar(ana, "Enviar", {
            "O que precisa ser feito": problema, "Oficina ou fornecedor": "Oficina Central", "Enviado em": enviado,
            "Deve voltar até": previsao,
        }, "Envio para manutenção registrado.")  # fmt: skip
        modelo.abrir(
            "manutencoes", "manutencao", "enviar_para_manutencao", [numero], "em_manutencao", estado="aberta",
            patrimonio=modelo.bens[numero].descricao, setor="Saúde", problema=problema, fornecedor="Oficina Central",
            enviado_em=enviado, previsao=previsao, concluido_em=None, custo=None,
        )  # fmt: skip
    ana.goto("/")
    espera = ana.locator(".esperas .cartao", has_text="1 manutenção atrasada")
    espera.locator("li a").first.click()
    seguir(ana, "Concluir a manutenção")
    nota = ano.arquivo("nota da oficina.pdf", pdf())
    enviar(ana, "Concluir", {
        "Concluída em": ano.dia(25, 5), "Custo": "350,00", "O que foi feito": "Fonte trocada", "Arquivos": nota,
    }, "Manutenção concluída")  # fmt: skip
    expect(ana.locator(".documentos")).to_contain_text("nota da oficina.pdf")
    conserto = next(each for each in modelo.de("manutencoes") if each.bens == [17])
    fim = {"estado": "concluida", "concluido_em": ano.dia(25, 5), "custo": Decimal("350.00")}
    modelo.fechar(conserto, "manutencao", "concluir_manutencao", fim, situacao="em_uso")
    modelo.anotar("anexar_documento", "manutencao")


def a_saida_de_davi(ano: Ano) -> None:
    """Davi retires: everything he answers for is Elisa's, also what is lent, and one paper names both."""
    from playwright.sync_api import expect

    ana, modelo = ano["ana"], ano.modelo
    carga = [bem.numero for bem in modelo.em(agente="Davi Melo")]
    ana.goto("/agentes")
    seguir(ana, "Davi Melo", "Passar toda a carga")
    enviar(ana, "Passar tudo", {"Quem recebe tudo": "Elisa", "Motivo": "Aposentadoria"}, "Carga passada")
    modelo.mudar("passar_carga", carga, agente="Elisa Nunes")
    modelo.anotar("passar_carga", "agente")
    modelo.anotar("editar", "agente")
    enviar(ana, "Emitir termo da carga que passou", {}, "Termo emitido.")
    titulo = f"Termo de transferência nº 2/{ano.hoje.year}"
    expect(ana.get_by_role("heading", level=1)).to_have_text(titulo)
    passados = modelo.em(agente="Elisa Nunes")
    modelo.emitir(titulo, [bem.numero for bem in passados], soma(passados), assinam=set())


def o_furto(ano: Ano) -> None:
    """A computer is gone: Bruno says so, and with the police report and a commission Ana writes it off."""
    from playwright.sync_api import expect

    ana, bruno, modelo = ano["ana"], ano["bruno"], ano.modelo
    ana.goto("/comissoes/nova")
    membros = ["Bruno Lima", "Carla Reis", "Elisa Nunes"]
    enviar(ana, "Nomear", {
        "Portaria": "17/2026", "Baixa e alienação": True, "Vale desde": ano.dia(2, 1),
        "Matrículas dos membros": "\n".join(AGENTES[nome][0] for nome in membros),
    }, "Cadastro gravado.")  # fmt: skip
    modelo.anotar("nomear_comissao", "comissao")

    bruno.goto("/")
    bruno.get_by_label("Número da plaqueta ou palavras da descrição").fill("16")
    bruno.locator("main").get_by_role("button", name="Buscar").click()
    seguir(bruno, "Não localizado")
    enviar(bruno, "Registrar", {"Quando": ano.dia(8, 6), "Circunstância": "A sala foi arrombada no fim de semana"},
           "Registrado: o bem não foi localizado.")  # fmt: skip
    modelo.abrir("localizacoes", "localizacao", "notar_falta", [16], "nao_localizado", estado="nao_localizado",
                 patrimonio="Computador de mesa", data=ano.dia(8, 6), registrada_por="Bruno Lima")  # fmt: skip

    do_bem(ana, 16, "Dar baixa")
    seguir(ana, "Furto ou roubo")
    boletim = ano.arquivo("boletim 4711.pdf", pdf(Lang="pt-BR"))
    enviar(ana, "Dar baixa", {
        "Data da baixa": ano.dia(22, 6), "Justificativa": "Sala arrombada, conforme o boletim", "Comissão": "17/2026",
        "Boletim de ocorrência": "BO 4711/2026", "Quando aconteceu": ano.dia(7, 6), "Arquivos": boletim,
    }, "Baixa registrada.")  # fmt: skip
    expect(ana.locator(".documentos")).to_contain_text("boletim 4711.pdf")
    bem = modelo.bens[16]
    modelo.abrir(
        "baixas", "baixa", "baixar", [16], "baixado", estado="efetiva", patrimonio=bem.descricao, setor="Educação",
        motivo="furto_roubo", data=ano.dia(22, 6), portaria="17/2026", boletim="BO 4711/2026",
        data_ocorrencia=ano.dia(7, 6), valor=bem.valor, situacao_anterior="nao_localizado",
    )  # fmt: skip
    modelo.anotar("anexar_documento", "baixa")
    enviar(ana, "Emitir termo", {}, "Termo emitido.")
    for nome in membros:
        expect(ana.locator(".partes")).to_contain_text(nome)
    modelo.emitir(f"Termo de baixa nº 1/{ano.hoje.year}", [16], bem.valor, assinam={"ana"})


def o_engano(ano: Ano) -> None:
    """Ana writes off the wrong printer; only the administrator can take that back."""
    from playwright.sync_api import expect

    ana, marta, modelo = ano["ana"], ano["marta"], ano.modelo
    do_bem(ana, 29, "Dar baixa")
    seguir(ana, "Erro de cadastro")
    campos = {"Data da baixa": ano.dia(23, 6), "Justificativa": "Cadastrada duas vezes"}
    enviar(ana, "Dar baixa", campos, "Baixa registrada.")
    expect(ana.locator("main").get_by_role("link", name="Desfazer a baixa")).to_have_count(0)
    bem = modelo.bens[29]
    engano = modelo.abrir(
        "baixas", "baixa", "baixar", [29], "baixado", estado="efetiva", patrimonio=bem.descricao, setor="Administração",
        motivo="erro_cadastro", data=ano.dia(23, 6), portaria=None, boletim=None, data_ocorrencia=None, valor=bem.valor,
        situacao_anterior="em_uso",
    )  # fmt: skip
    do_bem(marta, 29, "Ver a baixa")
    marta.locator("tbody .plaqueta").first.click()
    seguir(marta, "Desfazer a baixa")
    enviar(marta, "Desfazer a baixa", {"Por que a baixa é desfeita": "A impressora existe, e está no almoxarifado"},
           "Baixa desfeita")  # fmt: skip
    modelo.fechar(engano, "baixa", "estornar_baixa", {"estado": "estornada"}, situacao="em_uso")


PASSOS = (
    os_cadastros, as_contas, a_planilha, as_etiquetas, a_entrega, as_transferencias, os_emprestimos, os_consertos,
    a_saida_de_davi, o_furto, o_engano,
)  # fmt: skip


# What people do again and again.


def comprados(ano: Ano) -> list[Bem]:
    """What came in: in the store of the administration, with Davi."""
    garantias = {25: 10, 26: 25, 27: 200}  # days from today on which they end
    numero, bens = 0, []
    for quantos, descricao, classe, valor in COMPRAS:
        for _ in range(quantos):
            numero += 1
            garantia = ano.hoje + dt.timedelta(days=garantias[numero]) if numero in garantias else None
            bens.append(Bem(numero, descricao, classe, Decimal(valor), ano.dia(12, 1), "SEMAD", "Almoxarifado",
                            "Davi Melo", garantia))  # fmt: skip
    return bens


def planilha(bens: list[Bem], errado: Bem | None = None) -> bytes:
    """As the seller made it: amounts and days as Excel has them, its own words for headings."""
    saida = io.BytesIO()
    with xlsxwriter.Workbook(saida, {"default_date_format": "dd/mm/yyyy"}) as livro:
        folha = livro.add_worksheet()
        titulos = [
            "Descrição do bem",
            "Grupo",
            "Preço",
            "Data da compra",
            "Garantia até",
            "Setor",
            "Onde está",
            "Matrícula",
        ]
        folha.write_row(0, 0, titulos)
        for linha, bem in enumerate(bens, 1):
            valor: Any = "três mil" if bem is errado else float(bem.valor)
            dados = [bem.descricao, bem.classe, valor, bem.aquisicao, bem.garantia, bem.setor, bem.local]
            folha.write_row(linha, 0, [*dados, AGENTES[bem.agente][0]])
    return saida.getvalue()


def mandar_planilha(pagina: Any, arquivo: Any) -> None:
    preencher(pagina, {"Planilha": arquivo})
    pagina.get_by_role("button", name="Enviar e conferir").click()
    pagina.wait_for_url(re.compile(r"/importacoes/[0-9a-f-]{36}$"))


def entregar(ano: Ano, numeros: Sequence[int], local: str, agente: str) -> None:
    """Hand over what is ticked."""
    ana = ano["ana"]
    ana.get_by_role("button", name="Trocar a carga dos marcados").click()
    aviso = f"Carga trocada de {len(numeros)} bens."
    enviar(ana, "Trocar a carga de todos", {"Local": local, "Agente responsável": agente}, aviso)
    ano.modelo.mudar("trocar_carga", numeros, setor=LOCAIS[local], local=local, agente=agente)


def marcar(pagina: Any, numeros: list[int]) -> None:
    """Tick assets in the list of all."""
    pagina.goto("/patrimonios")
    for numero in numeros:
        pagina.get_by_label(f"Marcar o bem {numero:06}").check()


def do_bem(pagina: Any, numero: int, acao: str) -> None:
    """Look a plate number up, as the search of the first page does, and choose what its card offers."""
    pagina.goto(f"/patrimonios?q={numero}")
    seguir(pagina, acao)


def abrir_transferencia(pagina: Any, motivo: str, numeros: list[int]) -> None:
    """From the asset's card to its transfer."""
    pagina.goto(f"/transferencias?bem={numeros[0]}")
    pagina.locator("tbody .plaqueta").first.click()
    pagina.get_by_text(motivo).first.wait_for()


def enviar_decisao(pagina: Any, botao: str, campos: dict[str, Any], aviso: str) -> None:
    """Choose on the card of a transfer, fill in and send."""
    seguir(pagina, botao)
    enviar(pagina, botao, campos, aviso)
