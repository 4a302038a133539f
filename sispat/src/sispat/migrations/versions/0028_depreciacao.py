"""Depreciation: months that are closed over all assets, and what each asset was worth in each; useful lives of single assets.

Only adds: programs of the release before go on beside it, and close no month.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# Empty: as the class says.
BEM = """
alter table patrimonio
    add column vida_util_meses int check (vida_util_meses between 1 and 1200),
    add column residual_pct numeric(5, 2) check (residual_pct between 0 and 100);
"""

# A row for each time that a month was closed. Reopening keeps it, and the rows of assets that were made with it: they are
# read no more, because the month has another row then, or none.
FECHAMENTO = """
create table fechamento (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    competencia    date not null check (extract(day from competencia) = 1),
    regra          text not null check (regra in ('mes', 'mes_seguinte')),
    inicial        boolean not null,
    bens           bigint not null,
    bruto          numeric(16, 2) not null,
    acumulada      numeric(16, 2) not null,
    perda          numeric(16, 2) not null,
    liquido        numeric(16, 2) not null generated always as (bruto - acumulada - perda) stored,
    depreciacao    numeric(16, 2) not null,
    ajuste         numeric(16, 2) not null,
    fechado_por    uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    reaberto_em    timestamptz,
    reaberto_por   uuid references usuario,
    motivo         text not null default '' check (length(motivo) <= 1000),
    estado         text not null generated always as (
                   case when reaberto_em is null then 'fechado' else 'reaberto' end) stored,
    versao         int not null default 1,
    constraint fechamento_numero_unico unique (numero),
    constraint fechamento_reabertura_diz_por_que check (
        (reaberto_em is null) = (reaberto_por is null) and (reaberto_em is null or length(motivo) >= 10))
);
-- The same by account, as it was called then: what the card of a month shows, without reading a million rows.
create table fechamento_conta (
    fechamento     bigint not null,
    conta          text not null,
    nome           text not null,
    bens           bigint not null,
    entradas       numeric(16, 2) not null,
    baixas         numeric(16, 2) not null,
    depreciacao    numeric(16, 2) not null,
    ajuste         numeric(16, 2) not null,
    bruto          numeric(16, 2) not null,
    acumulada      numeric(16, 2) not null,
    perda          numeric(16, 2) not null,
    primary key (fechamento, conta)
);
create unique index fechamento_uma_vez on fechamento (competencia) where reaberto_em is null;
create index fechamento_estado_idx on fechamento (estado, numero);
"""

# What an asset was worth at the end of a month, and all that led there from the end of the month before. No foreign keys: each
# of a million rows would lock an asset that people work with. A trigger keeps the assets, and only `fechar_mes` inserts.
# NULL is 0 in what happened: most of it did not, and costs no room so.
DEPRECIACAO = """
create table depreciacao (
    fechamento        bigint not null,
    patrimonio_id     uuid not null,
    setor_id          uuid not null,
    vida_util_meses   int not null,
    residual_pct      numeric(5, 2) not null,
    bruto             numeric(14, 2) not null,
    acumulada         numeric(14, 2) not null,
    perda             numeric(14, 2) not null,
    depreciacao       numeric(14, 2),
    conta             text not null,
    conta_anterior    text,
    ingresso          text check (ingresso in ('saldo_inicial', 'incorporacao', 'estorno_baixa')),
    entrada           numeric(14, 2),
    ajuste_bruto      numeric(14, 2),
    ajuste_acumulada  numeric(14, 2),
    ajuste_perda      numeric(14, 2),
    evento            text check (evento in ('reavaliacao', 'reducao', 'revisao')),
    evento_bruto      numeric(14, 2),
    evento_acumulada  numeric(14, 2),
    evento_perda      numeric(14, 2),
    baixa_bruto       numeric(14, 2),
    baixa_acumulada   numeric(14, 2),
    baixa_perda       numeric(14, 2),
    saiu              boolean not null,
    primary key (fechamento, patrimonio_id)
);
"""

# The commission's reports: the reavaliacao slice writes them, the closing reads them. What an asset was worth before and after
# stands in the item, so that the depreciation starts from there whatever is corrected of the time before.
REAVALIACAO = """
create table reavaliacao (
    id             uuid primary key default gen_random_uuid(),
    numero         bigint not null generated always as identity,
    tipo           text not null check (tipo in ('reavaliacao', 'reducao', 'revisao')),
    data           date not null,
    laudo          text not null check (length(laudo) between 1 and 60),
    justificativa  text not null check (length(justificativa) between 10 and 2000),
    comissao_id    uuid not null references comissao,
    portaria       text not null check (length(portaria) between 1 and 60),
    membros        text not null check (length(membros) between 1 and 4000),
    bens           int not null check (bens > 0),
    valor_antes    numeric(16, 2) not null,
    valor_depois   numeric(16, 2) not null,
    registrada_por uuid not null references usuario,
    criado_em      timestamptz not null default now(),
    estornada_em   timestamptz,
    estornada_por  uuid references usuario,
    estorno        text not null default '' check (length(estorno) <= 2000),
    estado         text not null generated always as (
                   case when estornada_em is null then 'efetiva' else 'estornada' end) stored,
    versao         int not null default 1,
    constraint reavaliacao_numero_unico unique (numero),
    constraint reavaliacao_estorno_diz_por_que check (
        (estornada_em is null) = (estornada_por is null) and (estornada_em is null or length(estorno) >= 10))
);
create index reavaliacao_estado_idx on reavaliacao (estado, numero);
create table reavaliacao_item (
    reavaliacao_id   uuid not null references reavaliacao,
    patrimonio_id    uuid not null references patrimonio,
    tipo             text not null check (tipo in ('reavaliacao', 'reducao', 'revisao')),
    data             date not null,
    mes              date not null generated always as (data - extract(day from data)::int + 1) stored,
    bruto_antes      numeric(14, 2) not null,
    acumulada_antes  numeric(14, 2) not null,
    perda_antes      numeric(14, 2) not null,
    bruto            numeric(14, 2) not null check (bruto >= 0),
    acumulada        numeric(14, 2) not null check (acumulada >= 0),
    perda            numeric(14, 2) not null check (perda >= 0),
    vida_util_meses  int not null check (vida_util_meses between 1 and 1200),
    residual         numeric(14, 2) not null check (residual >= 0),
    estornada        boolean not null default false,
    primary key (reavaliacao_id, patrimonio_id),
    constraint reavaliacao_item_liquido check (bruto - acumulada - perda >= 0)
);
create unique index reavaliacao_uma_vez_no_mes on reavaliacao_item (patrimonio_id, mes) where not estornada;
create index reavaliacao_item_patrimonio_idx on reavaliacao_item (patrimonio_id);
grant select, insert, update on reavaliacao to sispat_app;
grant select, insert on reavaliacao_item to sispat_app;
grant update (estornada) on reavaliacao_item to sispat_app;
"""

# Straight-line: what is depreciated after n of v months, in whole cents, rounded half up once, so that all months together are
# base - residual. Integers, because a division of numerics is cut off somewhere and would be rounded twice.
FUNCOES = """
create function mes(dia date) returns int language sql immutable strict parallel safe
    return (extract(year from dia) * 12 + extract(month from dia) - 1)::int;
