"""The rows of termos: issued, read, listed, signed, annulled.

Promises: number and year are taken in the transaction that uses them, so that one that fails gives them back; of two who sign
or annul the same thing one does, and the other is told. Lists are walked by key, newest first, within reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from sispat.kernel.pdf import Arms
from sispat.kernel.permissions import Access

__all__ = [
    "Impresso", "Parte", "Termo", "anular", "assinar", "confirmar", "de_agente", "esperando", "gravar_via", "inserir", "ler",
    "listar", "nomes", "para_imprimir", "partes", "proximo_numero", "substituir", "travar", "travar_vigente", "vias",
]  # fmt: skip

# Within their setores, and whomever the termo names: one signs what lies outside of them, too.
_REACH = """(%(setores)s::uuid[] is null or t.setor_id = any(%(setores)s) or t.origem_id = any(%(setores)s) or exists (
    select from termo_parte n left join agente na on na.id = n.agente_id and na.email <> ''
    where n.termo_id = t.id and (n.usuario_id = %(me)s or na.email = (select email from usuario where id = %(me)s))))"""

# The document: as `fields.TERMO` says. `sha256` is that of the newest rendering.
_DOCUMENT = """json_build_object(
    'id', t.id, 'tipo', t.tipo, 'exercicio', t.exercicio, 'numero', t.numero, 'estado', t.estado, 'codigo', t.codigo,
    'setor', json_build_object('id', s.id, 'codigo', s.codigo, 'nome', s.nome),
    'agente', case when a.id is not null then json_build_object('id', a.id, 'matricula', a.matricula, 'nome', a.nome) end,
    'assunto_id', t.assunto_id, 'bens', t.bens, 'valor', t.valor::text,
    'emitido_por', json_build_object('id', u.id, 'nome', u.nome), 'emitido_em', t.emitido_em, 'anulado_em', t.anulado_em,
    'anulacao', t.anulacao, 'sha256', (select encode(v.sha256, 'hex') from termo_via v where v.termo_id = t.id
                                       order by v.feita_em desc limit 1), 'versao', t.versao)::text"""
_JOINS = (
    "join setor s on s.id = t.setor_id left join agente a on a.id = t.agente_id join usuario u on u.id = t.emitido_por"
)


class Parte(NamedTuple):
    """Who signs."""

    id: UUID
    papel: str
    nome: str
    detalhe: str
    agente_id: UUID | None
    usuario_id: UUID | None
    assinada_em: Any
    assinante: str | None
    endereco: str | None
    sha256: str | None
    minha: bool


class Termo(NamedTuple):
    """A locked termo."""

    id: UUID
    tipo: str
    exercicio: int
    numero: int
    estado: str


class Impresso(NamedTuple):
    """What a PDF is made of, and the renderings that are known: engine and sha256."""

    id: UUID
    tipo: str
    exercicio: int
    numero: int
    conteudo: dict[str, Any]
    bens: int
    emitido_em: Any
    brasao: tuple[str, bytes] | None
    vias: list[tuple[str, bytes]]


def _within(access: Access, **values: Any) -> dict[str, Any]:
    return {"setores": None if access.setores is None else list(access.setores), "me": access.usuario_id, **values}


async def proximo_numero(conn: AsyncConnection[Any], tipo: str, exercicio: int) -> int:
    """The next number of this kind in this year; its row stays locked until the transaction ends."""
    row = await (
        await conn.execute(
            """insert into numeracao (escopo, exercicio, ultimo) values (%s, %s, 1)
               on conflict (escopo, exercicio) do update set ultimo = numeracao.ultimo + 1 returning ultimo""",
            [f"termo {tipo}", exercicio],
        )
    ).fetchone()
    assert row is not None
    return int(row[0])


async def inserir(
    conn: AsyncConnection[Any],
    row: Mapping[str, Any],
    bens: Sequence[Any],
    partes: Sequence[Mapping[str, Any]],
    arms: Arms | None,
) -> UUID:
    """Insert a termo with its assets and who signs it; its id."""
    if arms is not None:
        await conn.execute(
            "insert into papel_brasao (sha256, formato, conteudo) values (%s, %s, %s) on conflict do nothing",
            [arms.sha256, arms.format, arms.content],
        )
    values = {**row, "conteudo": Jsonb(row["conteudo"]), "brasao": arms.sha256 if arms else None}
    sql = f"insert into termo ({', '.join(values)}) values ({', '.join(f'%({name})s' for name in values)}) returning id"
    made = await (await conn.execute(sql, values)).fetchone()
    assert made is not None
    id_: UUID = made[0]
    await conn.execute(
        """insert into termo_bem (termo_id, patrimonio_id, movimento_id)
           select %s, * from unnest(%s::uuid[], %s::uuid[])""",
        [id_, [bem.id for bem in bens], [bem.movimento_id for bem in bens]],
    )
    async with conn.cursor() as cursor:
        await cursor.executemany(
            """insert into termo_parte (termo_id, posicao, papel, nome, detalhe, agente_id, usuario_id)
               values (%(termo_id)s, %(posicao)s, %(papel)s, %(nome)s, %(detalhe)s, %(agente_id)s, %(usuario_id)s)""",
            [{**parte, "termo_id": id_, "posicao": place} for place, parte in enumerate(partes, 1)],
        )
    return id_


async def de_agente(conn: AsyncConnection[Any], assunto_id: UUID) -> bool:
    """Whether what a termo was made of is an agente."""
    row = await (await conn.execute("select exists (select from agente where id = %s)", [assunto_id])).fetchone()
    return bool(row and row[0])


async def travar_vigente(conn: AsyncConnection[Any], tipo: str, assunto_id: UUID) -> Termo | None:
    """Lock the termo of this kind and subject that counts, if there is one."""
    sql = """select id, tipo, exercicio, numero, estado from termo
             where tipo = %s and assunto_id = %s and anulado_em is null and substituido_em is null for no key update"""
    async with conn.cursor(row_factory=class_row(Termo)) as cursor:
        await cursor.execute(sql, [tipo, assunto_id])
        return await cursor.fetchone()


async def substituir(conn: AsyncConnection[Any], id_: UUID) -> None:
    """Note that a locked termo is replaced."""
    await conn.execute("update termo set substituido_em = now(), versao = versao + 1 where id = %s", [id_])


async def travar(conn: AsyncConnection[Any], access: Access, id_: UUID) -> Termo | None:
    """Lock a termo within reach."""
    sql = f"select id, tipo, exercicio, numero, estado from termo t where id = %(id)s and {_REACH} for no key update"
    async with conn.cursor(row_factory=class_row(Termo)) as cursor:
        await cursor.execute(sql, _within(access, id=id_))
        return await cursor.fetchone()


async def anular(conn: AsyncConnection[Any], id_: UUID, why: str, actor: UUID) -> None:
    """Annul a locked termo."""
    await conn.execute(
        "update termo set anulado_em = now(), anulado_por = %s, anulacao = %s, versao = versao + 1 where id = %s",
        [actor, why, id_],
    )


async def ler(conn: AsyncConnection[Any], access: Access, id_: UUID) -> str | None:
    """The document (JSON) of a termo within reach, or None."""
    sql = f"select {_DOCUMENT} from termo t {_JOINS} where t.id = %(id)s and {_REACH}"
    row = await (await conn.execute(sql, _within(access, id=id_))).fetchone()
    return None if row is None else row[0]


async def listar(
    conn: AsyncConnection[Any],
    setores: Sequence[UUID] | None,
    conditions: Sequence[tuple[str, Any]],
    below: int | None,
    limit: int,
) -> list[tuple[str, int]]:
    """At most `limit` termos, newest first: document (JSON) and place.

    Of setores, each is walked along its index as far as the page may need, and what was found is merged.
    """
    asked = [*conditions, *([] if below is None else [("t.ordem < %s", below)])]
    where, values = [condition for condition, _ in asked], [value for _, value in asked]
    tail = f"order by t.ordem desc limit {limit:d}"
    if setores is None:
        source, given = f"select t.* from termo t {'where ' + ' and '.join(where) if where else ''} {tail}", values
    else:
        parts = [
            f"""(select found.* from unnest(%s::uuid[]) of_setor (id) cross join lateral (
                    select t.* from termo t where {" and ".join([f"t.{column} = of_setor.id", *where])} {tail}) found)"""
            for column in ("setor_id", "origem_id")
        ]
        # `distinct on` and not `union`: a row holds a JSON document, and is known by its key.
        source = f"select distinct on (t.ordem) t.* from ({' union all '.join(parts)}) t {tail}"
        given = [list(setores), *values] * 2
    sql = f"select {_DOCUMENT}, t.ordem from ({source}) t {_JOINS} order by t.ordem desc"
    return [(row[0], row[1]) for row in await (await conn.execute(sql, given, prepare=False)).fetchall()]


async def partes(conn: AsyncConnection[Any], id_: UUID, me: UUID) -> list[Parte]:
    """Who signs a termo, and what they signed; `minha`: the account `me` may sign for it."""
    sql = """select q.id, q.papel, q.nome, q.detalhe, q.agente_id, q.usuario_id, q.assinada_em, u.nome as assinante,
                    q.endereco, encode(q.sha256, 'hex') as sha256,
                    coalesce(q.usuario_id = %(me)s or a.email = (select email from usuario where id = %(me)s), false) as minha
             from termo_parte q left join usuario u on u.id = q.assinada_por left join agente a on a.id = q.agente_id
             where q.termo_id = %(id)s order by q.posicao"""
    async with conn.cursor(row_factory=class_row(Parte)) as cursor:
        await cursor.execute(sql, {"id": id_, "me": me})
        return await cursor.fetchall()


async def assinar(conn: AsyncConnection[Any], ids: Sequence[UUID], sha256: bytes, actor: UUID, address: str) -> int:
    """Sign as these parties, of a locked termo, that have not signed yet; how many."""
    return (
        await conn.execute(
            """update termo_parte set assinada_em = now(), assinada_por = %s, endereco = %s, sha256 = %s
               where id = any(%s) and assinada_em is null""",
            [actor, address, sha256, list(ids)],
        )
    ).rowcount


async def vias(conn: AsyncConnection[Any], id_: UUID) -> set[bytes]:
    """The sha256 of every rendering of a termo."""
    rows = await (await conn.execute("select sha256 from termo_via where termo_id = %s", [id_])).fetchall()
    return {row[0] for row in rows}


async def para_imprimir(conn: AsyncConnection[Any], access: Access, id_: UUID) -> Impresso | None:
    """What the PDF of a termo within reach is made of, or None."""
    sql = f"""select t.id, t.tipo, t.exercicio, t.numero, t.conteudo, t.bens, t.emitido_em, b.formato, b.conteudo as arms
              from termo t left join papel_brasao b on b.sha256 = t.brasao where t.id = %(id)s and {_REACH}"""
    row = await (await conn.execute(sql, _within(access, id=id_))).fetchone()
    if row is None:
        return None
    known = await (await conn.execute("select motor, sha256 from termo_via where termo_id = %s", [id_])).fetchall()
    id_, tipo, exercicio, numero, conteudo, bens, emitido_em, formato, arms = row
    brasao = (formato, arms) if formato else None
    vias = [(each[0], each[1]) for each in known]
    return Impresso(id_, tipo, exercicio, numero, conteudo, bens, emitido_em, brasao, vias)


async def gravar_via(conn: AsyncConnection[Any], id_: UUID, sha256: bytes, engine: str) -> bool:
    """Note a rendering; whether it was not known."""
    sql = "insert into termo_via (termo_id, sha256, motor) values (%s, %s, %s) on conflict do nothing"
    return (await conn.execute(sql, [id_, sha256, engine])).rowcount == 1


async def esperando(conn: AsyncConnection[Any], me: UUID, limit: int) -> list[dict[str, Any]]:
    """The termos that count, name the account `me`, and that it has not signed yet, newest first."""
    sql = """select distinct t.id, t.tipo, t.exercicio, t.numero, t.ordem, t.bens from termo_parte q
              join termo t on t.id = q.termo_id
              where q.assinada_em is null and t.anulado_em is null and t.substituido_em is null
                and (q.usuario_id = %(me)s or q.agente_id = (
                     select a.id from agente a join usuario u on u.email = a.email where u.id = %(me)s and a.email <> ''))
              order by t.ordem desc limit %(limit)s"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, {"me": me, "limit": limit})
        return await cursor.fetchall()


