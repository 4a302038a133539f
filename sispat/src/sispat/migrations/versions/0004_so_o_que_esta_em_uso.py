"""Nothing new refers to what was retired; a setor that holds assets is not retired; no setor is above itself."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# In the database, because every way that writes an asset has to obey, also those that write hundreds at once, and
# because only locks keep a retirement and a creation that run together apart: the foreign key of what is created holds
# KEY SHARE on the row it refers to, a retirement takes UPDATE on it, and whoever waited sees what the other committed
# (each statement of a plpgsql function has a snapshot of its own). AFTER triggers run in the order of their names, and
# those of foreign keys ("RI_...") come before ours. The names raised are explained by the slices (kernel.constraints).
PATRIMONIO = """
create function patrimonio_exigir_em_uso(setores uuid[], locais uuid[], classes uuid[], agentes uuid[]) returns void
language plpgsql as $$
begin
    if exists (select from setor where id = any(setores) and not ativo) then
        raise exception 'a retired setor takes no assets'
            using errcode = 'check_violation', constraint = 'patrimonio_setor_em_uso';
    elsif exists (select from local where id = any(locais) and not ativo) then
        raise exception 'a retired local takes no assets'
            using errcode = 'check_violation', constraint = 'patrimonio_local_em_uso';
    elsif exists (select from classe where id = any(classes) and not ativo) then
        raise exception 'a retired classe takes no assets'
            using errcode = 'check_violation', constraint = 'patrimonio_classe_em_uso';
    elsif exists (select from agente where id = any(agentes) and not ativo) then
        raise exception 'a retired agente takes no assets'
            using errcode = 'check_violation', constraint = 'patrimonio_agente_em_uso';
    end if;
end $$;

create function patrimonio_novo_em_uso() returns trigger language plpgsql as $$
begin
    perform patrimonio_exigir_em_uso(array_agg(distinct setor_id), array_agg(distinct local_id),
                                     array_agg(distinct classe_id), array_agg(distinct agente_id)) from novos;
    return null;
end $$;
-- Once a statement, not once a row: a load of a million asks four questions.
create trigger patrimonio_novo_em_uso after insert on patrimonio
    referencing new table as novos for each statement execute function patrimonio_novo_em_uso();

create function patrimonio_mudado_em_uso() returns trigger language plpgsql as $$
begin
    -- What stays as it was may have been retired meanwhile.
    perform patrimonio_exigir_em_uso(
        case when new.setor_id <> old.setor_id then array[new.setor_id] end,
        case when new.local_id <> old.local_id then array[new.local_id] end,
        case when new.classe_id <> old.classe_id then array[new.classe_id] end,
        case when new.agente_id <> old.agente_id then array[new.agente_id] end);
    return null;
end $$;
create trigger patrimonio_mudado_em_uso after update of setor_id, local_id, classe_id, agente_id on patrimonio
    for each row when ((old.setor_id, old.local_id, old.classe_id, old.agente_id)
                       is distinct from (new.setor_id, new.local_id, new.classe_id, new.agente_id))
    execute function patrimonio_mudado_em_uso();
"""

CADASTROS = """
create function cadastro_setor_em_uso() returns trigger language plpgsql as $$
begin
    perform from setor where id = new.setor_id and not ativo for key share;
    if found then
        raise exception 'a retired setor takes no %', tg_table_name
            using errcode = 'check_violation', constraint = tg_argv[0];
    end if;
    return null;
end $$;
create trigger local_setor_em_uso after insert on local
    for each row execute function cadastro_setor_em_uso('local_setor_em_uso');
create trigger agente_setor_em_uso after insert on agente
    for each row execute function cadastro_setor_em_uso('agente_setor_em_uso');
create trigger agente_muda_para_setor_em_uso after update of setor_id on agente
    for each row when (old.setor_id <> new.setor_id) execute function cadastro_setor_em_uso('agente_setor_em_uso');

create function setor_sem_ciclo() returns trigger language plpgsql as $$
begin
    -- One change of the tree at a time: two that each add one half of a circle would not see each other.
    perform pg_advisory_xact_lock(hashtextextended('sispat.setor.pai_id', 0));
    if exists (
        with recursive acima (id) as (
            select new.pai_id union select s.pai_id from setor s join acima a on a.id = s.id where s.pai_id is not null)
        select from acima where id = new.id
    ) then
        raise exception 'setor % would be above itself', new.codigo
            using errcode = 'check_violation', constraint = 'setor_sem_ciclo';
    end if;
    return null;
end $$;
create trigger setor_sem_ciclo after update of pai_id on setor
    for each row when (new.pai_id is not null and new.pai_id is distinct from old.pai_id)
    execute function setor_sem_ciclo();

create function setor_pai_em_uso() returns trigger language plpgsql as $$
begin
    perform from setor where id = new.pai_id and not ativo for key share;
    if found then
        raise exception 'a retired setor takes no setores'
            using errcode = 'check_violation', constraint = 'setor_pai_em_uso';
    end if;
    return null;
end $$;
create trigger setor_novo_pai_em_uso after insert on setor
    for each row when (new.pai_id is not null) execute function setor_pai_em_uso();
create trigger setor_outro_pai_em_uso after update of pai_id on setor
    for each row when (new.pai_id is distinct from old.pai_id) execute function setor_pai_em_uso();

create function setor_vazio_ao_sair() returns trigger language plpgsql as $$
begin
    perform from setor where id = old.id for update;  -- waits for creations under way, and keeps new ones waiting
    if exists (select from patrimonio where setor_id = old.id and situacao <> 'baixado') then
        raise exception 'setor % holds assets', old.codigo
            using errcode = 'check_violation', constraint = 'setor_vazio_ao_sair';
    end if;
    return new;
end $$;
create trigger setor_vazio_ao_sair before update of ativo on setor
    for each row when (old.ativo and not new.ativo) execute function setor_vazio_ao_sair();

-- The other registers are locked as well while they are retired, so that nothing gets in meanwhile.
create function cadastro_trancado_ao_sair() returns trigger language plpgsql as $$
begin
    execute format('select from %I where id = $1 for update', tg_table_name) using old.id;
    return new;
end $$;
create trigger local_trancado_ao_sair before update of ativo on local
    for each row when (old.ativo and not new.ativo) execute function cadastro_trancado_ao_sair();
create trigger agente_trancado_ao_sair before update of ativo on agente
    for each row when (old.ativo and not new.ativo) execute function cadastro_trancado_ao_sair();
create trigger classe_trancada_ao_sair before update of ativo on classe
    for each row when (old.ativo and not new.ativo) execute function cadastro_trancado_ao_sair();
"""


def upgrade() -> None:
    """Add the rules; rows that break them already stay as they are until they are changed."""
    executar(PATRIMONIO)
    executar(CADASTROS)


def downgrade() -> None:
    """Drop them."""
    executar("""
        drop function patrimonio_novo_em_uso, patrimonio_mudado_em_uso, cadastro_setor_em_uso, setor_sem_ciclo,
            setor_pai_em_uso, setor_vazio_ao_sair, cadastro_trancado_ao_sair cascade;
        drop function patrimonio_exigir_em_uso;
    """)
