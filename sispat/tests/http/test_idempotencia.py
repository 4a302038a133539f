"""The same write sent several times at once: one does it, and all get its answer."""

from __future__ import annotations

import asyncio

import psycopg


async def test_writes_of_one_key_at_once_get_one_answer_even_where_a_column_is_unique(cliente, cidade) -> None:
    async with cliente("gestor@demo.local", limit_write=None) as c:
        for n in range(5):
            setor, chave = {"codigo": f"IG{n}", "nome": f"Igual {n}"}, {"Idempotency-Key": f"chave {n}"}
            respostas = await asyncio.gather(*(c.post("/api/setores", json=setor, headers=chave) for _ in range(4)))
            assert [r.status_code for r in respostas] == [201] * 4, [r.text for r in respostas]
            assert len({r.text for r in respostas}) == 1
            assert sum("idempotency-replayed" in r.headers for r in respostas) == 3
            outro = await c.post("/api/setores", json={**setor, "nome": "Outro"}, headers=chave)
            assert (outro.status_code, outro.json()["code"]) == (422, "chave-reutilizada")


async def test_a_write_that_failed_leaves_its_key_free(cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c:
        chave = {"Idempotency-Key": "livre"}
        torto = {"codigo": "LIVRE", "nome": "Livre", "pai_id": "00000000-0000-4000-8000-000000000000"}
        assert (await c.post("/api/setores", json=torto, headers=chave)).status_code == 422
        assert (
            await c.post("/api/setores", json={"codigo": "LIVRE", "nome": "Livre"}, headers=chave)
        ).status_code == 201
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select estado from idempotencia").fetchall() == [(201,)]