_CONFIRMED = """select t.tipo, t.exercicio, t.numero, t.codigo, t.emitido_em, t.bens, t.estado, t.anulado_em, t.substituido_em,
           (select array_agg(encode(v.sha256, 'hex') order by v.feita_em) from termo_via v where v.termo_id = t.id) as sha256,
           (select count(*) from termo_parte q where q.termo_id = t.id) as partes,
           (select count(*) from termo_parte q where q.termo_id = t.id and q.assinada_em is not null) as assinadas,
           n.numero as novo_numero, n.exercicio as novo_exercicio
    from termo t left join termo n on n.substitui_id = t.id"""


async def confirmar(
    conn: AsyncConnection[Any], *, codigo: str = "", sha256: bytes | None = None
) -> dict[str, Any] | None:
    """What the public page says of the termo with this code, or with a PDF of this sha256; nothing about persons."""
    where = (
        "t.codigo = %(codigo)s"
        if sha256 is None
        else "t.id = (select termo_id from termo_via where sha256 = %(sha256)s limit 1)"
    )
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"{_CONFIRMED} where {where}", {"codigo": codigo, "sha256": sha256})
        return await cursor.fetchone()


async def nomes(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, tuple[str, int, int]]:
    """Kind, number and year of the termos among `ids`."""
    sql = "select id, tipo, numero, exercicio from termo where id = any(%s)"
    return {row[0]: (row[1], row[2], row[3]) for row in await (await conn.execute(sql, [list(ids)])).fetchall()}
