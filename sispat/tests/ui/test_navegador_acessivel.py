"""Nobody is shut out: axe-core finds nothing on any page, tables stay tables on phones, keys alone do everything."""

import asyncio
import os
import re
from collections.abc import Iterator

import pytest

from esteio.postgres import Database, Dsn
from sispat.dados_abertos.actions import PUBLICAR
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import Ending, perform

pytestmark = pytest.mark.browser
TELAS = {"mesa": {"width": 1280, "height": 900}, "telefone": {"width": 360, "height": 740}}
# The colours of the night are the same on a phone: there `make rounds` looks at them, too.
A_NOITE = TELAS if os.environ.get("SISPAT_AXE_NIGHTS") else {"mesa"}
PAGINAS = ("/", "/patrimonios", "/patrimonios?situacao=em_uso&q=mesa", "/patrimonios/novo", "/setores", "/setores/novo")
PAGINAS += (
    "/locais",
    "/agentes",
    "/agentes/novo",
    "/classes",
    "/classes/novo",
    "/locais/novo",
    "/auditoria",
    "/bloqueios",
    "/operacao",
    "/situacao",
)
PAGINAS += ("/imoveis", "/imoveis/novo", "/meus-avisos")
PAGINAS += (
    "/dados-abertos/publicar",
    "/fechamentos",
    "/fechamentos/novo",
    "/depreciacao/simulacao?anos=2",
    "/reavaliacoes",
    "/reavaliacoes/nova",
)
PAGINAS += (
    "/relatorios",
    "/relatorios/inventario-analitico?por=setor",
    "/relatorios/ficha?numero=1",
    "/relatorios/balancete",
    "/conciliacoes",
)
PAGINAS += (
    "/usuarios",
    "/usuarios/novo",
    "/chaves",
    "/conta",
    "/conta/senha",
    "/nao-existe",
    "/patrimonios?q=nada+disso",
)


def problemas(pagina, axe: str, *, noite: bool = True) -> list[str]:
    """What axe finds on the page as it is, by day and by night: rule, where, why."""
    pagina.evaluate(axe)
    achados = pagina.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    if noite:
        pagina.emulate_media(color_scheme="dark")
        cores = "axe.run(document, {resultTypes: ['violations'], runOnly: ['color-contrast']})"
        achados += pagina.evaluate(cores)["violations"]
        pagina.emulate_media(color_scheme="light")
    return [f"{a['id']}: {n['target']} {n['failureSummary']}" for a in achados for n in a["nodes"]]


def todas(pagina) -> list[str]:
    """The pages of the menu, and those of one asset and of one row of each register."""
    caminhos = list(PAGINAS)
    for lista in ("/patrimonios", "/imoveis", "/setores", "/agentes", "/locais", "/classes"):
        pagina.goto(lista)
        um = re.search(rf'"({lista}/[0-9a-f-]{{36}})"', pagina.content())[1]
        outras = {
            "/patrimonios": ("carga", "depreciacao"),
            "/imoveis": ("destinar", "depreciacao", "baixar", "baixar/venda"),
        }
        mais = outras.get(lista, ("excluir",))
        caminhos += [um, f"{um}/editar", *(f"{um}/{fim}" for fim in mais)]
    return caminhos


@pytest.mark.timeout(400)  # some forty pages, each looked at in two colour schemes
@pytest.mark.parametrize("tela", TELAS)
def test_axe_finds_nothing_on_any_page_by_day_and_by_night(aba, axe, tela, cidade) -> None:
    mes = asyncio.run(fechado_e_publicado(cidade))
    achados: dict[str, list[str]] = {}
    with aba(viewport=TELAS[tela], color_scheme="light", reduced_motion="reduce") as pagina:
        pagina.goto("/entrar")
        achados["/entrar"] = problemas(pagina, axe, noite=tela in A_NOITE)
        entrar(pagina)
        de_um_mes = [
            f"/fechamentos/{mes}{fim}" for fim in ("", "/lancamentos", "/lancamentos/bens?especie=depreciacao")
        ]
        for caminho in [*todas(pagina), *de_um_mes, "/dados-abertos"]:
            pagina.goto(caminho)
            achados[caminho] = problemas(pagina, axe, noite=tela in A_NOITE)
        pagina.goto("/patrimonios/novo")
        pagina.get_by_role("button", name="Cadastrar", exact=True).click()
        achados["com erros"] = problemas(pagina, axe, noite=tela in A_NOITE)
        pagina.get_by_role("combobox", name="Local").click()
        pagina.get_by_role("listbox", name="Local").wait_for()
        achados["lista aberta"] = problemas(pagina, axe, noite=tela in A_NOITE)
        for nome in passos(pagina):
            achados[nome] = problemas(pagina, axe, noite=tela in A_NOITE)
    assert {caminho: lista for caminho, lista in achados.items() if lista} == {}