create function primeiro_dia(mes int) returns date language sql immutable strict parallel safe
    return make_date(mes / 12, mes % 12 + 1, 1);
create function depreciada(base numeric, residual numeric, vida int, meses int) returns numeric
    language sql immutable parallel safe
    return case when meses <= 0 or base <= residual then 0
                when meses >= vida then base - residual
                else ((2 * ((base - residual) * 100)::bigint * meses + vida) / (2 * vida))::numeric * 0.01 end;
"""

# The rule is that of `sispat.depreciacao.rules.state`; a test compares them. In short: what should stand at the end of
# the month before (by what is known now) minus what was closed is the adjustment; the rest happened in this month.
FECHAR = """
create function fechar_mes(a_competencia date, a_regra text, quem uuid) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m int := mes(a_competencia);
    k int := case a_regra when 'mes' then 0 else 1 end;
    anterior fechamento;
    novo bigint;
begin
    perform pg_advisory_xact_lock(5153927, 27);
    select * into anterior from fechamento where reaberto_em is null order by competencia desc limit 1;
    insert into fechamento (competencia, regra, inicial, bens, bruto, acumulada, perda, depreciacao, ajuste, fechado_por)
    values (a_competencia, a_regra, anterior.id is null, 0, 0, 0, 0, 0, 0, quem) returning numero into novo;
    perform set_config('sispat.fechando', novo::text, true);
    insert into depreciacao (fechamento, patrimonio_id, setor_id, vida_util_meses, residual_pct, bruto, acumulada, perda,
        depreciacao, conta, conta_anterior, ingresso, entrada, ajuste_bruto, ajuste_acumulada, ajuste_perda,
        evento, evento_bruto, evento_acumulada, evento_perda, baixa_bruto, baixa_acumulada, baixa_perda, saiu)
    with ultimo as materialized (  -- the last revaluation before this month, if the asset was still there
        select distinct on (r.patrimonio_id) r.*, mes(r.data) as em
        from reavaliacao_item r left join baixa b on b.patrimonio_id = r.patrimonio_id and b.estornada_em is null
        where not r.estornada and r.data < a_competencia and r.data <= coalesce(b.data, 'infinity')
        order by r.patrimonio_id, r.data desc
    ), agora as materialized (
        select r.* from reavaliacao_item r left join baixa b on b.patrimonio_id = r.patrimonio_id and b.estornada_em is null
        where not r.estornada and r.mes = a_competencia and r.data <= coalesce(b.data, 'infinity')
    ), desfeitas as materialized (
        select distinct patrimonio_id from baixa where estornada_em is not null and data < a_competencia
    ), fatos as (
        select p.id, p.setor_id, p.valor, c.conta, c.depreciavel, s.fechamento is not null as estava, s.conta as conta_antes,
               coalesce(s.bruto, 0) as bruto_antes, coalesce(s.acumulada, 0) as acumulada_antes,
               coalesce(s.perda, 0) as perda_antes,
               coalesce(p.vida_util_meses, case when s.conta = c.conta then s.vida_util_meses end, c.vida_util_meses) as vida,
               coalesce(p.residual_pct, case when s.conta = c.conta then s.residual_pct end, c.residual_pct) as pct,
               p.posse = 'proprio' and mes(p.data_aquisicao) <= m as nosso, mes(p.data_aquisicao) as entra,
               mes(p.data_disponivel) + k as comeca, coalesce(mes(b.data), 1000000) as sai
        from patrimonio p join classe c on c.id = p.classe_id
            left join depreciacao s on s.fechamento = anterior.numero and s.patrimonio_id = p.id and not s.saiu
            left join baixa b on b.patrimonio_id = p.id and b.estornada_em is null
        where s.fechamento is not null
           or (p.posse = 'proprio' and mes(p.data_aquisicao) <= m and coalesce(mes(b.data), 1000000) >= m)
    ), planos as (  -- by which plan it was depreciated until now, and from when on
        select f.*, coalesce(u.bruto, f.valor) as bruto0,
               coalesce(u.acumulada, 0) as acumulada0, coalesce(u.perda, 0) as perda0,
               case when u.patrimonio_id is null then f.valor else u.bruto - u.acumulada - u.perda end as base,
               coalesce(u.residual, round(f.valor * f.pct / 100, 2)) as residual,
               coalesce(u.vida_util_meses, f.vida) as meses, coalesce(u.em + k, f.comeca) as desde,
               a.tipo as evento, a.bruto as bruto1, a.acumulada as acumulada1, a.perda as perda1,
               case when k = 0 and f.sai > m and f.depreciavel
                    then depreciada(a.bruto - a.acumulada - a.perda, a.residual, a.vida_util_meses, 1) else 0 end as quota1
        from fatos f left join ultimo u on u.patrimonio_id = f.id left join agora a on a.patrimonio_id = f.id and f.nosso
    ), quotas as (
        select p.*,
               case when depreciavel then depreciada(base, residual, meses, least(m - 1, sai + k - 1) - desde + 1)
                    else 0 end as ate_antes,
               case when depreciavel then depreciada(base, residual, meses,
                    least(m, sai + k - 1, case when evento is null then m else m + k - 1 end) - desde + 1)
                    else 0 end as ate_agora
        from planos p
    ), movimentos as (
        select q.*, case when nosso then bruto0 else 0 end as bruto_p,
               case when nosso then acumulada0 + ate_antes else 0 end as acumulada_p,
               case when nosso then perda0 else 0 end as perda_p,
               case when nosso then greatest(ate_agora - ate_antes, 0) else 0 end as quota0,
               nosso and sai > m as fica
        from quotas q
    ), finais as (
        select v.*, coalesce(bruto1, bruto_p) as bruto_d,
               case when evento is null then acumulada_p + quota0 else acumulada1 + quota1 end as acumulada_d,
               coalesce(perda1, perda_p) as perda_d
        from movimentos v
    )
    select novo, id, setor_id, vida, pct, case when fica then bruto_d else 0 end, case when fica then acumulada_d else 0 end,
           case when fica then perda_d else 0 end,
           nullif(quota0 + case when evento is null then 0 else quota1 end, 0), conta,
           case when estava and conta_antes <> conta then conta_antes end,
           case when estava then null when anterior.id is null and entra < m then 'saldo_inicial'
                when id in (select patrimonio_id from desfeitas) then 'estorno_baixa'
                else 'incorporacao' end,
           case when not estava then nullif(bruto_p, 0) end,
           case when estava then nullif(bruto_p - bruto_antes, 0) end,
           nullif(acumulada_p - acumulada_antes, 0), nullif(perda_p - perda_antes, 0),
           evento, nullif(bruto1 - bruto_p, 0), nullif(acumulada1 - acumulada_p - quota0, 0), nullif(perda1 - perda_p, 0),
           case when nosso and not fica then nullif(-bruto_d, 0) end,
           case when nosso and not fica then nullif(-acumulada_d, 0) end,
           case when nosso and not fica then nullif(-perda_d, 0) end, not fica
    from finais order by id;
    insert into fechamento_conta
    select novo, d.conta, coalesce(c.nome, d.conta), count(*) filter (where not d.saiu), coalesce(sum(d.entrada), 0),
           -coalesce(sum(d.baixa_bruto), 0), coalesce(sum(d.depreciacao), 0), coalesce(sum(d.ajuste_acumulada), 0),
           sum(d.bruto), sum(d.acumulada), sum(d.perda)
    from depreciacao d left join classe c on c.conta = d.conta where d.fechamento = novo group by d.conta, c.nome;
    update fechamento f set (bens, bruto, acumulada, perda, depreciacao, ajuste) = (
        select coalesce(sum(c.bens), 0), coalesce(sum(c.bruto), 0), coalesce(sum(c.acumulada), 0),
               coalesce(sum(c.perda), 0), coalesce(sum(c.depreciacao), 0), coalesce(sum(c.ajuste), 0)
        from fechamento_conta c where c.fechamento = novo)
    where f.numero = novo;
    perform set_config('sispat.fechando', '', true);
    return novo;
