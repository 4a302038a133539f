"""Closed months and the depreciation of assets in the database; what closes a month is `fechar_mes`, in the migrations.

Promises: what was closed is only read here. The facts that the rule needs of an asset are those that `fechar_mes` uses: useful
life and residual are the asset's own, else those by which it was closed last, else those of its class.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from sispat.depreciacao.rules import Asset, Balance, Regra, Revaluation

__all__ = [
    "Closed", "ate", "conciliacao", "contas", "do_bem", "do_imovel", "fatos", "fechar", "lancamentos", "lancamentos_do_bem",
    "linhas", "pendente", "sem_classe", "simular", "somas", "ultimo",
]  # fmt: skip


class Closed(NamedTuple):
    """The last month that is closed."""

    id: UUID
    numero: int
    competencia: dt.date
    regra: str


async def ultimo(conn: AsyncConnection[Any]) -> Closed | None:
    """The last month that is closed; None: none is."""
    async with conn.cursor(row_factory=class_row(Closed)) as cursor:
        await cursor.execute(
            """select id, numero, competencia, regra from fechamento where reaberto_em is null
               order by competencia desc limit 1"""
        )
        return await cursor.fetchone()


async def pendente(conn: AsyncConnection[Any], kind: str) -> bool:
    """Whether somebody has asked for a job of this kind that has not ended."""
    cursor = await conn.execute("select 1 from tarefa where tipo = %s and terminada_em is null limit 1", [kind])
    return await cursor.fetchone() is not None


async def fechar(conn: AsyncConnection[Any], competencia: dt.date, regra: Regra, quem: UUID) -> UUID:
    """Close a month over all assets, in one statement; its id. The time is the job's to limit."""
    await conn.execute("set local statement_timeout = 0")
    await conn.execute("set local work_mem = '128MB'")
    await conn.execute("set local jit = off")
    # Who asked may be killed meanwhile: then the server stops as well, instead of keeping the next attempt waiting.
    await conn.execute("set local client_connection_check_interval = '500ms'")
    cursor = await conn.execute("select fechar_mes(%s, %s, %s)", [competencia, regra.value, quem])
    numero: Any = await cursor.fetchone()
    row: Any = await (await conn.execute("select id from fechamento where numero = %s", [numero[0]])).fetchone()
    return UUID(str(row[0]))


async def contas(conn: AsyncConnection[Any], numero: int) -> list[dict[str, Any]]:
    """What a closing comes to, account by account."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select *, bruto - acumulada - perda as liquido from fechamento_conta where fechamento = %s order by conta""",
            [numero],
        )
        return await cursor.fetchall()


async def conciliacao(conn: AsyncConnection[Any], numero: int) -> dict[str, Any] | None:
    """The reconciliation of a closing that counts; None: it was not reconciled."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select id, numero, contas, diferencas from conciliacao where fechamento = %s order by numero desc limit 1",
            [numero],
        )
        return await cursor.fetchone()


async def sem_classe(conn: AsyncConnection[Any]) -> int:
    """How many imóveis of the city lack a class of what they have, land or building."""
    row: Any = await (
        await conn.execute(
            """select count(distinct imovel_id) from bem_do_livro
               where tipo <> 'movel' and nosso and classe_id is null and baixado_em is null"""
        )
    ).fetchone()
    return int(row[0])


# `0.00`, so that spreadsheets and the API have cents in every line.
_LINE = """f.competencia, p.tipo, p.numero, p.descricao, d.conta, s.codigo as setor, coalesce(d.entrada, 0.00) as entrada,
    coalesce(d.depreciacao, 0.00) as depreciacao, coalesce(d.ajuste_bruto, 0.00) as ajuste_bruto,
    coalesce(d.ajuste_acumulada, 0.00) as ajuste_acumulada,
    coalesce(d.evento_bruto, 0.00) - coalesce(d.evento_acumulada, 0.00) - coalesce(d.evento_perda, 0.00) as reavaliacao,
    coalesce(d.baixa_bruto, 0.00) - coalesce(d.baixa_acumulada, 0.00) - coalesce(d.baixa_perda, 0.00) as baixa,
    d.bruto, d.acumulada, d.perda, d.bruto - d.acumulada - d.perda as liquido"""


_IMOVEIS = "(select * from bem_do_livro where tipo <> 'movel')"


async def linhas(conn: AsyncConnection[Any], numero: int, after: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` assets of a closing, in the order of the book after the place `after`; each with its `lugar`."""
    found: list[dict[str, Any]] = []
    # One after the other: along the index of plate numbers no page looks at all assets.
    for rows in ("(select 'movel' as tipo, numero as lugar, * from patrimonio)", _IMOVEIS):
        if len(found) < limit:
            async with conn.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(
                    f"""select p.lugar, {_LINE} from {rows} p join fechamento f on f.numero = %s
                        join depreciacao d on d.fechamento = f.numero and d.patrimonio_id = p.id
                        join setor s on s.id = d.setor_id
                        where p.lugar > %s order by p.lugar limit %s""",
                    [numero, after, limit - len(found)],
                )
                found += await cursor.fetchall()
    return found


