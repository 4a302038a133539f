"""Imports: the spreadsheet, how its columns are read, what is wrong with it, and what it made.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# The content is here and not on a disk: any machine may do the job, and it goes with the row. `primeiro_numero` are plate
# numbers that were reserved for it, so that an attempt after a crash takes the same ones.
TABELAS = """
create table importacao (
    id              uuid primary key default gen_random_uuid(),
    numero          bigint not null generated always as identity,
    arquivo         text not null check (length(arquivo) between 1 and 200),
    tamanho         bigint not null check (tamanho >= 0),
    formato         text not null default '' check (formato in ('', 'csv', 'xlsx', 'ods')),
    estado          text not null default 'recebida'
                    check (estado in ('recebida', 'conferida', 'gravada', 'desfeita')),
    por             uuid not null references usuario,
    colunas         jsonb not null default '[]',
    opcoes          jsonb not null default '{}',
    linhas          int not null default 0,
    erros           int not null default 0,
    resumo          jsonb not null default '{}',
    primeiro_numero bigint,
    tarefa_id       uuid,
    criada_em       timestamptz not null default now(),
    gravada_em      timestamptz,
    desfeita_em     timestamptz,
    versao          int not null default 1,
    constraint importacao_numero_unico unique (numero)
);
create index importacao_conteudo_idx on importacao (criada_em) where estado in ('recebida', 'conferida');

create table importacao_parte (
    importacao_id uuid not null references importacao on delete cascade,
    parte         int not null,
    conteudo      bytea not null,
    primary key (importacao_id, parte)
);

create table importacao_erro (
    importacao_id uuid not null references importacao on delete cascade,
    ordem         int not null,
    linha         int not null,
    coluna        text not null,
    valor         text not null,
    mensagem      text not null,
    primary key (importacao_id, ordem)
);

create table importacao_item (
    importacao_id uuid not null references importacao,
    patrimonio_id uuid not null,  -- no key: an import that is undone removes what it made
    versao        int not null,
    antes         jsonb,          -- what the import changed of an asset that was there; null: it made the asset
    primary key (importacao_id, patrimonio_id)
);

create table importacao_mapa (
    usuario_id uuid not null references usuario on delete cascade,
    cabecalho  text not null check (length(cabecalho) between 1 and 200),
    campo      text not null,
    primary key (usuario_id, cabecalho)
);
grant select, insert, update, delete on importacao, importacao_parte, importacao_erro, importacao_item, importacao_mapa
    to sispat_app;
"""

# The application removes no asset; this removes those that an import made, all of them, if nothing has touched them since:
# that an asset is as it was made is its version, and that nothing is attached to it. A movement stops it by foreign key.
DESFAZER = """
create function importacao_desfazer(qual uuid, ator uuid, chave uuid, pedido text) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    feitos bigint;
    achados bigint;
begin
    perform from importacao where id = qual and estado = 'gravada' for update;
    if not found then
        raise exception 'import % is not one that can be undone', qual
            using errcode = 'check_violation', constraint = 'importacao_gravada';
    end if;
    select count(*) into feitos from importacao_item where importacao_id = qual;
    perform from patrimonio where id in (select patrimonio_id from importacao_item where importacao_id = qual)
        order by id for update;
    select count(*) into achados from patrimonio p join importacao_item i on i.patrimonio_id = p.id
        where i.importacao_id = qual and p.versao = i.versao and (i.antes is not null or not exists
            (select from documento d where d.entidade = 'patrimonio' and d.entidade_id = p.id));
    if achados <> feitos then
        raise exception '% assets of import % changed since', feitos - achados, qual
            using errcode = 'check_violation', constraint = 'importacao_intacta';
    end if;
    insert into evento (ator_id, chave_id, requisicao, entidade, entidade_id, acao, antes)
    select ator, chave, pedido, 'patrimonio', p.id, 'desfazer_importacao', to_jsonb(p) - 'busca' - 'ordem'
    from patrimonio p join importacao_item i on i.patrimonio_id = p.id where i.importacao_id = qual and i.antes is null;
    delete from patrimonio p using importacao_item i
    where i.importacao_id = qual and i.antes is null and p.id = i.patrimonio_id;
    return feitos;
end $$;
revoke execute on function importacao_desfazer(uuid, uuid, uuid, text) from public;
grant execute on function importacao_desfazer(uuid, uuid, uuid, text) to sispat_app;
"""


def upgrade() -> None:
    """Add the tables, and the way to undo."""
    executar(TABELAS + DESFAZER)


def downgrade() -> None:
    """Drop them."""
    executar("""
        drop function importacao_desfazer;
        drop table importacao_mapa, importacao_item, importacao_erro, importacao_parte, importacao
    """)
