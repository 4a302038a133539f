"""The SQL of the reports, and how any of them is walked, summed and streamed.

A report is one text, or several with the same columns whose lines stand in one order. A text gives the columns of its report
and two more that put its lines in order and together name one: `ordem` (a text, the same for the lines of a group) and `lugar`
(a number within it: of assets the plate number, of imóveis that of `bem_do_livro`, which is higher). Its parameters have the
names of the filters; `setores` is the reach of who asks (null: the whole city), `hoje` the day, `mes` the closed month,
`fechado` the number of its closing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row

__all__ = [
    "ANALITICO", "BALANCETE", "CARGA", "CONCILIACAO", "DEPRECIACAO", "FICHA", "MOVIMENTO", "SINTETICO", "Closed", "Query",
    "Row", "fechado", "linhas", "somas", "todas",
]  # fmt: skip

Row = dict[str, Any]

_AGE = "extract(year from age(%(hoje)s::date, p.data_aquisicao))::int"
_WARRANTY = """case when p.garantia_ate is null then 'sem' when p.garantia_ate >= %(hoje)s::date then 'vigente'
    else 'vencida' end"""
_BAND = f"width_bucket({_AGE}, array[1, 5, 10, 20])::text"
# Constant for one request: the planner keeps the one branch that was asked for.
_KEY = f"""case %(por)s::text when 'setor' then s.codigo when 'agente' then a.matricula
    when 'conta' then coalesce(c.conta, '') when 'classe' then coalesce(left(sem_acento(c.nome), 100) || ' ' || c.conta, '')
    when 'fonte' then p.fonte when 'garantia' then {_WARRANTY} when 'idade' then {_BAND} else '' end"""
_NAME = f"""case %(por)s::text when 'setor' then s.codigo || ' · ' || s.nome
    when 'agente' then a.nome || ' (' || a.matricula || ')' when 'conta' then coalesce(c.conta || ' · ' || c.nome, '—')
    when 'classe' then coalesce(c.nome, '—') when 'fonte' then p.fonte when 'garantia' then {_WARRANTY}
    when 'idade' then {_BAND} else '' end"""
_MOVEIS = """(select *, 'movel' as tipo, numero as lugar from patrimonio) p
    join classe c on c.id = p.classe_id join local l on l.id = p.local_id"""
# What assets alone have is said of imóveis as if nobody had typed it.
_IMOVEIS = """(
        select b.*, i.posse, i.conservacao, 'em_uso' as situacao, null::date as garantia_ate, 'nao_informada' as fonte,
               '' as fonte_numero
        from bem_do_livro b join imovel i on i.id = b.imovel_id
        where b.tipo <> 'movel' and i.estado = 'ativo' and b.valor > 0) p
    left join classe c on c.id = p.classe_id cross join (select '' as nome) l"""
_WHICH = f"""
    join setor s on s.id = p.setor_id join agente a on a.id = p.agente_id
    left join depreciacao d on d.fechamento = %(fechado)s and d.patrimonio_id = p.id and not d.saiu
where p.situacao <> 'baixado' and (%(setores)s::uuid[] is null or p.setor_id = any(%(setores)s::uuid[]))
  and (%(tipo)s::text is null or p.tipo = %(tipo)s::text)
  and (%(setor)s::uuid is null or p.setor_id = %(setor)s::uuid)
  and (%(agente)s::uuid is null or p.agente_id = %(agente)s::uuid)
  and (%(classe)s::uuid is null or p.classe_id = %(classe)s::uuid)
  and (%(conta)s::text = '' or starts_with(c.conta || '.', %(conta)s::text || '.'))
  and (%(posse)s::text is null or p.posse = %(posse)s::text)
  and (%(fonte)s::text is null or p.fonte = %(fonte)s::text)
  and (%(garantia)s::text is null or {_WARRANTY} = %(garantia)s::text)
  and (%(idade_de)s::int is null or {_AGE} >= %(idade_de)s::int)
  and (%(idade_ate)s::int is null or {_AGE} <= %(idade_ate)s::int)"""

ANALITICO = tuple(
    f"""
select {_KEY} as ordem, p.lugar, {_NAME} as grupo, p.tipo, p.numero, p.descricao, coalesce(c.conta, '') as conta,
       coalesce(c.nome, '') as classe, s.codigo as setor, s.nome as nome_do_setor, l.nome as local, a.nome as agente,
       a.matricula, p.data_aquisicao, p.garantia_ate, p.posse, p.fonte, p.fonte_numero, p.conservacao, p.situacao, p.valor,
       d.bruto - d.acumulada - d.perda as valor_liquido
