"""The contract of the API: documented, authorised everywhere, true to its own description."""

import hashlib
import os
import re
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
import schemathesis
from arquivos import jpeg
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from esteio.postgres import Database, Dsn
from sispat.app import create_app
from sispat.cadastros.fields import ENTITIES
from sispat.dados_abertos.actions import PUBLICAR
from sispat.http.openapi import texts_of
from sispat.http.route import HandlerRoute
from sispat.kernel.fields import specs
from sispat.kernel.inputs import Input
from sispat.kernel.jobs.work import Ending, perform
from sispat.kernel.public_codes import code_of
from sispat.patrimonios.fields import EdicaoDePatrimonio, NovoPatrimonio, TrocaDeCarga
from sispat.relatorios.table import RELATORIOS
from sispat.settings import Settings

CONFERENCIAS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
PUBLICAS = {
    "/api/auth/login", "/api/docs", "/api/openapi.json", "/api/publico/patrimonios/{codigo}", "/api/publico/termos",
    "/api/publico/termos/{codigo}", "/api/publico/dados-abertos", "/api/publico/dados-abertos/{arquivo}",
}  # fmt: skip


def rotas(dsn: Dsn) -> list[tuple[str, str]]:
    aplicacao = create_app(Settings(database_url=dsn))
    return [
        (metodo, rota.path.replace("{id_}", "00000000-0000-4000-8000-000000000000"))
        for rota in aplicacao.routes
        if isinstance(rota, HandlerRoute) and rota.path.startswith("/api") and rota.path not in PUBLICAS
        for metodo in rota.methods
    ]


async def test_without_a_session_every_route_but_the_public_ones_is_401(cliente, cidade) -> None:
    todas = rotas(cidade)
    assert len(todas) >= 25
    async with cliente(limit_global=None) as c:  # there are more routes than it admits requests
        for metodo, caminho in todas:
            r = await c.request(metodo, caminho, json={} if metodo in ("POST", "PUT", "PATCH") else None)
            assert r.status_code == 401, (metodo, caminho, r.text)
            assert r.headers["content-type"] == "application/problem+json"


async def test_openapi_describes_every_route_and_docs_are_served(cliente, cidade) -> None:
    async with cliente() as c:
        documento = (await c.get("/api/openapi.json")).json()
        pagina = await c.get("/api/docs")
        assert pagina.status_code == 200
        enderecos = re.findall(r'(?:src|href)="([^"]+)"', pagina.text)
        assert len(enderecos) >= 3
        for endereco in enderecos:  # nothing comes from elsewhere
            assert endereco.startswith("/")
            assert (await c.get(endereco)).status_code == 200
    caminhos = {
        rota.path for rota in create_app(Settings(database_url=cidade)).routes if isinstance(rota, HandlerRoute)
    }
    caminhos.discard("/api/docs")
    assert {p for p in caminhos if p.startswith("/api")} == set(documento["paths"])
    assert "bearer" in documento["components"]["securitySchemes"]
    for caminho, operacoes in documento["paths"].items():
        for operacao in operacoes.values():
            assert operacao["summary"], caminho
            assert ("security" in operacao) == (caminho not in PUBLICAS), caminho


async def test_unknown_paths_and_methods_are_problems_too(cliente) -> None:
    async with cliente() as c:
        for metodo, caminho, estado in (("GET", "/api/nada", 404), ("PATCH", "/api/patrimonios", 405)):
            r = await c.request(metodo, caminho)
            assert (r.status_code, r.headers["content-type"]) == (estado, "application/problem+json")
            assert r.json()["request_id"] == r.headers["x-request-id"]


EXEMPLOS = int(os.environ.get("SISPAT_CONTRACT_EXAMPLES", "4"))  # of each operation; `make rounds` makes more


def casos(operacao: Any, quantos: int = EXEMPLOS) -> list[Any]:
    """Requests a program might send to one operation, by its own description."""
    colhidos: list[Any] = []

    @settings(
        max_examples=quantos,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operacao.as_strategy())
    def colher(caso: Any) -> None:
        colhidos.append(caso)

    colher()
    return colhidos


