"""Imóveis in the books: land and building apart, each with its class; the building depreciates, land never.

Only adds columns and a view, and replaces a function: programs of the release before go on beside it, and close months by the
new one.
"""

from __future__ import annotations

from importlib import import_module

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

# Without a class an imóvel is in no closing: nobody but the city knows in which account it stands.
IMOVEL = """
alter table imovel
    add column classe_terreno_id uuid references classe,
    add column classe_edificacao_id uuid references classe,
    add column data_disponivel date,
    add column vida_util_meses int check (vida_util_meses between 1 and 1200),
    add column residual_pct numeric(5, 2) check (residual_pct between 0 and 100),
    add constraint imovel_disponivel_depois check (data_disponivel >= data_aquisicao);

create function imovel_classe_em_uso() returns trigger language plpgsql as $$
declare
    escolhida uuid;
begin
    execute format('select ($1).%I', tg_argv[1]) into escolhida using new;
    perform from classe c where c.id = escolhida and not c.ativo for key share;
    if found then
        raise exception 'a retired classe takes no imovel' using errcode = 'check_violation', constraint = tg_argv[0];
    end if;
    return null;
end $$;
create trigger imovel_nova_classe_terreno_em_uso after insert on imovel
    for each row execute function imovel_classe_em_uso('imovel_classe_terreno_em_uso', 'classe_terreno_id');
create trigger imovel_outra_classe_terreno_em_uso after update of classe_terreno_id on imovel
    for each row when (new.classe_terreno_id is distinct from old.classe_terreno_id)
    execute function imovel_classe_em_uso('imovel_classe_terreno_em_uso', 'classe_terreno_id');
create trigger imovel_nova_classe_edificacao_em_uso after insert on imovel
    for each row execute function imovel_classe_em_uso('imovel_classe_edificacao_em_uso', 'classe_edificacao_id');
create trigger imovel_outra_classe_edificacao_em_uso after update of classe_edificacao_id on imovel
    for each row when (new.classe_edificacao_id is distinct from old.classe_edificacao_id)
    execute function imovel_classe_em_uso('imovel_classe_edificacao_em_uso', 'classe_edificacao_id');
"""

# All that a closing may have a row of, under the key that the row has as `patrimonio_id`: an asset by its own, the building of
# an imóvel by that of the imóvel, its land by `terreno_de` of it. `lugar` is an order over all of them: assets by their
# plate numbers, imóveis after them. `sofre`: whether its class may depreciate it.
LIVRO = """
create function terreno_de(imovel uuid) returns uuid language sql immutable strict parallel safe
    return md5('terreno ' || imovel::text)::uuid;
create view bem_do_livro as
select p.id, 'movel' as tipo, null::uuid as imovel_id, p.numero, p.numero as lugar, p.descricao, p.setor_id, p.agente_id,
       p.classe_id, p.valor, p.posse = 'proprio' as nosso, true as sofre, p.data_aquisicao, p.data_disponivel,
       p.vida_util_meses, p.residual_pct, b.data as baixado_em
from patrimonio p left join baixa b on b.patrimonio_id = p.id and b.estornada_em is null
union all
select v.id, v.tipo, i.id, i.numero, 1000000000000000000 + 2 * i.numero + v.segundo, i.nome || ' (' || v.nome || ')',
       i.setor_id, i.agente_id, v.classe_id, v.valor, i.posse = 'proprio' and v.valor > 0, v.tipo = 'edificacao',
       i.data_aquisicao, coalesce(i.data_disponivel, i.data_aquisicao), v.vida_util_meses, v.residual_pct, b.data
from imovel i
cross join lateral (values
    (terreno_de(i.id), 'terreno', 0, 'terreno', i.classe_terreno_id, i.valor_terreno, null::int, null::numeric(5, 2)),
    (i.id, 'edificacao', 1, 'edificação', i.classe_edificacao_id, i.valor_edificacao, i.vida_util_meses, i.residual_pct)
) v (id, tipo, segundo, nome, classe_id, valor, vida_util_meses, residual_pct)
left join imovel_baixa b on b.imovel_id = i.id and b.estornada_em is null;
grant select on bem_do_livro to sispat_app;

create or replace function patrimonio_fica_no_livro() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from saem s, fechamento f, depreciacao d
               where d.fechamento = f.numero and d.patrimonio_id in (s.id, terreno_de(s.id))) then
        raise exception 'an asset of a closed month stays'
            using errcode = 'foreign_key_violation', constraint = 'patrimonio_em_mes_fechado';
    end if;
    return null;
end $$;
create trigger imovel_fica_no_livro after delete on imovel referencing old table as saem
    for each statement execute function patrimonio_fica_no_livro();
"""