from {each} {_WHICH}"""
    for each in (_MOVEIS, _IMOVEIS)
)
CARGA = ANALITICO

_COUNTED = " union all ".join(
    f"""select {_KEY} as ordem, {_NAME} as grupo, p.posse, p.valor, d.bruto - d.acumulada - d.perda as liquido
        from {each} {_WHICH}"""
    for each in (_MOVEIS, _IMOVEIS)
)
SINTETICO = f"""
select ordem, 0::bigint as lugar, grupo, count(*) as bens,
       coalesce(sum(valor) filter (where posse = 'proprio'), 0.00) as valor, sum(liquido) as valor_liquido,
       count(*) filter (where posse <> 'proprio') as de_terceiros,
       coalesce(sum(valor) filter (where posse <> 'proprio'), 0.00) as valor_de_terceiros
from ({_COUNTED}) p group by 1, 3"""

# The balances are those that the closing wrote; what is before is what is after less what moved: a line always adds up.
BALANCETE = """
select coalesce(f.conta, m.conta) as ordem, 0::bigint as lugar, coalesce(f.conta, m.conta) as conta,
       coalesce(f.nome, c.nome, m.conta) as nome, coalesce(f.bens, 0) as bens,
       coalesce(f.bruto - f.acumulada - f.perda, 0.00) - coalesce(m.tudo, 0.00) as anterior,
       coalesce(m.entradas, 0.00) as entradas, coalesce(m.baixas, 0.00) as baixas,
       coalesce(m.reavaliacoes, 0.00) as reavaliacoes, coalesce(m.ajustes, 0.00) as ajustes,
       coalesce(m.depreciacao, 0.00) as depreciacao,
       coalesce(f.bruto - f.acumulada - f.perda, 0.00) as liquido, coalesce(f.bruto, 0.00) as bruto,
       coalesce(f.acumulada, 0.00) as acumulada, coalesce(f.perda, 0.00) as perda
from (select * from fechamento_conta where fechamento = %(fechado)s) f
full join (
    select conta, sum(valor) as tudo,
           sum(valor) filter (where especie in ('saldo_inicial', 'incorporacao', 'estorno_baixa')) as entradas,
           sum(valor) filter (where especie = 'baixa') as baixas,
           sum(valor) filter (where especie in ('reavaliacao', 'reducao', 'revisao')) as reavaliacoes,
           sum(valor) filter (where especie in ('ajuste', 'reclassificacao')) as ajustes,
           sum(valor) filter (where especie = 'depreciacao') as depreciacao
    from (select conta, especie, case componente when 'bruto' then valor else -valor end as valor
          from lancamento where competencia = %(mes)s::date) l
    group by conta) m on m.conta = f.conta
left join classe c on c.conta = m.conta"""

MOVIMENTO = """
select l.conta || ' ' || l.especie as ordem, p.lugar, l.conta as grupo, l.conta, l.especie, p.tipo, p.numero,
       p.descricao, s.codigo as setor, l.bruto, l.acumulada, l.perda, l.bruto - l.acumulada - l.perda as liquido
from (select conta, especie, patrimonio_id, setor_id, coalesce(sum(valor) filter (where componente = 'bruto'), 0.00) as bruto,
             coalesce(sum(valor) filter (where componente = 'acumulada'), 0.00) as acumulada,
             coalesce(sum(valor) filter (where componente = 'perda'), 0.00) as perda
      from lancamento
      where competencia = %(mes)s::date
        and case when %(especie)s::text is null then especie <> 'depreciacao' else especie = %(especie)s::text end
        and (%(setor)s::uuid is null or setor_id = %(setor)s::uuid)
        and (%(conta)s::text = '' or starts_with(conta || '.', %(conta)s::text || '.'))
      group by 1, 2, 3, 4) l
join bem_do_livro p on p.id = l.patrimonio_id join setor s on s.id = l.setor_id"""

DEPRECIACAO = """
select d.conta as ordem, p.lugar, d.conta as grupo, p.tipo, p.numero, p.descricao, s.codigo as setor, d.vida_util_meses,
       coalesce(d.depreciacao, 0.00) as depreciacao, coalesce(d.ajuste_acumulada, 0.00) as ajuste, d.bruto,
       d.acumulada, d.perda,
       d.bruto - d.acumulada - d.perda as liquido