end $$;
revoke execute on function fechar_mes(date, text, uuid) from public;
grant execute on function fechar_mes(date, text, uuid) to sispat_app;
"""

GATILHOS = """
create function depreciacao_imutavel() returns trigger language plpgsql as $$
begin
    raise exception 'a closed month never changes: % of % refused', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end $$;
create trigger depreciacao_imutavel before update or delete on depreciacao
    for each statement execute function depreciacao_imutavel();
create trigger depreciacao_nao_esvazia before truncate on depreciacao
    for each statement execute function depreciacao_imutavel();

create function depreciacao_so_ao_fechar() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('sispat.fechando', true), '') = '' then
        raise exception 'only fechar_mes writes %: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
    end if;
    return null;
end $$;
create trigger depreciacao_so_ao_fechar before insert on depreciacao
    for each statement execute function depreciacao_so_ao_fechar();

create function fechamento_em_ordem() returns trigger language plpgsql as $$
declare
    ultimo fechamento;
begin
    perform pg_advisory_xact_lock(5153927, 27);
    select * into ultimo from fechamento where reaberto_em is null order by competencia desc limit 1;
    if tg_op = 'INSERT' then
        if ultimo.id is not null and new.competencia <> ultimo.competencia + interval '1 month' then
            raise exception 'months are closed one after the other: after %, not %', ultimo.competencia, new.competencia
                using errcode = 'check_violation', constraint = 'fechamento_em_ordem';
        elsif ultimo.id is not null and new.regra <> ultimo.regra then
            raise exception 'all months are closed by the rule of the first'
                using errcode = 'check_violation', constraint = 'fechamento_mesma_regra';
        end if;
    elsif old.criado_em = now() and new.reaberto_em is null then
        return new;  -- fechar_mes, in one transaction, writes its sums
    elsif (to_jsonb(new) - '{reaberto_em,reaberto_por,motivo,versao,estado,liquido}'::text[])
          <> (to_jsonb(old) - '{reaberto_em,reaberto_por,motivo,versao,estado,liquido}'::text[])
          or old.reaberto_em is not null then
        raise exception 'a closed month never changes' using errcode = 'insufficient_privilege';
    elsif old.id <> ultimo.id then
        raise exception 'only the last closed month may be reopened'
            using errcode = 'check_violation', constraint = 'fechamento_so_o_ultimo';
    end if;
    return new;