# As in 0033, word for word, but for `desfeitas` and `fatos`, which read `bem_do_livro` instead of assets alone.
FECHAR = """
create or replace function fechar_mes(a_competencia date, a_regra text, quem uuid) returns bigint
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
        select patrimonio_id from baixa where estornada_em is not null and data < a_competencia
        union select l.id from imovel_baixa b join bem_do_livro l on l.imovel_id = b.imovel_id
        where b.estornada_em is not null and b.data < a_competencia
    ), fatos as (
        select p.id, p.setor_id, p.valor, coalesce(c.conta, s.conta) as conta,
               p.sofre and coalesce(c.depreciavel, false) as depreciavel, s.fechamento is not null as estava,
               s.conta as conta_antes, coalesce(s.bruto, 0) as bruto_antes, coalesce(s.acumulada, 0) as acumulada_antes,
               coalesce(s.perda, 0) as perda_antes,
               coalesce(p.vida_util_meses, case when s.conta = c.conta then s.vida_util_meses end, c.vida_util_meses,
                        s.vida_util_meses) as vida,
               coalesce(p.residual_pct, case when s.conta = c.conta then s.residual_pct end, c.residual_pct,
                        s.residual_pct) as pct,
               p.nosso and c.id is not null and mes(p.data_aquisicao) <= m as nosso, mes(p.data_aquisicao) as entra,
               mes(p.data_disponivel) + k as comeca, coalesce(mes(p.baixado_em), 1000000) as sai
        from bem_do_livro p left join classe c on c.id = p.classe_id
            left join depreciacao s on s.fechamento = anterior.numero and s.patrimonio_id = p.id and not s.saiu
        where s.fechamento is not null
           or (p.nosso and c.id is not null and mes(p.data_aquisicao) <= m and coalesce(mes(p.baixado_em), 1000000) >= m)
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
        offset 0
    ), quotas as (
        select p.*,
               case when depreciavel then depreciada(base, residual, meses, least(m - 1, sai + k - 1) - desde + 1)
                    else 0 end as ate_antes,
               case when depreciavel then depreciada(base, residual, meses,
                    least(m, sai + k - 1, case when evento is null then m else m + k - 1 end) - desde + 1)
                    else 0 end as ate_agora
        from planos p
        offset 0
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
"""


def upgrade() -> None:
    """Add the columns, the view; replace the function."""
    with blocking("the imóveis of a city, some thousands, are passed once: milliseconds"):
        executar(IMOVEL)
    executar(LIVRO)
    executar(FECHAR)


def downgrade() -> None:
    """Drop them; the next closing takes the imóveis out of the books."""
    executar(import_module("sispat.migrations.versions.0033_fechamento_sem_repetir").FECHAR)
    executar(
        """drop trigger imovel_fica_no_livro on imovel; drop view bem_do_livro;
        alter table imovel drop column classe_terreno_id, drop column classe_edificacao_id, drop column data_disponivel,
            drop column vida_util_meses, drop column residual_pct;
        drop function imovel_classe_em_uso cascade"""
    )