async def do_bem(conn: AsyncConnection[Any], id_: UUID, limit: int) -> list[dict[str, Any]]:
    """The closed months of an asset, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""select {_LINE} from fechamento f join depreciacao d on d.fechamento = f.numero and d.patrimonio_id = %s
                join bem_do_livro p on p.id = d.patrimonio_id join setor s on s.id = d.setor_id
                where f.reaberto_em is null order by f.competencia desc limit %s""",
            [id_, limit],
        )
        return await cursor.fetchall()


async def do_imovel(conn: AsyncConnection[Any], id_: UUID, limit: int) -> list[dict[str, Any]]:
    """The closed months of an imóvel, newest first, in each its land before its building."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""select {_LINE} from bem_do_livro p join fechamento f on f.reaberto_em is null
                join depreciacao d on d.fechamento = f.numero and d.patrimonio_id = p.id join setor s on s.id = d.setor_id
                where p.imovel_id = %s order by f.competencia desc, p.lugar limit %s""",
            [id_, limit],
        )
        return await cursor.fetchall()


async def lancamentos_do_bem(conn: AsyncConnection[Any], id_: UUID, limit: int) -> list[dict[str, Any]]:
    """The movements of an asset in closed months, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select competencia, conta, especie, componente, valor from lancamento where patrimonio_id = %s
               order by competencia desc, especie, componente, conta limit %s""",
            [id_, limit],
        )
        return await cursor.fetchall()


# Of the balance that moved: assets are debited where they grow, what reduces them (depreciation, impairment) is credited.
_SIDE = "case when (l.componente = 'bruto') = (l.valor > 0) then 'D' else 'C' end as natureza"


async def somas(conn: AsyncConnection[Any], numero: int, *, by_setor: bool) -> list[dict[str, Any]]:
    """What each account moved in a closing, by kind and component, and by setor where asked; none where it was reopened."""
    setor = "s.codigo" if by_setor else "null::text"
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""select l.*, {_SIDE} from (
                    select l.competencia, l.conta, coalesce(c.nome, k.nome, l.conta) as nome, {setor} as setor, l.especie,
                           l.componente, sum(l.valor) as valor
                    from fechamento f join lancamento_conta l on l.fechamento_id = f.id join setor s on s.id = l.setor_id
                        left join fechamento_conta c on c.fechamento = f.numero and c.conta = l.conta
                        left join classe k on k.conta = l.conta
                    where f.numero = %s group by 1, 2, 3, 4, 5, 6) l
                where valor <> 0 order by conta, especie, componente, setor""",
            [numero],
        )
        return await cursor.fetchall()


async def ate(conn: AsyncConnection[Any], after: int, limit: int) -> int | None:
    """The place in the book of the last of the `limit` assets after `after`; None: there is none."""
    row: Any = await (
        await conn.execute(
            f"""select max(lugar) from (
                    select lugar from (
                        (select numero as lugar from patrimonio where numero > %(after)s order by numero limit %(limit)s)
                        union all
                        (select lugar from {_IMOVEIS} i where lugar > %(after)s order by lugar limit %(limit)s)) b
                    order by lugar limit %(limit)s) c""",
            {"after": after, "limit": limit},
        )
    ).fetchone()
    return row[0]  # type: ignore[no-any-return]


async def lancamentos(
    conn: AsyncConnection[Any], numero: int, after: int, until: int, asked: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The movements of a closing of the assets in the book after `after` and up to `until`; `asked`: columns."""
    where = "".join(f" and l.{column} = %s" for column in asked)
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            f"""select l.competencia, p.tipo, p.numero, p.descricao, s.codigo as setor, l.conta, l.especie, l.componente,
                       {_SIDE}, l.valor, p.id, p.imovel_id, p.lugar
                from bem_do_livro p join fechamento f on f.numero = %s
                    join lancamento l on l.fechamento_id = f.id and l.patrimonio_id = p.id join setor s on s.id = l.setor_id
                where p.lugar > %s and p.lugar <= %s{where} order by p.lugar, l.especie, l.componente, l.conta""",
            [numero, after, until, *asked.values()],
        )
        return await cursor.fetchall()