@pytest.mark.timeout(240)
async def test_answers_are_as_described_for_generated_requests(cliente, cidade) -> None:
    esquema = schemathesis.openapi.from_dict(create_app(Settings(database_url=cidade)).openapi())
    operacoes = [r.ok() for r in esquema.get_all_operations() if r.ok().path != "/api/auth/logout"]
    enviados = 0
    async with cliente("admin@demo.local", limit_write=None, limit_report=None) as c:
        for operacao in operacoes:
            for caso in casos(operacao):
                pedido = caso.as_transport_kwargs(base_url="http://sispat.test")
                cabecalhos = {n: v for n, v in pedido["headers"].items() if n.lower() != "authorization"}
                try:
                    r = await c.request(
                        pedido["method"],
                        pedido["url"],
                        params=pedido.get("params"),
                        headers={n: v.encode("latin-1") for n, v in cabecalhos.items()},
                        json=pedido.get("json"),
                        content=pedido.get("data"),
                        cookies=None,
                    )
                except (UnicodeEncodeError, httpx2.InvalidURL):
                    continue  # not a request that can be sent
                enviados += 1
                assert r.status_code < 500, (operacao.label, pedido, r.text)
                caso.validate_response(r, checks=CONFERENCIAS)
    assert enviados > 150


def uma_tarefa(cidade: Dsn) -> str:
    with psycopg.connect(cidade.conninfo) as conn:
        linha = conn.execute(
            "insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)"
            " select 'teste.algo', '{}', id, 'r', 'pt-BR', 5, 60 from usuario limit 1 returning id"
        ).fetchone()
    return str(linha and linha[0])


