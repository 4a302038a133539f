"""Forms in bad weather: nothing typed is lost, nothing is done twice, nothing is saved unseen."""

import asyncio
import re
from urllib.parse import quote, urlencode

import psycopg
import pytest
from leitor import Tela

URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


def quantos(dsn) -> int:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute("select count(*) from patrimonio").fetchone()[0]


def vencer_sessoes(dsn) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("update sessao set expira_em = now() - interval '1 second'")


@pytest.mark.parametrize(
    ("campo", "valor", "diz"),
    [
        ("descricao", "", "Preencha este campo."),
        ("descricao", "x" * 501, "no máximo 500"),
        ("descricao", "mesa \x00 nula", "NUL"),
        ("descricao", "sino \x07", "controle"),
        ("valor", "mil", "1.234,56"),
        ("valor", "-1", "mínimo é 0"),
        ("data_aquisicao", "31/02/2026", "data"),
        ("data_disponivel", "01/01/2020", "posterior"),
        ("classe_id", "", "Preencha"),
        ("local_id", "", "Escolha um local"),
        ("local_id", "00000000-0000-4000-8000-000000000000", "Escolha um local"),
        ("agente_id", "nada", "Escolha um item"),
        ("fornecedor_doc", "11.222.333/0001-82", "dígitos"),
        ("quantidade", "501", "máximo é 500"),
        ("quantidade", "dois", "número inteiro"),
        ("conservacao", "novinho", "opções"),
        ("observacao", "y" * 2001, "no máximo 2000"),
    ],
)
async def test_a_wrong_field_is_named_and_everything_typed_is_still_there(navegar, cidade, campo, valor, diz) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        digitado = {**dados, "marca": "Única", "observacao": "linha 1\nlinha 2", "quantidade": "2", campo: valor}
        tela = await pessoa.mandar(formulario, **digitado)
        assert tela.estado == 422
        assert diz in tela.texto
        assert f'href="#campo-{campo}"' in tela.html
        assert f'id="erro-{campo}"' in tela.html
        assert 'aria-invalid="true"' in tela.html
        de_volta = tela.formulario("/patrimonios/novo").valores
        escolhas = {"classe_id", "local_id", "agente_id", "conservacao"}
        for nome, texto in digitado.items():
            if nome not in escolhas or nome != campo:
                assert de_volta[nome] == re.sub("[\x00\x07]", "\ufffd", texto), nome
    assert quantos(cidade) == 300


async def test_all_wrong_fields_are_named_at_once(navegar) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.mandar((await pessoa.ver("/patrimonios/novo")).formulario("/patrimonios/novo"))
        assert tela.estado == 422
        for campo in ("descricao", "classe_id", "valor", "data_aquisicao", "local_id", "agente_id"):
            assert f'id="erro-{campo}"' in tela.html


async def test_what_is_typed_is_shown_as_text_never_run(navegar) -> None:
    maldade = "\"><script>alert(1)</script>'{{7*7}}</textarea>"
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        errado = await pessoa.mandar(formulario, **{**dados, "descricao": maldade, "observacao": maldade, "valor": "x"})
        assert errado.estado == 422
        assert errado.formulario("/patrimonios/novo").valores["descricao"] == maldade
        assert errado.formulario("/patrimonios/novo").valores["observacao"] == maldade
        ficha = await pessoa.mandar(errado.formulario("/patrimonios/novo"), valor="10")
        assert ficha.titulos == [maldade]
        assert "<script>" not in ficha.html
        assert "<script>" not in (await pessoa.ver("/patrimonios", q="alert")).html
        assert "<script>" not in (await pessoa.ver("/auditoria")).html


