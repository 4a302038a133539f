"""What tests of counts share: one opened and begun over a local of the demo city, and readings as phones send them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import httpx2
import psycopg

from esteio.postgres import Dsn

__all__ = ["OWN", "abrir", "comecar", "leitura", "local_com_bens", "mudar", "um"]

OWN = "(select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel')"
ANTES = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def um(cidade: Dsn, sql: str, *values: object) -> Any:
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(sql, values).fetchone()
    return row if row is None or len(row) > 1 else row[0]


def local_com_bens(cidade: Dsn, quantos: int = 3) -> tuple[str, list[int]]:
    """A local of the responsavel's with at least so many assets, all of them made to be in use; their numbers."""
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(
            f"""select local_id from patrimonio where setor_id in {OWN} and situacao <> 'baixado' group by 1
                having count(*) >= %s order by count(*), 1 limit 1""",
            [quantos],
        ).fetchone()
        assert row is not None
        conn.execute(
            "update patrimonio set situacao = 'em_uso' where local_id = %s and situacao <> 'baixado'", [row[0]]
        )
        numeros = conn.execute(
            "select numero from patrimonio where local_id = %s and situacao <> 'baixado' order by numero", [row[0]]
        ).fetchall()
    return str(row[0]), [each[0] for each in numeros]


async def abrir(c: httpx2.AsyncClient, cidade: Dsn, escopo: str = "local", **mais: Any) -> dict[str, Any]:
    novo = {
        "escopo": escopo,
        "comissao_id": um(cidade, "select id::text from comissao limit 1"),
        "data_base": "2026-12-31",
    }
    r = await c.post("/api/inventarios", json={**novo, **mais})
    assert r.status_code == 201, r.text
    return dict(r.json())


async def mudar(c: httpx2.AsyncClient, inventario: dict[str, Any], estado: str) -> httpx2.Response:
    return await c.post(f"/api/inventarios/{inventario['id']}/estado", json={"estado": estado})


async def comecar(c: httpx2.AsyncClient, cidade: Dsn, **mais: Any) -> dict[str, Any]:
    inventario = await abrir(c, cidade, **mais)
    r = await mudar(c, inventario, "contando")
    assert r.status_code == 200, r.text
    return dict(r.json())


def leitura(codigo: object, resultado: str = "encontrado", minutos: int = 0, **mais: Any) -> dict[str, Any]:
    """One as a phone makes it, so many minutes after some morning."""
    lida_em = (ANTES + dt.timedelta(minutes=minutos)).isoformat()
    return {"id": str(uuid4()), "codigo": str(codigo), "resultado": resultado, "lida_em": lida_em, **mais}