async def test_real_answers_of_every_route_are_as_described(cliente, cidade) -> None:
    """Random ids find nothing: here each route gets ids that exist and, for a write, what is stored with one change."""
    esquema = schemathesis.openapi.from_dict(create_app(Settings(database_url=cidade)).openapi())
    operacoes = {(o.path, o.method.upper()): o for o in (r.ok() for r in esquema.get_all_operations())}
    vistas: set[tuple[str, str]] = set()

    async def pedir(metodo: str, caminho: str, modelo: str = "", esperado: int = 200, **mais: Any) -> httpx2.Response:
        operacao = operacoes[modelo or caminho, metodo]
        r = await c.request(metodo, caminho, **mais)
        assert r.status_code == esperado, (metodo, caminho, r.text)
        ids = {
            part[1:-1]: given
            for part, given in zip(modelo.split("/"), caminho.split("/"), strict=False)
            if part.startswith("{")
        }
        operacao.Case(method=metodo, path_parameters=ids).validate_response(r, checks=CONFERENCIAS)
        vistas.add((modelo or caminho, metodo))
        return r

    async with cliente(
        "admin@demo.local", limit_write=None, click_signing=True, limit_report=None, open_data=True
    ) as c:
        itens = (await pedir("GET", "/api/patrimonios")).json()["items"]
        um = f"/api/patrimonios/{itens[0]['id']}"
        ficha = (await pedir("GET", um, "/api/patrimonios/{id_}")).json()
        await pedir("GET", f"{um}/historico", "/api/patrimonios/{id_}/historico")
        for forma in ("csv", "xlsx"):
            await pedir("GET", f"/api/patrimonios.{forma}")
        escritos = {n: ficha[s.member] for n, s in specs(NovoPatrimonio).items() if s.member in ficha}
        escritos = {n: v["id"] if isinstance(v, dict) else v for n, v in escritos.items()}
        await pedir("POST", "/api/patrimonios", esperado=201, json={**escritos, "quantidade": 2})
        for caminho, modelo in ((um, EdicaoDePatrimonio), (f"{um}/carga", TrocaDeCarga)):
            versao = (await c.get(um)).json()["versao"]
            corpo = {n: escritos[n] for n in specs(modelo)}
            if "descricao" in corpo:
                corpo["descricao"] += " (conferido)"
            descrita = caminho.replace(um, "/api/patrimonios/{id_}")
            await pedir("PUT", caminho, descrita, json=corpo, headers={"If-Match": str(versao)})
        sem_quantos = {n: v for n, v in escritos.items() if n != "quantidade"}
        await pedir("POST", "/api/patrimonios/lote", esperado=201, json={"items": [sem_quantos, sem_quantos]})
        versao = (await c.get(um)).json()["versao"]
        corrigido = {"json": {"marca": "Outra"}, "headers": {"If-Match": str(versao)}}
        await pedir("PATCH", um, "/api/patrimonios/{id_}", **corrigido)
        muitos = {"numeros": [1, 2], "agente_id": escritos["agente_id"]}
        await pedir("POST", "/api/patrimonios/carga", json=muitos)
        for plural, tabela in (("setores", "setor"), ("locais", "local"), ("agentes", "agente"), ("classes", "classe")):
            raiz, (entrada,) = f"/api/{plural}", ENTITIES[tabela].typed
            linha = (await pedir("GET", raiz)).json()[0]
            corpo = {n: linha[n] for n in specs(entrada)} | {"nome": "Com outro nome", "cpf": None}
            corpo = {n: v for n, v in corpo.items() if n in specs(entrada)}
            unico = {"codigo": "ZZ", "matricula": "ZZ", "conta": "9.9.9"}
            novo = await pedir("POST", raiz, esperado=201, json={n: unico.get(n, v) for n, v in corpo.items()})
            outro, modelo = f"{raiz}/{novo.json()['id']}", raiz + "/{id_}"
            await pedir("GET", outro, modelo)
            r = await pedir("PUT", outro, modelo, json=novo_nome(novo.json(), entrada), headers={"If-Match": "1"})
            corrigido = {"json": {"nome": "Corrigido"}, "headers": {"If-Match": str(r.json()["versao"])}}
            r = await pedir("PATCH", outro, modelo, **corrigido)
            await pedir("DELETE", outro, modelo, 204, headers={"If-Match": str(r.json()["versao"])})
        comissao = (await c.get("/api/comissoes")).json()["items"][0]["id"]
        await _movimentos(pedir, escritos, comissao)
        await _imoveis(pedir, escritos)
        await _inventarios(pedir, escritos, comissao)
        await _documentos(pedir, itens[1]["id"])
        await _termos(pedir, escritos)
        await _reavaliacoes(pedir, escritos, comissao)
        await _fechamentos(pedir, cidade, itens[0]["id"])
        await _dados_abertos(pedir, cidade)
        await pedir("GET", "/api/etiquetas", params={"numeros": "1,2"})
        etiqueta = code_of(UUID(ficha["id"]))
        await pedir("GET", f"/api/publico/patrimonios/{etiqueta}", "/api/publico/patrimonios/{codigo}")
        agente = {"setor_id": escritos["setor_id"], "nome": "Que sai", "matricula": "SAI-1"}
        sai = (await c.post("/api/agentes", json=agente)).json()["id"]
        saida = {"sucessor_id": escritos["agente_id"], "motivo": "Aposentadoria"}
        await pedir("POST", f"/api/agentes/{sai}/saida", "/api/agentes/{id_}/saida", json=saida)
        await pedir("GET", "/api/auditoria")
        await pedir("GET", "/api/auth/me")
        await pedir("GET", "/api/avisos")
        await pedir("PUT", "/api/avisos", json={"quando": "na_hora", "idioma": "pt-BR"})
        await pedir("GET", "/api/usuarios")
        ana = {"email": "ana@x.y", "nome": "Ana", "papel": "consulta", "setores": []}
        novo = await pedir("POST", "/api/usuarios", esperado=201, json=ana)
        um, modelo = f"/api/usuarios/{novo.json()['id']}", "/api/usuarios/{id_}"
        await pedir("GET", um, modelo)
        await pedir("PUT", um, modelo, json={**ana, "nome": "Ana Lima"}, headers={"If-Match": "1"})
        for fim in ("desativacao", "reativacao", "senha-provisoria"):
            await pedir("POST", f"{um}/{fim}", f"{modelo}/{fim}")
        await pedir("GET", f"{um}/sessoes", f"{modelo}/sessoes")
        await pedir("DELETE", f"{um}/sessoes", f"{modelo}/sessoes")
        folha = {"email": "folha@x.y", "nome": "Folha", "papel": "consulta", "integracao": True}
        integracao = (await pedir("POST", "/api/usuarios", esperado=201, json=folha)).json()["id"]
        nova = {"esperado": 201, "json": {"nome": "Folha", "dias": 30}}
        chave = (await pedir("POST", f"/api/usuarios/{integracao}/chaves", modelo + "/chaves", **nova)).json()["chave"][
            "id"
        ]
        await pedir("GET", "/api/chaves")
        await pedir("GET", f"/api/chaves/{chave}", "/api/chaves/{id_}")
        await pedir("POST", f"/api/chaves/{chave}/revogacao", "/api/chaves/{id_}/revogacao")
        await pedir("GET", "/api/tarefas")
        tarefa = uma_tarefa(cidade)
        await pedir("GET", f"/api/tarefas/{tarefa}", "/api/tarefas/{id_}")
        await pedir("POST", f"/api/tarefas/{tarefa}/cancelamento", "/api/tarefas/{id_}/cancelamento")
        i = (await c.post("/api/importacoes", files={"arquivo": ("bens.csv", b"a;b")})).json()["id"]
        await pedir("GET", "/api/importacoes")
        raiz, molde = f"/api/importacoes/{i}", "/api/importacoes/{id_}"
        for fim in ("", "/erros", "/erros.csv"):
            await pedir("GET", raiz + fim, molde + fim)
        await pedir("POST", f"{raiz}/conferencia", f"{molde}/conferencia", esperado=422, json={})
        await pedir("POST", f"{raiz}/gravacao", f"{molde}/gravacao", esperado=422, json={"versao": 1})
        await pedir("POST", f"{raiz}/desfazimento", f"{molde}/desfazimento", esperado=422)
        await pedir("GET", "/api/auth/sessoes")
        await pedir("DELETE", "/api/auth/sessoes")
        await pedir("POST", "/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        await c.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "x"})
        await pedir("GET", "/api/bloqueios")
        await pedir("POST", "/api/auth/logout", esperado=204)
    noutros_testes = {
        ("/api/importacoes", "POST"), ("/api/inventarios/codigo", "POST"), ("/api/inventarios/{id_}/eventos", "GET"),
        ("/api/inventario-itens/{id_}/fotos", "POST"),
            ("/api/cep/{cep}", "GET"), ("/api/bloqueios/{id_}/liberacao", "POST"), ("/api/auth/senha", "PUT"),
        ("/api/auth/codigo", "POST"), ("/api/auth/segundo-fator", "POST"), ("/api/auth/segundo-fator", "PUT"),
        ("/api/usuarios/{id_}/segundo-fator", "DELETE"),
        ("/api/auth/sessoes/{id_}", "DELETE"), ("/api/usuarios/{id_}/sessoes/{sessao_id}", "DELETE"),
    }  # fmt: skip
    assert operacoes.keys() - vistas <= noutros_testes, "with a ViaCEP of their own, a real block, real sessions"


async def _documentos(pedir: Any, bem: str) -> None:
    dono, modelo = {"entidade": "patrimonio", "entidade_id": bem}, "/api/uploads/{id_}"
    partes = [(f'name="{nome}"', valor.encode()) for nome, valor in dono.items()]
    partes.append(('name="arquivo"; filename="a.jpg"', jpeg()))
    corpo = b"".join(
        b"--b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (nome.encode(), valor) for nome, valor in partes
    )
    foto = {"content": corpo + b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
    um = (await pedir("POST", "/api/uploads", esperado=201, **foto)).json()["items"][0]["id"]
    await pedir("GET", "/api/uploads", params=dono)
    await pedir("GET", f"/api/uploads/{um}", modelo)
    for parte in ("conteudo", "miniatura"):
        await pedir("GET", f"/api/uploads/{um}/{parte}", f"{modelo}/{parte}")
    await pedir("POST", f"/api/uploads/{um}/principal", f"{modelo}/principal")
    await pedir("DELETE", f"/api/uploads/{um}", modelo, 204)


async def _movimentos(pedir: Any, escritos: dict[str, Any], comissao: str) -> None:
    """A transfer of three, accepted, refused and cancelled one by one; what is given is registered first."""
    destino = {"destino_id": escritos["setor_id"], **{n: escritos[n] for n in ("local_id", "agente_id")}}
    novo = {n: v for n, v in escritos.items() if n != "numeros_serie"} | {"quantidade": 6}
    r = await pedir("POST", "/api/patrimonios", esperado=201, json=novo)
    primeiro = r.json()["numero"]
    pedido = {"numeros": [primeiro, primeiro + 1, primeiro + 2], "motivo": "Sala nova", **destino}
    r = await pedir("POST", "/api/transferencias", esperado=201, json=pedido)
    uma, modelo = f"/api/transferencias/{r.json()['items'][0]['id']}", "/api/transferencias/{id_}"
    for n, (fim, corpo) in enumerate(
        (("aceite", {"agente_id": destino["agente_id"]}), ("recusa", {"observacao": "Quebrado"}), ("cancelamento", {}))
    ):
        await pedir("POST", f"{uma}/{fim}", f"{modelo}/{fim}", json=corpo | {"numeros": [primeiro + n]})
    await pedir("GET", uma, modelo)
    await pedir("GET", f"{uma}/bens", f"{modelo}/bens")
    dias = {"saida": "2026-03-02", "previsao": "2026-03-20"}
    for plural, fim, abre, fecha in (
        ("emprestimos", "devolucao", {**dias, "tomador": "Escola", "finalidade": "Feira"}, {"devolvido_em": "2026-03-09"}),
        ("manutencoes", "conclusao", {"problema": "Não liga", "enviado_em": "2026-03-02"},
         {"concluido_em": "2026-03-09", "custo": "1.00", "servico": "Fonte trocada"}),
        ("baixas", "estorno", {"motivo": "erro_cadastro", "data": "2026-03-02", "justificativa": "Cadastrado duas vezes"},
         {"estorno": "Não era o mesmo bem"}),
    ):  # fmt: skip
        r = await pedir("POST", f"/api/{plural}", esperado=201, json={**abre, "numeros": [primeiro + 3, primeiro + 4]})
        uma, modelo = f"/api/{plural}/{r.json()['items'][0]['id']}", f"/api/{plural}/{{id_}}"
        await pedir("GET", uma, modelo)
        for feita in r.json()["items"]:
            await pedir("POST", f"/api/{plural}/{feita['id']}/{fim}", f"{modelo}/{fim}", json=fecha)
    um = {"numeros": [primeiro + 5]}
    r = await pedir(
        "POST", "/api/emprestimos", esperado=201, json={**dias, **um, "tomador": "Escola", "finalidade": "Feira"}
    )
    uma = f"/api/emprestimos/{r.json()['items'][0]['id']}"
    depois = {"previsao": "2099-03-20", "motivo": "Feira adiada"}
    await pedir("POST", f"{uma}/prorrogacao", "/api/emprestimos/{id_}/prorrogacao", json=depois)
    um, nota = {"numeros": [primeiro + 4]}, {"data": "2026-03-09", "circunstancia": "Não estava na sala"}
    r = await pedir("POST", "/api/localizacoes/falta", esperado=201, json=um | nota)
    await pedir("GET", f"/api/localizacoes/{r.json()['items'][0]['id']}", "/api/localizacoes/{id_}")
    await pedir("POST", "/api/localizacoes/reencontro", esperado=201, json=um | nota)
    achado = {
        "encontrado_em": "2026-03-09", "circunstancia": "No depósito", "laudo": "L-1", "avaliado_em": "2026-03-09",
        "valor_avaliado": "10.00", "descricao": "Armário", "comissao_id": comissao,
        **{n: escritos[n] for n in ("classe_id", "local_id", "agente_id")},
    }  # fmt: skip
    r = await pedir("POST", "/api/regularizacoes", esperado=201, json=achado)
    await pedir("GET", f"/api/regularizacoes/{r.json()['id']}", "/api/regularizacoes/{id_}")
    for plural in ("transferencias", "emprestimos", "manutencoes", "localizacoes", "regularizacoes", "baixas"):
        await pedir("GET", f"/api/{plural}")
        await pedir("GET", f"/api/{plural}.csv")
        await pedir("GET", f"/api/{plural}.xlsx")


async def _imoveis(pedir: Any, escritos: dict[str, Any]) -> None:
    """A commission appraises an imóvel that is freed from its use, sold, and taken back."""
    agentes = (await pedir("GET", "/api/agentes")).json()
    nova = {"portaria": "99/2026", "inicio": "2026-01-05", "matriculas": [a["matricula"] for a in agentes[:3]]}
    comissao = (await pedir("POST", "/api/comissoes", esperado=201, json=nova)).json()
    uma, modelo = f"/api/comissoes/{comissao['id']}", "/api/comissoes/{id_}"
    await pedir("GET", uma, modelo)
    await pedir("PUT", uma, modelo, json={**nova, "observacao": "Conferida"}, headers={"If-Match": "1"})
    novo = {
        "nome": "Lote da avenida", "valor_terreno": "10.00", "valor_edificacao": "0.00", "data_aquisicao": "2020-01-01",
        "setor_id": escritos["setor_id"], "agente_id": escritos["agente_id"],
    }  # fmt: skip
    imovel = (await pedir("POST", "/api/imoveis", esperado=201, json={**novo, "destinacao": "uso_especial"})).json()
    um, modelo_de_um = f"/api/imoveis/{imovel['id']}", "/api/imoveis/{id_}"
    await pedir("GET", um, modelo_de_um)
    await pedir("PUT", um, modelo_de_um, json={**novo, "uso": "Depósito"}, headers={"If-Match": "1"})
    await pedir("PATCH", um, modelo_de_um, json={"uso": ""}, headers={"If-Match": "2"})
    lei = {"para": "dominical", "ato": "lei", "numero_ato": "1/2026", "data": "2026-03-02", "motivo": "Sem uso"}
    mudanca = (await pedir("POST", f"{um}/destinacao", f"{modelo_de_um}/destinacao", 201, json=lei)).json()
    venda = {
        "motivo": "venda", "data": "2026-03-02", "justificativa": "Sem uso há dez anos", "lei": "1/2026", "laudo": "L-1",
        "data_lei": "2026-03-02", "processo": "1/2026", "valor_avaliado": "10.00", "destinatario": "Construtora",
        "destinatario_doc": "11222333000181", "comissao_id": comissao["id"],
    }  # fmt: skip
    baixa = (await pedir("POST", f"{um}/baixa", f"{modelo_de_um}/baixa", 201, json=venda)).json()
    assert (baixa["portaria"], baixa["membros"].count("\n")) == ("99/2026", 2)
    await pedir("GET", f"{um}/historico", f"{modelo_de_um}/historico")
    feita, modelo_da_baixa = f"/api/baixas-de-imoveis/{baixa['id']}", "/api/baixas-de-imoveis/{id_}"
    await pedir("GET", feita, modelo_da_baixa)
    await pedir("POST", f"{feita}/estorno", f"{modelo_da_baixa}/estorno", json={"estorno": "Não houve leilão"})
    await pedir("GET", f"/api/destinacoes/{mudanca['id']}", "/api/destinacoes/{id_}")
    await pedir("POST", f"{uma}/encerramento", f"{modelo}/encerramento", json={"encerrada_em": "2026-03-02"})
    for plural in ("imoveis", "destinacoes", "baixas-de-imoveis", "comissoes"):
        await pedir("GET", f"/api/{plural}")
        await pedir("GET", f"/api/{plural}.csv")
        await pedir("GET", f"/api/{plural}.xlsx")


async def _reavaliacoes(pedir: Any, escritos: dict[str, Any], comissao: str) -> None:
    """A report on an asset that was just registered, taken back."""
    novo = {n: v for n, v in escritos.items() if n != "numeros_serie"} | {"quantidade": 1, "posse": "proprio"}
    numero = (await pedir("POST", "/api/patrimonios", esperado=201, json=novo)).json()["numero"]
    laudo = {
        "tipo": "reavaliacao", "data": "2026-03-09", "laudo": "L-1", "justificativa": "Pesquisa de preços",
        "comissao_id": comissao, "bens": [{"numero": numero, "valor": "10.00"}],
    }  # fmt: skip
    feito = (await pedir("POST", "/api/reavaliacoes", esperado=201, json=laudo)).json()
    um, modelo = f"/api/reavaliacoes/{feito['id']}", "/api/reavaliacoes/{id_}"
    await pedir("GET", um, modelo)
    await pedir("GET", f"{um}/bens", f"{modelo}/bens")
    for fim in ("", ".csv", ".xlsx"):
        await pedir("GET", f"/api/reavaliacoes{fim}")
    await pedir("POST", f"{um}/estorno", f"{modelo}/estorno", json={"estorno": "Era outro bem"})


async def _fechamentos(pedir: Any, cidade: Dsn, bem: str) -> None:
    """A month that is closed, read, reopened; and one that is asked for."""
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("select fechar_mes('2026-08-01', 'mes', id) from usuario where papel = 'gestor' limit 1")
    um = f"/api/fechamentos/{(await pedir('GET', '/api/fechamentos')).json()['items'][0]['id']}"
    modelo = "/api/fechamentos/{id_}"
    await pedir("GET", um, modelo)
    for fim in ("", ".csv", ".xlsx"):
        await pedir("GET", f"/api/fechamentos{fim}")
        await pedir("GET", f"{um}/bens{fim}", f"{modelo}/bens{fim}")
        await pedir("GET", f"{um}/lancamentos{fim}", f"{modelo}/lancamentos{fim}")
    for fim in ("", ".csv"):
        await pedir("GET", f"{um}/lancamentos/bens{fim}", f"{modelo}/lancamentos/bens{fim}")
    await pedir("GET", "/api/depreciacao/simulacao")
    await pedir("GET", f"/api/patrimonios/{bem}/depreciacao", "/api/patrimonios/{id_}/depreciacao")
    imovel = (await pedir("GET", "/api/imoveis")).json()["items"][0]["id"]
    um_imovel = await pedir("GET", f"/api/imoveis/{imovel}/depreciacao", "/api/imoveis/{id_}/depreciacao")
    assert {each["tipo"] for each in um_imovel.json()} >= {"terreno"}
    await _relatorios(pedir, cidade)
    await pedir("POST", f"{um}/reabertura", f"{modelo}/reabertura", json={"motivo": "Fechado cedo demais"})
    await pedir("POST", "/api/fechamentos", esperado=202, json={"competencia": "2026-08-01"})


async def _relatorios(pedir: Any, cidade: Dsn) -> None:
    """A reconciliation; each report of a closed month in each form, and one that a job made."""
    with psycopg.connect(cidade.conninfo) as conn:
        accounts = [row[0] for row in conn.execute("select conta from fechamento_conta").fetchall()]
    both = [{"conta": each, "bruto": "1.00", "acumulada": "0.00"} for each in accounts]
    made = await pedir("POST", "/api/conciliacoes", esperado=201, json={"competencia": "2026-08-01", "contas": both})
    um, modelo = f"/api/conciliacoes/{made.json()['id']}", "/api/conciliacoes/{id_}"
    await pedir("GET", um, modelo)
    await pedir("GET", f"{um}/contas", f"{modelo}/contas")
    for fim in ("", ".csv", ".xlsx"):
        await pedir("GET", f"/api/conciliacoes{fim}")
    await pedir("GET", "/api/relatorios")
    with psycopg.connect(cidade.conninfo) as conn:
        (agente,) = conn.execute("select agente_id from patrimonio where numero = 1").fetchone()
    asked = {"ficha": "numero=1", "carga": f"agente={agente}"}
    for each in RELATORIOS:
        for end in ("json", "csv", "xlsx", "pdf"):
            await pedir("GET", f"{each.api}.{end}?{asked.get(each.name, '')}", f"{each.api}.{end}")
    for each in RELATORIOS:
        body = dict([asked[each.name].split("=")]) if each.name in asked else {}
        made = (await pedir("POST", f"{each.api}/tarefas", esperado=202, json=body)).json()
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute("update relatorio_arquivo set pronto_em = now(), tamanho = 1")
        conn.execute("insert into relatorio_parte values (%s, 0, 'x')", [made["arquivo_id"]])
        conn.execute("delete from tarefa where tipo = 'relatorios.fazer_pdf'")
    await pedir("GET", f"/api/relatorios/arquivos/{made['arquivo_id']}", "/api/relatorios/arquivos/{id_}")


async def _dados_abertos(pedir: Any, cidade: Dsn) -> None:
    """What is published, by the job that was asked for."""
    id_ = (await pedir("POST", "/api/dados-abertos", esperado=202)).json()["tarefa_id"]
    async with Database(cidade, min_size=1) as db:
        async with db.connection() as conn:
            await conn.execute(
                "update tarefa set estado = 'executando', vez = 1, vista_em = now() where id = %s", [id_]
            )
        assert await perform(db, {PUBLICAR.name: PUBLICAR}, UUID(id_), 1) is Ending.ENDED
    await pedir("GET", "/api/publico/dados-abertos")
    await pedir("GET", "/api/publico/dados-abertos/bens.csv", "/api/publico/dados-abertos/{arquivo}")


async def _inventarios(pedir: Any, escritos: dict[str, Any], comissao: str) -> None:
    """A count of one local: all of it missing, and one without a plate; decided, reported, closed."""
    lugar = {"local_id": escritos["local_id"]}
    novo = {"escopo": "local", "comissao_id": comissao, "data_base": "2026-12-31", **lugar}
    feito = (await pedir("POST", "/api/inventarios", esperado=201, json=novo)).json()
    um, modelo = f"/api/inventarios/{feito['id']}", "/api/inventarios/{id_}"
    await pedir("GET", um, modelo)
    de = {"inventario": feito["numero"], "limit": 200}
    itens = (await pedir("GET", "/api/inventario-itens", params=de)).json()["items"]
    await pedir("POST", f"{um}/estado", f"{modelo}/estado", json={"estado": "contando"})
    agora = {"lida_em": "2026-12-01T10:00:00-03:00"}
    lidas = [{"id": i["id"], "codigo": str(i["plaqueta"]), "resultado": "nao_encontrado", **agora} for i in itens]
    achado = {"id": feito["id"], "resultado": "sem_tombo", "descricao": "Ventilador", **lugar, **agora}
    for parte in (lidas[:99], [*lidas[99:], achado]):
        await pedir("POST", f"{um}/leituras", f"{modelo}/leituras", json={"leituras": parte})
    await pedir("GET", f"{um}/progresso", f"{modelo}/progresso")
    await pedir("POST", f"{um}/estado", f"{modelo}/estado", json={"estado": "decidindo"})
    molde = "/api/inventario-itens/{id_}"
    for item in itens:
        outro = f"/api/inventario-itens/{item['id']}"
        manter = {"decisao": "manter", "justificativa": "Está emprestado"}
        await pedir("POST", f"{outro}/decisao", f"{molde}/decisao", json=manter)
    await pedir("GET", outro, molde)
    await pedir("GET", f"{outro}/leituras", f"{molde}/leituras")
    regular = {
        "encontrado_em": "2026-03-09", "circunstancia": "No depósito", "laudo": "L-2", "avaliado_em": "2026-03-09",
        "valor_avaliado": "10.00", "descricao": "Ventilador", "comissao_id": comissao,
        **{n: escritos[n] for n in ("classe_id", "local_id", "agente_id")},
    }  # fmt: skip
    await pedir("POST", f"/api/inventario-itens/{feito['id']}/regularizacao", f"{molde}/regularizacao", json=regular)
    await pedir("GET", f"{um}/relatorio.pdf", f"{modelo}/relatorio.pdf")
    await pedir("POST", f"{um}/estado", f"{modelo}/estado", json={"estado": "encerrado"})
    for plural in ("inventarios", "inventario-itens"):
        for forma in ("", ".csv", ".xlsx"):
            await pedir("GET", f"/api/{plural}{forma}")


async def _termos(pedir: Any, escritos: dict[str, Any]) -> None:
    """A termo of somebody's custody: issued, printed, signed by who issued it, confirmed, annulled."""
    novo = {"tipo": "responsabilidade", "assunto_id": escritos["agente_id"]}
    termo = (await pedir("POST", "/api/termos", esperado=201, json=novo)).json()
    um, modelo = f"/api/termos/{termo['id']}", "/api/termos/{id_}"
    for caminho in ("/api/termos", "/api/termos.csv", "/api/termos.xlsx"):
        await pedir("GET", caminho)
    await pedir("GET", um, modelo)
    await pedir("GET", f"{um}/partes", f"{modelo}/partes")
    sha256 = hashlib.sha256((await pedir("GET", f"{um}/pdf", f"{modelo}/pdf")).content).hexdigest()
    await pedir("POST", f"{um}/assinatura", f"{modelo}/assinatura", json={"sha256": sha256})
    await pedir("GET", f"/api/publico/termos/{termo['codigo']}", "/api/publico/termos/{codigo}")
    await pedir("GET", "/api/publico/termos", params={"sha256": sha256})
    await pedir("POST", f"{um}/anulacao", f"{modelo}/anulacao", json={"anulacao": "Pessoa errada"})


def novo_nome(linha: dict[str, Any], entrada: type[Input]) -> dict[str, Any]:
    return {nome: linha[nome] for nome in specs(entrada)} | {"nome": "Ainda outro nome"}


async def test_the_document_is_in_the_language_that_is_asked_for(cliente) -> None:
    async with cliente() as c:
        em_portugues = (await c.get("/api/openapi.json")).json()
        aceito = await c.get("/api/openapi.json", headers={"Accept-Language": "en"})
        pedido = await c.get("/api/openapi.json", params={"lang": "en"}, headers={"Accept-Language": "pt-BR"})
        assert (await c.get("/api/docs", params={"lang": "en"})).text.count('<html lang="en">') == 1
    assert aceito.json() == pedido.json()
    assert aceito.headers["content-language"] == "en"
    assert aceito.headers["vary"].startswith("Accept-Language, Cookie")
    assert em_portugues["paths"]["/api/patrimonios"]["get"]["summary"] == "Listar"
    assert aceito.json()["paths"]["/api/patrimonios"]["get"]["summary"] == "List"
    portugues, ingles = (list(texts_of(documento)) for documento in (em_portugues, aceito.json()))
    assert len(portugues) == len(ingles) > 300
    # A catalogue that lacks one is found by test_messages; here that each goes through it.
    assert [
        a for a, b in zip(portugues, ingles, strict=True) if a == b and re.search(r"[ãõçáéíóú]| (de|da|do|que) ", a)
    ] == []