end $$;
create trigger fechamento_em_ordem before insert or update on fechamento
    for each row execute function fechamento_em_ordem();
create function fechamento_fica() returns trigger language plpgsql as $$
begin
    raise exception 'a closed month stays: % of fechamento refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger fechamento_fica before delete on fechamento for each row execute function fechamento_fica();
create trigger fechamento_nao_esvazia before truncate on fechamento for each statement execute function fechamento_fica();

create function patrimonio_fica_no_livro() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from saem s, fechamento f, depreciacao d where d.fechamento = f.numero and d.patrimonio_id = s.id) then
        raise exception 'an asset of a closed month stays'
            using errcode = 'foreign_key_violation', constraint = 'patrimonio_em_mes_fechado';
    end if;
    return null;
end $$;
create trigger fechamento_conta_imutavel before update or delete on fechamento_conta
    for each statement execute function depreciacao_imutavel();
create trigger fechamento_conta_nao_esvazia before truncate on fechamento_conta
    for each statement execute function depreciacao_imutavel();
create trigger fechamento_conta_so_ao_fechar before insert on fechamento_conta
    for each statement execute function depreciacao_so_ao_fechar();
grant select on fechamento, fechamento_conta, depreciacao to sispat_app;
grant update (reaberto_em, reaberto_por, motivo, versao) on fechamento to sispat_app;
"""

GATILHO_DO_BEM = """
create trigger patrimonio_fica_no_livro after delete on patrimonio referencing old table as saem
    for each statement execute function patrimonio_fica_no_livro();
