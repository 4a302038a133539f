"""How many assets there are and what they are worth, kept while they are written.

Only adds: programs of the release before run the triggers without knowing of them.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A total in one row would be a row that every create waits for. So a write adds a row of its own to `patrimonio_variacao`, and
# what is true is the sum of both tables. Now and then a writer folds variations into the totals: one at a time (an advisory
# lock that is tried, never waited for), so that nobody else ever waits for a row of `patrimonio_total`.
# The application's role only reads both tables: the functions write them as their owner.
TABELAS = """
create table patrimonio_total (
    setor_id   uuid not null,
    classe_id  uuid not null,
    situacao   text not null,
    quantidade bigint not null,
    valor      numeric not null,
    primary key (setor_id, classe_id, situacao)
) with (fillfactor = 50);
create table patrimonio_variacao (
    setor_id   uuid not null,
    classe_id  uuid not null,
    situacao   text not null,
    quantidade bigint not null,
    valor      numeric not null
);
create view patrimonio_totais as
    select setor_id, classe_id, situacao, sum(quantidade)::bigint as quantidade, sum(valor) as valor
    from (table patrimonio_total union all table patrimonio_variacao) parte
    group by setor_id, classe_id, situacao having sum(quantidade) <> 0 or sum(valor) <> 0;
grant select on patrimonio_total, patrimonio_variacao, patrimonio_totais to sispat_app;
"""

FUNCOES = """
create function patrimonio_totais_dobrar(no_maximo int) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    dobradas bigint;
begin
    if not pg_try_advisory_xact_lock(5153927, 1) then
        return 0;  -- somebody else is folding
    end if;
    with tiradas as (
        delete from patrimonio_variacao where ctid = any(array(
            select ctid from patrimonio_variacao limit no_maximo for update skip locked))
        returning *
    ), somadas as (
        insert into patrimonio_total as t
        select setor_id, classe_id, situacao, sum(quantidade), sum(valor) from tiradas group by 1, 2, 3
        on conflict (setor_id, classe_id, situacao) do update
            set quantidade = t.quantidade + excluded.quantidade, valor = t.valor + excluded.valor
    )
    select count(*) into dobradas from tiradas;
    return dobradas;
end $$;

create function patrimonio_totais_somar() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into patrimonio_variacao
        select setor_id, classe_id, situacao, count(*), sum(valor) from depois group by 1, 2, 3;
    elsif tg_op = 'DELETE' then
        insert into patrimonio_variacao
        select setor_id, classe_id, situacao, -count(*), -sum(valor) from antes group by 1, 2, 3;
    else
        insert into patrimonio_variacao
        select setor_id, classe_id, situacao, sum(n), sum(valor) from (
            select setor_id, classe_id, situacao, 1 as n, valor from depois
            union all select setor_id, classe_id, situacao, -1, -valor from antes) cada
        group by 1, 2, 3 having sum(n) <> 0 or sum(valor) <> 0;
    end if;
    if random() < 0.002 then  -- about every 500 writes; 2,000 keep ahead of them
        perform patrimonio_totais_dobrar(2000);
    end if;
    return null;
end $$;

create function patrimonio_totais_esvaziar() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    truncate patrimonio_total, patrimonio_variacao;
    return null;
end $$;

revoke execute on function patrimonio_totais_dobrar(int) from public;
grant execute on function patrimonio_totais_dobrar(int) to sispat_app;
"""

# Columns can't be named for a trigger with transition tables: an UPDATE that changes neither of them adds no row.
GATILHOS = """
create trigger patrimonio_totais_inserir after insert on patrimonio referencing new table as depois
    for each statement execute function patrimonio_totais_somar();
create trigger patrimonio_totais_alterar after update on patrimonio
    referencing old table as antes new table as depois
    for each statement execute function patrimonio_totais_somar();
create trigger patrimonio_totais_excluir after delete on patrimonio referencing old table as antes
    for each statement execute function patrimonio_totais_somar();
create trigger patrimonio_totais_esvaziar after truncate on patrimonio
    for each statement execute function patrimonio_totais_esvaziar();
"""

PRIMEIROS = """
insert into patrimonio_total
select setor_id, classe_id, situacao, count(*), sum(valor) from patrimonio group by 1, 2, 3;
"""


def upgrade() -> None:
    """Add the tables, the triggers, and the totals of what is there."""
    executar(TABELAS + FUNCOES)
    # The triggers' lock keeps writers out until the commit, so that nothing is counted twice or missed.
    with blocking("readers go on; writers wait while a million assets are counted once: about a second"):
        executar(GATILHOS)
        executar(PRIMEIROS)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop trigger patrimonio_totais_inserir on patrimonio; drop trigger patrimonio_totais_alterar on patrimonio;
        drop trigger patrimonio_totais_excluir on patrimonio; drop trigger patrimonio_totais_esvaziar on patrimonio;
        drop view patrimonio_totais; drop table patrimonio_total, patrimonio_variacao;
        drop function patrimonio_totais_somar, patrimonio_totais_esvaziar, patrimonio_totais_dobrar"""
    )