@pytest.mark.parametrize("corpo_cru", [False, True])
async def test_bytes_that_are_no_utf8_are_reported_by_their_field(navegar, cidade, corpo_cru) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        bytes_ = b"Cadeira girat\xf3ria" if corpo_cru else quote(b"Cadeira girat\xf3ria").encode()
        resto = urlencode({**formulario.valores, **{n: v for n, v in dados.items() if n != "descricao"}})
        campos = [par for par in resto.split("&") if not par.startswith("descricao=")]
        corpo = "&".join(campos).encode() + b"&descricao=" + bytes_
        tela = Tela(await pessoa.http.post("/patrimonios/novo", content=corpo, headers=URLENCODED))
        tela.conferir()
        assert tela.estado == 422
        assert "UTF-8" in tela.texto
        assert tela.formulario("/patrimonios/novo").valores["descricao"] == "Cadeira girat\ufffdria"
        assert tela.formulario("/patrimonios/novo").valores["valor"] == "1.234,56"
    assert quantos(cidade) == 300


async def test_multipart_forms_are_read_and_checked_alike(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        tudo = {**formulario.valores, **dados}
        arquivos = {nome: (None, valor.encode()) for nome, valor in tudo.items()}
        arquivos["descricao"] = (None, b"girat\xf3ria")
        tela = Tela(await pessoa.http.post("/patrimonios/novo", files=arquivos))
        assert tela.estado == 422
        assert tela.formulario("/patrimonios/novo").valores["descricao"] == "girat\ufffdria"
        arquivos["descricao"] = (None, "giratória".encode())
        assert (await pessoa.http.post("/patrimonios/novo", files=arquivos)).status_code == 303
        assert (await pessoa.http.post("/patrimonios/novo", json={})).status_code == 422
    assert quantos(cidade) == 301


async def test_a_body_over_the_limit_is_a_helpful_413(navegar, cidade) -> None:
    async with navegar("gestor", body_limit=16 * 1024) as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        tela = await pessoa.mandar(formulario, **{**dados, "observacao": "x" * 20_000})
        assert (tela.estado, tela.titulos) == (413, ["Grande demais"])
        assert "16 KiB" in tela.texto
    assert quantos(cidade) == 300


async def test_a_double_click_registers_once(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        telas = await asyncio.gather(*(pessoa.mandar(formulario, False, **dados) for _ in range(5)))
        assert {tela.estado for tela in telas} == {303}
        assert len({tela.cabecalhos["location"] for tela in telas}) == 1
        mais_tarde = await pessoa.mandar(formulario, False, **dados)
        assert mais_tarde.cabecalhos["location"] == telas[0].cabecalhos["location"]
    assert quantos(cidade) == 301


async def test_a_double_click_on_an_edit_is_no_conflict(navegar) -> None:
    async with navegar("gestor") as pessoa:
        novo, dados = await pessoa.bem_preenchido()
        ficha = await pessoa.mandar(novo, **dados)
        caminho = next(x for x in ficha.links if x.endswith("/editar"))
        formulario = (await pessoa.ver(caminho)).formulario(caminho)
        telas = await asyncio.gather(*(pessoa.mandar(formulario, False, marca="Nova") for _ in range(4)))
        assert {tela.estado for tela in telas} == {303}


async def test_going_back_and_sending_other_data_asks_first(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        await pessoa.mandar(formulario, **dados)
        tela = await pessoa.mandar(formulario, **{**dados, "descricao": "Outra mesa"})
        assert tela.estado == 422
        assert "já foi enviado" in tela.texto
        assert quantos(cidade) == 301
        await pessoa.mandar(tela.formulario("/patrimonios/novo"))
    assert quantos(cidade) == 302


async def test_equal_assets_are_registered_together_and_their_numbers_told(navegar) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        tela = await pessoa.mandar(formulario, **dados, quantidade="12")
        assert tela.titulos == ["Bens"]
        assert "12 bens cadastrados, de 000301 a 000312." in tela.texto


async def test_a_stale_version_shows_both_and_can_be_saved_over(navegar) -> None:
    async with navegar("gestor") as pessoa:
        novo, dados = await pessoa.bem_preenchido()
        ficha = await pessoa.mandar(novo, **dados)
        caminho = next(x for x in ficha.links if x.endswith("/editar"))
        meu = (await pessoa.ver(caminho)).formulario(caminho)
        outro = (await pessoa.ver(caminho)).formulario(caminho)
        await pessoa.mandar(outro, descricao="Mesa da outra pessoa", valor="99,90")
        tela = await pessoa.mandar(meu, descricao="Mesa minha", data_aquisicao="2026-01-30")
        assert tela.estado == 409
        assert "alterado por outra pessoa" in tela.texto
        tabela = " ".join(re.sub("<[^>]+>", " ", tela.html.split("<table")[1].split("</table")[0]).split())
        assert "Descrição Mesa da outra pessoa Mesa minha" in tabela
        assert "Valor 99,90 1.234,56" in tabela
        assert "Data de aquisição 31/01/2026 30/01/2026" in tabela
        assert "Marca" not in tabela
        de_volta = tela.formulario(caminho)
        assert (de_volta.valores["descricao"], de_volta.valores["versao"]) == ("Mesa minha", "2")
        # Who changed what, and when; what I did not touch is the other person's now.
        assert re.search(
            r"Descrição Mesa da outra pessoa Mesa minha [^,]+, \d\d/\d\d/\d{4} às \d\d:\d\d o que você", tabela
        )
        assert re.search(r"Valor 99,90 1.234,56 [^,]+, \S+ às \S+ o que está gravado", tabela)
        assert "Data de aquisição 31/01/2026 30/01/2026 — o que você digitou" in tabela
        assert de_volta.valores["valor"] == "99,90"
        salva = await pessoa.mandar(de_volta)
        assert (salva.estado, salva.titulos) == (200, ["Mesa minha"])
        assert "R$ 99,90" in salva.texto
        assert "30/01/2026" in salva.texto


async def test_changes_of_several_people_are_merged_field_by_field(navegar) -> None:
    async with navegar("gestor") as pessoa, navegar("admin") as outra:
        novo, dados = await pessoa.bem_preenchido()
        ficha = await pessoa.mandar(novo, **dados)
        caminho = next(x for x in ficha.links if x.endswith("/editar"))
        meu = (await pessoa.ver(caminho)).formulario(caminho)
        for mudanca in ({"marca": "Alfa"}, {"modelo": "X"}, {"marca": "Beta"}):
            await outra.mandar((await outra.ver(caminho)).formulario(caminho), **mudanca)
        tela = await pessoa.mandar(meu, empenho="2026NE7")
        assert tela.estado == 409
        junto = tela.formulario(caminho).valores
        assert (junto["marca"], junto["modelo"], junto["empenho"], junto["versao"]) == ("Beta", "X", "2026NE7", "4")
        salva = await pessoa.mandar(tela.formulario(caminho))
        for texto in ("Beta", "X", "2026NE7"):
            assert texto in salva.texto


async def test_a_stale_version_of_a_register_shows_both(navegar) -> None:
    async with navegar("admin") as pessoa:
        um = next(x for x in (await pessoa.ver("/agentes")).links if re.fullmatch(r"/agentes/[0-9a-f-]{36}", x))
        meu = (await pessoa.ver(f"{um}/editar")).formulario(f"{um}/editar")
        outro = (await pessoa.ver(f"{um}/editar")).formulario(f"{um}/editar")
        await pessoa.mandar(outro, cargo="Zelador")
        tela = await pessoa.mandar(meu, cargo="Motorista")
        assert tela.estado == 409
        assert "Zelador" in tela.texto
        assert tela.formulario(f"{um}/editar").valores["cargo"] == "Motorista"
        assert (await pessoa.mandar(tela.formulario(f"{um}/editar"))).estado == 200


@pytest.mark.parametrize("token", [None, "", "lixo", "A" * 88])
async def test_without_the_csrf_token_nothing_is_saved_and_nothing_lost(navegar, cidade, token) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        if token is None:
            del formulario.valores["_csrf"]
        else:
            formulario.valores["_csrf"] = token
        tela = await pessoa.mandar(formulario, **dados)
        assert tela.estado == 403
        assert quantos(cidade) == 300
        de_novo = tela.formulario("/patrimonios/novo")
        assert de_novo.valores["_chave"] == formulario.valores["_chave"]
        revista = await pessoa.mandar(de_novo)  # may not have been their doing: shown before it is saved
        assert quantos(cidade) == 300
        assert revista.formulario("/patrimonios/novo").valores["descricao"] == "Mesa de reunião"
        assert (await pessoa.mandar(revista.formulario("/patrimonios/novo"))).titulos == ["Mesa de reunião"]
    assert quantos(cidade) == 301


async def test_what_was_typed_survives_the_end_of_the_session(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        vencer_sessoes(cidade)
        texto = "com \"aspas\", <b>marcas</b>,\nlinhas & 'mais'"
        entrada = await pessoa.mandar(formulario, **dados, observacao=texto)
        assert (entrada.estado, entrada.titulos) == (401, ["Entrar no SISPAT"])
        errada = await pessoa.mandar(entrada.formulario("/entrar"), email="gestor@demo.local", password="errada")
        assert errada.estado == 401
        revista = await pessoa.mandar(errada.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert (revista.estado, revista.titulos) == (200, ["Cadastrar bem"])
        assert "Nada foi gravado ainda" in revista.texto
        assert quantos(cidade) == 300
        de_volta = revista.formulario("/patrimonios/novo")
        for nome, valor in {**dados, "observacao": texto}.items():
            assert de_volta.valores[nome] == valor, nome
        assert (await pessoa.mandar(de_volta)).titulos == ["Mesa de reunião"]
    assert quantos(cidade) == 301


async def test_a_carried_submission_leads_only_to_forms_of_ours(navegar, cidade) -> None:
    for destino in ("/sair", "/api/setores", "https://evil.test/", "/entrar", "/nao-existe"):
        async with navegar() as pessoa:
            tela = await pessoa.entrar("gestor", proximo=destino, **{"retomada.nome": "x", "retomada.codigo": "X"})
            assert tela.estado in (200, 404)
            assert (await pessoa.ver("/")).titulos[0].startswith("Olá"), destino


async def test_a_database_that_is_away_loses_nothing(navegar, cidade, postgres_server) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        admin = postgres_server.dsn().conninfo
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute(f"alter database {cidade.database} allow_connections false")
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [cidade.database])
            try:
                tela = await pessoa.mandar(formulario, **dados)
                assert tela.estado == 503
                assert "retry-after" in tela.cabecalhos
                assert tela.formulario("/patrimonios/novo").valores["_chave"] == formulario.valores["_chave"]
                parada = await pessoa.ver("/patrimonios?situacao=em_uso")
                assert parada.estado == 503
                assert "/patrimonios?situacao=em_uso" in parada.links
            finally:
                conn.execute(f"alter database {cidade.database} allow_connections true")
        for _ in range(100):
            ficha = await pessoa.mandar(tela.formulario("/patrimonios/novo"))
            if ficha.estado != 503:
                break
            await asyncio.sleep(0.1)
        assert (ficha.estado, ficha.titulos) == (200, ["Mesa de reunião"])
    assert quantos(cidade) == 301


async def test_a_responsavel_hands_over_within_their_setores_only(navegar, cidade) -> None:
    async with navegar("responsavel") as pessoa:
        lista = await pessoa.ver("/patrimonios")
        ficha = next(x for x in lista.links if re.fullmatch(r"/patrimonios/[0-9a-f-]{36}", x))
        formulario = (await pessoa.ver(f"{ficha}/carga")).formulario(f"{ficha}/carga")
        with psycopg.connect(cidade.conninfo) as conn:
            (alheio,) = conn.execute(
                "select id from local where setor_id not in (select us.setor_id from usuario_setor us"
                " join usuario u on u.id = us.usuario_id where u.papel = 'responsavel') limit 1"
            ).fetchone()
        assert str(alheio) not in (await pessoa.ver(f"{ficha}/carga")).html
        recusada = await pessoa.mandar(formulario, local_id=str(alheio))
        assert recusada.estado == 422
        assert "Escolha um local da lista." in recusada.texto
        assert (await pessoa.mandar(formulario)).estado == 200