from depreciacao d join bem_do_livro p on p.id = d.patrimonio_id join setor s on s.id = d.setor_id
where d.fechamento = %(fechado)s and (d.depreciacao is not null or d.ajuste_acumulada is not null)
  and (%(setor)s::uuid is null or d.setor_id = %(setor)s::uuid)
  and (%(conta)s::text = '' or starts_with(d.conta || '.', %(conta)s::text || '.'))"""

CONCILIACAO = """
select conta as ordem, 0::bigint as lugar, conta, nome, bruto, contabil_bruto, diferenca_bruto, acumulada, contabil_acumulada,
       diferenca_acumulada, justificativa
from conciliacao_conta
where conciliacao_id = (select id from conciliacao where fechamento = %(fechado)s order by numero desc limit 1)"""

FICHA = """
select to_char(l.competencia, 'YYYY-MM') || ' ' || l.especie || ' ' || l.componente || ' ' || l.conta as ordem,
       0::bigint as lugar, l.competencia, l.conta, l.especie, l.componente, sum(l.valor) as valor
from lancamento l join patrimonio p on p.id = l.patrimonio_id
where p.numero = %(numero)s and (%(setores)s::uuid[] is null or p.setor_id = any(%(setores)s::uuid[]))
group by l.competencia, l.conta, l.especie, l.componente"""


@dataclass(frozen=True, slots=True)
class Query:
    """A report that is asked for. `grouped`: its lines are in order by `ordem` first, which costs a sort of all of them."""

    texts: Sequence[str]
    values: Mapping[str, Any]
    grouped: bool

    @property
    def lines(self) -> str:
        """All of them, in any order."""
        return " union all ".join(f"select * from ({text}) t" for text in self.texts)

    @property
    def order(self) -> str:
        """What its lines are in order by."""
        return 'r.ordem collate "C", r.lugar' if self.grouped else "r.lugar"


class Closed(NamedTuple):
    """A month that is closed: the number of its closing, the month."""

    numero: int
    competencia: dt.date


async def fechado(conn: AsyncConnection[Any], competencia: dt.date | None) -> Closed | None:
    """The closing of this month, or of the last that is closed; None: it is not, or none is."""
    cursor = await conn.execute(
        """select numero, competencia from fechamento
           where reaberto_em is null and (%(mes)s::date is null or competencia = %(mes)s::date)
           order by competencia desc limit 1""",
        {"mes": competencia},
    )
    row = await cursor.fetchone()
    return None if row is None else Closed(*row)


async def linhas(conn: AsyncConnection[Any], query: Query, after: tuple[str, int] | None, limit: int) -> list[Row]:
    """At most `limit` lines, in order, after the one with this (`ordem`, `lugar`)."""
    beyond = ""
    if after is not None:
        beyond = "where r.lugar > %(lugar)s"
        if query.grouped:
            beyond = 'where (r.ordem collate "C", r.lugar) > (%(ordem)s::text collate "C", %(lugar)s::bigint)'
    key = {} if after is None else dict(zip(("ordem", "lugar"), after, strict=True))
    # Of each text no more than the page may need: along an index, where its order has one.
    first = f"{beyond} order by {query.order} limit {limit:d}"
    lines = " union all ".join(f"(select * from ({text}) r {first})" for text in query.texts)
    text = f"select * from ({lines}) r order by {query.order} limit {limit:d}"
    async with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        await _patient(conn)
        await cursor.execute(text, {**query.values, **key}, prepare=False)
        return await cursor.fetchall()


async def somas(conn: AsyncConnection[Any], query: Query, columns: Sequence[str]) -> Row:
    """How many lines there are (`linhas`), and the sums of these columns."""
    sums = "".join(f", sum(r.{column}) as {column}" for column in columns)
    async with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        await _patient(conn)
        await cursor.execute(f"select count(*) as linhas{sums} from ({query.lines}) r", query.values, prepare=False)
        row = await cursor.fetchone()
    assert row is not None
    return row


async def todas(conn: AsyncConnection[Any], query: Query, lot: int) -> AsyncIterator[list[Row]]:
    """All lines in order, as of one moment, in lots; in a transaction of the caller's."""
    await conn.execute("set local jit = off")
    await conn.execute("set local cursor_tuple_fraction = 1")  # all of it is read, not the first lines
    async with conn.cursor("relatorio", row_factory=dict_row) as cursor:
        await cursor.execute(f"select * from ({query.lines}) r order by {query.order}", query.values)
        while rows := await cursor.fetchmany(lot):
            yield rows


async def _patient(conn: AsyncConnection[Any]) -> None:
    """A report over a million assets takes seconds, which is more than a page may."""
    await conn.execute("set local statement_timeout = '30s'")
    await conn.execute("set local jit = off")