async def fechado_e_publicado(cidade: Dsn) -> str:
    """A closed month, and open data; the month."""
    async with Database(cidade, min_size=1) as db:
        async with db.transaction() as conn:
            um = "select id from usuario where papel = 'gestor' limit 1"
            await conn.execute(f"select fechar_mes('2026-08-01', 'mes', ({um}))")
            await conn.execute(
                "insert into tarefa (tipo, argumentos, requisicao, idioma, tentativas, prazo)"
                " values (%s, '{}', 'r', 'pt-BR', 1, 60)", [PUBLICAR.name],
            )  # fmt: skip
        async with db.connection() as conn:
            feita = await queue.claim(conn, "teste")
        assert feita is not None
        assert await perform(db, {PUBLICAR.name: PUBLICAR}, feita.id, feita.turn) is Ending.ENDED
        async with db.connection() as conn:
            mes = await (await conn.execute("select id::text from fechamento")).fetchone()
    assert mes is not None
    return str(mes[0])


def passos(pagina) -> Iterator[str]:
    """The pages that only a step leads to, one after the other: the name of what is shown."""
    pagina.goto("/usuarios/novo")
    pagina.get_by_label("E-mail").fill("folha@cidade.example")
    pagina.get_by_label("Nome", exact=True).fill("Folha")
    pagina.get_by_label("Consulta").check()
    pagina.get_by_role("group", name="Integração").get_by_label("Sim").check()
    pagina.get_by_role("button", name="Cadastrar").click()
    pagina.get_by_role("heading", name="Nova chave").wait_for()
    pagina.get_by_label("Nome", exact=True).fill("Servidor")
    pagina.get_by_role("button", name="Criar chave").click()
    pagina.get_by_text("sispat_").first.wait_for()
    yield "chave mostrada"
    pagina.goto("/chaves")
    yield "chaves"
    pagina.goto("/conta/segundo-fator")
    pagina.get_by_role("button", name="Começar").click()
    pagina.get_by_role("button", name="Ativar").wait_for()
    yield "segundo fator começado"
    pagina.goto("/patrimonios")
    for marca in pagina.locator("tbody input[name=bem]").all()[:2]:
        marca.check()
    pagina.get_by_role("button", name="Trocar a carga dos marcados").click()
    pagina.get_by_role("heading", level=1).wait_for()
    yield "carga de muitos"
    bem = pagina.request.get("/api/patrimonios?limit=1").json()["items"][0]
    um = f"/patrimonios/{bem['id']}"
    pagina.goto(f"{um}/editar")
    escrever(pagina, "PATCH", f"/api{um}", {"descricao": "Mesa de outra pessoa"}, bem["versao"])
    pagina.get_by_role("textbox", name="Descrição").fill("Mesa desta pessoa")
    pagina.get_by_role("button", name="Salvar").click()
    pagina.get_by_role("heading", name="As duas versões").wait_for()
    yield "duas versões"


def escrever(pagina, metodo: str, caminho: str, dados: dict[str, object], versao: int = 0) -> dict[str, object]:
    """Ask the API as the person who is signed in on the page."""
    csrf = pagina.request.get("/api/auth/me").json()["csrf"]
    cabecalhos = {"X-CSRF-Token": csrf, "If-Match": f'"{versao}"'}
    resposta = pagina.request.fetch(caminho, method=metodo, data=dados, headers=cabecalhos)
    assert resposta.ok, resposta.text()
    return dict(resposta.json())


