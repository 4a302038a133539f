"""Attempts to sign in that failed, and exports, are in the audit; a session in use goes on."""

from __future__ import annotations

import psycopg
import pytest
from aplicacao import abrir

from esteio.postgres import Dsn
from sispat.cadastros.fields import Setor
from sispat.kernel.errors import InvalidData


def _records(dsn: Dsn, action: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(
            "select e.ator_id, u.email, e.depois from evento e left join usuario u on u.id = e.entidade_id where acao = %s"
            " order by e.id",
            [action],
        ).fetchall()


async def test_a_failed_sign_in_is_audited_without_what_was_typed(cidade: Dsn) -> None:
    async with abrir(cidade) as c:
        for email in ("gestor@demo.local", "minha-senha-secreta"):
            r = await c.post("/api/auth/login", json={"email": email, "password": "errada"})
            assert r.status_code == 401
    records = _records(cidade, "entrar_recusado")
    assert [(who, email) for who, email, _ in records] == [(None, "gestor@demo.local"), (None, None)]
    assert all(set(values) == {"endereco"} for *_, values in records)


async def test_an_export_is_audited_with_its_filters(cidade: Dsn) -> None:
    async with abrir(cidade, "consulta@demo.local") as c:
        assert (await c.get("/patrimonios.csv", params={"q": "mesa", "situacao": "em_uso"})).status_code == 200
    ((_, email, values),) = _records(cidade, "exportar_bens")
    assert email == "consulta@demo.local"
    assert values == {"q": "mesa", "situacao": "em_uso"}


async def test_a_session_in_use_outlives_an_idle_limit_of_a_minute(cidade: Dsn) -> None:
    """Used every 40 seconds, it is never idle for a minute."""
    async with abrir(cidade, "gestor@demo.local", session_idle=60) as c:
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            for _ in range(3):
                conn.execute("update sessao set vista_em = vista_em - interval '40 seconds'")
                assert (await c.get("/api/auth/me")).status_code == 200
            conn.execute("update sessao set vista_em = vista_em - interval '61 seconds'")
        assert (await c.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\u00ad", "\u061c", "\u2028", "\u3164", "\x85"],
)
def test_names_of_characters_that_cannot_be_seen_are_refused(hidden: str) -> None:
    for name in (f"Ana{hidden}Lima", hidden * 3):
        with pytest.raises(InvalidData) as error:
            Setor.parse({"codigo": "A", "nome": name})
        assert set(error.value.fields) == {"nome"}


def test_names_of_all_living_scripts_are_accepted() -> None:
    for name in ("José da Conceição", "Ngũgĩ wa Thiong’o", "Ольга", "محمد", "山田 太郎"):
        Setor.parse({"codigo": "A", "nome": name})