_FACTS = """
select p.id, p.valor, p.data_aquisicao, p.data_disponivel, c.depreciavel, p.posse = 'proprio', b.data,
       coalesce(p.vida_util_meses, case when s.conta = c.conta then s.vida_util_meses end, c.vida_util_meses),
       coalesce(p.residual_pct, case when s.conta = c.conta then s.residual_pct end, c.residual_pct)
from patrimonio p join classe c on c.id = p.classe_id
    left join baixa b on b.patrimonio_id = p.id and b.estornada_em is null
    left join depreciacao s on s.patrimonio_id = p.id and not s.saiu and s.fechamento =
        (select numero from fechamento where reaberto_em is null order by competencia desc limit 1)
where p.id = any(%s)"""


async def fatos(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, Asset]:
    """What the rule needs to know of these assets."""
    revaluations: dict[UUID, list[Revaluation]] = {}
    cursor = await conn.execute(
        """select patrimonio_id, data, bruto, acumulada, perda, vida_util_meses, residual from reavaliacao_item
           where patrimonio_id = any(%s) and not estornada order by data""",
        [list(ids)],
    )
    for id_, day, bruto, acumulada, perda, months, residual in await cursor.fetchall():
        each = Revaluation(day, Balance(bruto, acumulada, perda), months, residual)
        revaluations.setdefault(id_, []).append(each)
    rows: list[tuple[UUID, Decimal, dt.date, dt.date, bool, bool, dt.date | None, int, Decimal]]
    rows = await (await conn.execute(_FACTS, [list(ids)])).fetchall()
    return {
        id_: Asset(
            value, acquired, available, months, percent, depreciable, tuple(revaluations.get(id_, ())), gone, ours
        )
        for id_, value, acquired, available, depreciable, ours, gone, months, percent in rows
    }


# The plan of each asset is that of `fechar_mes` and of `rules.Asset.plan`; a test compares the sums.
_AHEAD = """
with ultimo as (
    select distinct on (patrimonio_id) * from reavaliacao_item where not estornada and mes(data) <= %(since)s
    order by patrimonio_id, data desc
), plano as (
    select c.conta, c.nome, c.depreciavel and p.sofre as depreciavel,
           coalesce(u.bruto - u.acumulada - u.perda, p.valor) as base,
           coalesce(u.residual, round(p.valor * coalesce(p.residual_pct,
               case when s.conta = c.conta then s.residual_pct end, c.residual_pct) / 100, 2)) as residual,
           coalesce(u.vida_util_meses, p.vida_util_meses, case when s.conta = c.conta then s.vida_util_meses end,
                    c.vida_util_meses) as vida,
           coalesce(mes(u.data), mes(p.data_disponivel)) + %(shift)s as desde
    from bem_do_livro p join classe c on c.id = p.classe_id
        left join depreciacao s on s.patrimonio_id = p.id and not s.saiu and s.fechamento =
            (select numero from fechamento where reaberto_em is null order by competencia desc limit 1)
        left join ultimo u on u.patrimonio_id = p.id
    where p.nosso and mes(p.data_aquisicao) <= %(since)s and coalesce(mes(p.baixado_em), 1000000) > %(since)s
      and (%(classe)s::uuid is null or p.classe_id = %(classe)s) and (%(setor)s::uuid is null or p.setor_id = %(setor)s)
)
select conta, nome, ano, count(*) as bens,
       round(sum(case when depreciavel then depreciada(base, residual, vida, ano * 12 + 12 - desde)
                 - depreciada(base, residual, vida, greatest(ano * 12, %(since)s + 1) - desde) else 0 end), 2) as depreciacao,
       sum(base - case when depreciavel then depreciada(base, residual, vida, ano * 12 + 12 - desde) else 0 end) as liquido
from plano cross join generate_series((%(since)s + 1) / 12, (%(since)s + 1) / 12 + %(years)s - 1) ano
group by conta, nome, ano order by conta, ano"""


async def simular(
    conn: AsyncConnection[Any], since: int, years: int, regra: Regra, classe: UUID | None, setor: UUID | None
) -> list[dict[str, Any]]:
    """What each account depreciates in each of the years after the month `since`, if nothing changes; nothing is written."""
    await conn.execute("set local statement_timeout = '30s'")
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _AHEAD,
            {"since": since, "years": years, "shift": regra.shift, "classe": classe, "setor": setor},
            prepare=False,
        )
        return await cursor.fetchall()