def entrar(pagina) -> None:
    pagina.get_by_label("E-mail").fill("admin@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("button", name="Sair").wait_for()


def test_a_table_is_a_table_on_a_phone_and_says_the_names_of_setores(aba) -> None:
    with aba("admin", viewport=TELAS["telefone"]) as pagina:
        for caminho in ("/patrimonios", "/setores", "/auditoria", "/"):
            pagina.goto(caminho)
            soltos = pagina.evaluate(
                "[...document.querySelectorAll('.em-cartoes, .em-cartoes :is(thead, tbody, tr, th, td)')]"
                ".filter(e => !e.hasAttribute('role')).map(e => e.outerHTML.slice(0, 80))"
            )
            assert soltos == [], caminho
        pagina.goto("/patrimonios")
        nome = pagina.locator("tbody abbr").first.get_attribute("title")
        assert pagina.locator("tbody tr").first.get_by_text(nome, exact=True).is_visible()


def test_keys_alone_sign_in_register_find_and_edit(aba) -> None:
    from playwright.sync_api import expect

    with aba() as pagina:
        teclas = pagina.keyboard
        pagina.goto("/patrimonios/novo")
        expect(pagina.get_by_label("E-mail")).to_be_focused()
        teclas.type("gestor@demo.local")
        ate(pagina, pagina.get_by_label("Senha"))
        teclas.type("demo")
        teclas.press("Enter")
        expect(pagina.get_by_role("heading", level=1)).to_have_text("Cadastrar bem")
        ate(pagina, pagina.get_by_label("Descrição", exact=True))
        teclas.type("Bem só das teclas zunir")
        escolher(pagina, "Classe")
        ate(pagina, pagina.get_by_label("Valor", exact=True))
        teclas.type("12,50")
        ate(pagina, pagina.get_by_label("Data de aquisição"))
        teclas.type("15032026")
        for nome in ("Local", "Agente responsável"):
            escolher(pagina, nome)
        teclas.press("Enter")
        expect(pagina.get_by_role("heading", level=1)).to_have_text("Bem só das teclas zunir")

        pagina.goto("/")
        expect(pagina.get_by_label("Número da plaqueta ou palavras da descrição")).to_be_focused()
        teclas.type("zunir")
        teclas.press("Enter")
        ate(pagina, pagina.locator("tbody .plaqueta").first)
        teclas.press("Enter")
        ate(pagina, pagina.get_by_role("link", name="Editar"))
        teclas.press("Enter")
        ate(pagina, pagina.get_by_label("Marca"))
        teclas.type("Tecla")
        teclas.press("Enter")
        expect(pagina.get_by_role("status").first).to_contain_text("Alterações gravadas.")


def escolher(pagina, nome: str) -> None:
    """Go there by Tab and choose one by the arrows."""
    from playwright.sync_api import expect

    ate(pagina, pagina.get_by_role("combobox", name=nome, exact=True))
    pagina.keyboard.press("ArrowDown")
    expect(pagina.get_by_role("listbox", name=nome)).to_be_visible()
    pagina.keyboard.press("ArrowDown")
    pagina.keyboard.press("Enter")


def ate(pagina, alvo, passos: int = 80) -> None:
    """Press Tab until `alvo` has the focus."""
    alvo.wait_for()
    for _ in range(passos):
        if alvo.evaluate("e => e === document.activeElement"):
            return
        pagina.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {alvo}")


def test_a_card_on_paper_has_no_collapsed_parts(aba) -> None:
    with aba("gestor") as pagina:
        bem = pagina.request.get("/api/patrimonios?limit=1").json()["items"][0]
        novo = {name: bem[name] for name in ("descricao", "valor", "data_aquisicao")}
        novo |= {f"{name}_id": bem[name]["id"] for name in ("classe", "setor", "local", "agente")}
        pagina.goto(f"/patrimonios/{escrever(pagina, 'POST', '/api/patrimonios', novo)['id']}")
        parte = pagina.locator(".historico details dl").first
        parte.wait_for(state="attached")
        assert not parte.is_visible(), "collapsed on the screen"
        pagina.emulate_media(media="print")
        assert parte.is_visible()
        assert parte.bounding_box()["height"] > 0


def test_a_typical_page_is_at_most_60_kb_on_its_way(aba) -> None:
    """What a first visit brings: the page, the stylesheet, the scripts, the picture."""
    with aba("gestor") as pagina:
        tamanhos: dict[str, int] = {}
        cliente = pagina.context.new_cdp_session(pagina)
        cliente.send("Network.enable")
        cliente.send("Network.setCacheDisabled", {"cacheDisabled": True})
        enderecos: dict[str, str] = {}
        cliente.on("Network.responseReceived", lambda e: enderecos.update({e["requestId"]: e["response"]["url"]}))
        cliente.on("Network.loadingFinished", lambda e: tamanhos.update({e["requestId"]: int(e["encodedDataLength"])}))
        for caminho in ("/", "/patrimonios", "/patrimonios/novo", "/auditoria"):
            tamanhos.clear()
            pagina.goto(caminho, wait_until="networkidle")
            total = sum(tamanhos.values())
            pintura = pagina.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
            print(f"{caminho}: {total} bytes, first paint after {pintura or 0:.0f} ms")
            assert 1000 < total <= 60_000, (caminho, {enderecos.get(i, i): t for i, t in tamanhos.items()})
