"""People are told by mail what waits for them: once a day or at once, as each chose, what their first page shows."""

from __future__ import annotations

import asyncio
import datetime as dt

import psycopg
import pytest
from correio import BASE, DIA, HORA, correspondencia, mail_receiver, postos, relogio, so_o_gestor

from esteio.postgres import Dsn
from sispat.avisos.digest import compose
from sispat.avisos.rules import BETWEEN, Subject, asked_again_after, due, worth_a_mail
from sispat.painel.pending import Group, Line
from sispat.settings import InvalidSettings, load_settings


def mudar(cidade: Dsn, sql: str, *valores: object) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(sql, valores)


def pendente(cidade: Dsn, destino: str = "(select setor_id from usuario_setor limit 1)") -> int:
    """A transfer that waits, of no asset; its number."""
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(
            f"""insert into transferencia (origem_id, destino_id, motivo, bens, pedida_por)
                select (select id from setor order by codigo limit 1), {destino}, 'Sala nova do João', 1, id
                from usuario where papel = 'administrador' limit 1 returning numero"""
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_digest_says_what_the_first_page_shows_once_a_day_in_the_language_of_the_person(
    cidade: Dsn, navegar
) -> None:
    so_o_gestor(cidade)
    mudar(cidade, "update aviso set quando = 'diario', idioma = 'en' where usuario_id ="
                  " (select id from usuario where papel = 'responsavel')")  # fmt: skip
    numero = pendente(cidade)
    hora = relogio()
    with mail_receiver() as servidor:
        async with postos(cidade, servidor.port, hora) as sender:
            assert await sender.round() == 0, "not before the hour"
            hora.advance(HORA)
            assert await sender.round() == 2
            assert await sender.round() == 0, "once"
            hora.advance(DIA)
            assert await sender.round() == 2, "the next day, what still waits"
        (uma, assunto, texto), (outra, subject, text) = sorted(correspondencia(servidor)[:2])
    assert (uma, outra) == ("gestor@demo.local", "responsavel@demo.local")
    assert assunto.startswith("SISPAT: ")
    assert "a aceitar ou recusar" in assunto
    assert "to accept" in subject
    assert f"- Nº {numero}: " in texto
    assert f"{BASE}/transferencias?estado=pendente" in texto
    assert f"{BASE}/meus-avisos" in texto
    assert f"{BASE}/meus-avisos" in text
    assert "João" not in texto + text, "nothing that somebody typed leaves the house"
    assert "Cidade de Teste" in texto
    async with navegar("gestor") as pessoa:
        inicio = (await pessoa.ver("/")).texto
    for group in assunto.removeprefix("SISPAT: ").split(", "):
        assert group in inicio, "the same source"


async def test_who_wants_none_cannot_sign_in_or_is_a_program_gets_none_and_an_empty_day_is_no_mail(
    cidade: Dsn,
) -> None:
    mudar(cidade, "update usuario set ativo = false where papel = 'consulta'")
    mudar(cidade, "update usuario set integracao = true, senha_hash = '' where papel = 'responsavel'")
    so_o_gestor(cidade)
    mudar(
        cidade,
        "delete from aviso where usuario_id in (select id from usuario where papel in ('consulta', 'responsavel'))",
    )
    ends = {
        "transferencia_item": "estado = 'cancelada', decidida_em = now(), decidida_por = u.id",
        "transferencia": "estado = 'cancelada', decidida_em = now()",
        "emprestimo": "devolvido_em = previsao",
        "manutencao": "concluido_em = greatest(enviado_em, previsao), custo = 0, servico = 'Nada'",
    }
    for table, end in ends.items():
        mudar(cidade, f"update {table} set {end} from usuario u where u.papel = 'gestor'")
    mudar(cidade, "update patrimonio set garantia_ate = null")
    hora = relogio()
    with mail_receiver() as servidor:
        async with postos(cidade, servidor.port, hora) as sender:
            hora.advance(HORA)
            assert await sender.round() == 0
            pendente(cidade)
            assert await sender.round() == 0, "that day's digest is done with"
        assert servidor.mails == []
    with psycopg.connect(cidade.conninfo) as conn:
        rows = conn.execute("select papel from aviso join usuario on id = usuario_id order by 1").fetchall()
    assert rows == [("administrador",), ("gestor",)], "nobody else has a row"


async def test_at_once_is_what_waits_for_an_answer_new_things_only_and_together(cidade: Dsn) -> None:
    so_o_gestor(cidade)
    mudar(cidade, "update aviso set quando = 'na_hora' where quando = 'diario'")
    hora = relogio()
    with mail_receiver() as servidor:
        async with postos(cidade, servidor.port, hora) as sender:
            pendente(cidade)
            assert await sender.round() == 1, "what waits is new to who chose this now"
            numero = pendente(cidade)
            assert await sender.round() == 0, "a mail every ten minutes at most"
            hora.advance(BETWEEN)
            assert await sender.round() == 1
            hora.advance(BETWEEN)
            assert await sender.round() == 0
            (_, assunto, texto) = correspondencia(servidor)[1]
            assert f"- Nº {numero}: " in texto.split("\n\n")[2], "the new one first"
            assert "atrasad" not in assunto
            hora.advance(HORA)
            assert await sender.round() == 1, "and the digest of the day"


async def test_two_machines_send_it_once(cidade: Dsn) -> None:
    so_o_gestor(cidade)
    pendente(cidade)
    hora = relogio()
    hora.advance(HORA)
    with mail_receiver() as servidor:
        async with postos(cidade, servidor.port, hora) as one, postos(cidade, servidor.port, hora) as other:
            taken = await asyncio.gather(one.round(), other.round())
        assert (sum(taken), len(servidor.mails)) == (1, 1)


async def test_a_person_chooses_and_sees_what_would_be_sent(navegar, cliente, cidade: Dsn) -> None:
    async with navegar("responsavel") as pessoa:
        assert "/meus-avisos" in (await pessoa.ver("/conta")).links
        numero = pendente(cidade)
        tela = await pessoa.ver("/meus-avisos")
        assert tela.problemas == []
        assert f"- Nº {numero}: " in tela.texto
        assert "ainda não envia e-mails" in tela.texto
        tela = await pessoa.mandar(tela.formulario("/meus-avisos"), quando="na_hora", idioma="en")
        assert "Escolha gravada." in tela.texto
        assert "Hello, " in tela.texto
    async with cliente("responsavel@demo.local", mail_url="mailto://127.0.0.1?from=a@b.org") as c:
        seen = (await c.get("/api/avisos")).json()
        assert (seen["quando"], seen["idioma"], seen["email"]) == ("na_hora", "en", "responsavel@demo.local")
        assert seen["envia"] is True
        assert dt.datetime.fromisoformat(seen["proximo"]).minute == 0
        r = await c.put("/api/avisos", json={"quando": "nunca"})
        assert (r.json()["quando"], r.json()["proximo"]) == ("nunca", None)
        assert (await c.put("/api/avisos", json={"quando": "sempre"})).status_code == 422
    with psycopg.connect(cidade.conninfo) as conn:
        audited = conn.execute(
            "select depois->>'quando' from evento where acao = 'escolher_avisos' order by id"
        ).fetchall()
    assert audited == [("na_hora",), ("nunca",)]


# The rules alone


def test_however_many_digests_were_missed_one_is_due() -> None:
    assert due("diario", 0.0, 5 * DIA, None, 5 * DIA) is True
    assert due("diario", 5 * DIA, 5 * DIA, None, 5 * DIA) is None
    assert due("nunca", 0.0, 5 * DIA, None, 5 * DIA) is None
    assert due("na_hora", 5 * DIA, 5 * DIA, None, 5 * DIA) is False
    assert due("na_hora", 5 * DIA, None, 5 * DIA, 5 * DIA + BETWEEN - 1) is None
    assert due("diario", 0.0, None, None, 5 * DIA) is None, "a city without digest"


def test_what_lasts_for_weeks_is_worth_one_mail_and_comes_with_others_later() -> None:
    warranty, late = Subject(["a"], to_decide=False, lasting=True), Subject(["b"], to_decide=False, lasting=False)
    assert worth_a_mail([warranty], set(), digest=True)
    assert not worth_a_mail([warranty], {"a"}, digest=True)
    assert worth_a_mail([warranty, late], {"a", "b"}, digest=True)
    assert not worth_a_mail([late], set(), digest=False)
    assert worth_a_mail([Subject(["c"], to_decide=True, lasting=False)], {"b"}, digest=False)
    assert not worth_a_mail([], set(), digest=True)


def test_waits_after_refusals_grow_to_a_quarter_of_an_hour() -> None:
    assert [asked_again_after(n) for n in (1, 2, 3, 4, 5, 99)] == [60, 120, 240, 480, 900, 900]


def test_a_long_digest_keeps_its_end() -> None:
    lines = [Line(str(n), "/x", f"Nº {n}", "", "S" * 300) for n in range(100)]
    groups = [
        Group(f"{n} coisas de nome comprido a aceitar ou recusar", "/transferencias?estado=pendente", lines)
        for n in range(5)
    ]
    text = compose(groups, name="Ana Lima", city="C" * 120, base="https://" + "d" * 100).text
    assert len(text) <= 1790
    assert text.endswith("/meus-avisos")
    short = compose(groups[:1], name="Ana Lima", city="Cidade", base="").text
    assert "- e mais 97" in short
    assert "http" not in short


@pytest.mark.parametrize("wrong", ["correio.x.org", "https://x.org", "mailto:///x", "mailto://a:b@x.org?to=c@x.org"])
def test_a_mail_server_that_cannot_be_one_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        load_settings({"SISPAT_MAIL_URL": wrong})
    assert "SISPAT_MAIL_URL" in str(error.value)
    assert wrong not in str(error.value)