"""

# What others sum: each movement of a closed month, signed, by account and component; all of an account up to a month are its
# balances (docs/reference/lancamentos.md).
LANCAMENTO = """
create view lancamento as
select f.competencia, f.id as fechamento_id, d.patrimonio_id, d.setor_id, l.conta, l.especie, l.componente, l.valor
from fechamento f join depreciacao d on d.fechamento = f.numero
cross join lateral (
    select d.bruto - coalesce(d.entrada, 0) - coalesce(d.ajuste_bruto, 0) - coalesce(d.evento_bruto, 0)
               - coalesce(d.baixa_bruto, 0) as bruto,
           d.acumulada - coalesce(d.depreciacao, 0) - coalesce(d.ajuste_acumulada, 0) - coalesce(d.evento_acumulada, 0)
               - coalesce(d.baixa_acumulada, 0) as acumulada,
           d.perda - coalesce(d.ajuste_perda, 0) - coalesce(d.evento_perda, 0) - coalesce(d.baixa_perda, 0) as perda,
           case when d.ingresso in ('saldo_inicial', 'estorno_baixa') then d.ingresso else 'ajuste' end as do_passado
) inicio
cross join lateral (values
    (d.conta_anterior, 'reclassificacao', 'bruto', case when d.conta_anterior is not null then -inicio.bruto end),
    (d.conta, 'reclassificacao', 'bruto', case when d.conta_anterior is not null then inicio.bruto end),
    (d.conta_anterior, 'reclassificacao', 'acumulada', case when d.conta_anterior is not null then -inicio.acumulada end),
    (d.conta, 'reclassificacao', 'acumulada', case when d.conta_anterior is not null then inicio.acumulada end),
    (d.conta_anterior, 'reclassificacao', 'perda', case when d.conta_anterior is not null then -inicio.perda end),
    (d.conta, 'reclassificacao', 'perda', case when d.conta_anterior is not null then inicio.perda end),
    (d.conta, d.ingresso, 'bruto', d.entrada),
    (d.conta, 'ajuste', 'bruto', d.ajuste_bruto),
    (d.conta, inicio.do_passado, 'acumulada', d.ajuste_acumulada),
    (d.conta, inicio.do_passado, 'perda', d.ajuste_perda),
    (d.conta, 'depreciacao', 'acumulada', d.depreciacao),
    (d.conta, d.evento, 'bruto', d.evento_bruto),
    (d.conta, d.evento, 'acumulada', d.evento_acumulada),
    (d.conta, d.evento, 'perda', d.evento_perda),
    (d.conta, 'baixa', 'bruto', d.baixa_bruto),
    (d.conta, 'baixa', 'acumulada', d.baixa_acumulada),
    (d.conta, 'baixa', 'perda', d.baixa_perda)
) l (conta, especie, componente, valor)
where f.reaberto_em is null and l.valor <> 0;
grant select on lancamento to sispat_app;
"""


def upgrade() -> None:
    """Create the tables, the functions, the triggers, the view."""
    with blocking(
        "readers go on; writers wait while a million assets are passed once for two empty columns: about a second"
    ):
        executar(BEM)
        for part in (FECHAMENTO, DEPRECIACAO, REAVALIACAO, FUNCOES, FECHAR, GATILHOS):
            executar(part)
        executar(GATILHO_DO_BEM)
    executar(LANCAMENTO)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop view lancamento; drop trigger patrimonio_fica_no_livro on patrimonio; drop function patrimonio_fica_no_livro;
        drop table reavaliacao_item, reavaliacao, depreciacao, fechamento_conta, fechamento;
        drop function fechar_mes, depreciada, primeiro_dia, mes, depreciacao_imutavel,
            depreciacao_so_ao_fechar, fechamento_em_ordem, fechamento_fica;
        alter table patrimonio drop column vida_util_meses, drop column residual_pct"""
    )
