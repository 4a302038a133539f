"""Foundation: identity, register of setores/locais/agentes/classes, patrimonio, audit, idempotency."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The application works as this role: it can read and write, but neither change the schema nor
# touch what has been audited.
PAPEL = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'sispat_app') then
        create role sispat_app nologin;
    end if;
exception when duplicate_object or unique_violation then null;  -- another database of the cluster won the race
end $$;
do $$
declare
    pode boolean;
begin
    -- From PostgreSQL 16 on, who creates a role may administer it and yet not become it.
    if current_setting('server_version_num')::int >= 160000 then
        pode := pg_has_role(current_user, 'sispat_app', 'set');
    else
        pode := pg_has_role(current_user, 'sispat_app', 'member');
    end if;
    if not pode then
        execute format('grant sispat_app to %I', current_user);
    end if;
end $$;
grant usage on schema public to sispat_app;
"""

IDENTIDADE = """
create table usuario (
    id            uuid primary key default gen_random_uuid(),
    email         text not null check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    nome          text not null check (length(nome) between 1 and 120),
    papel         text not null check (papel in ('administrador', 'gestor', 'responsavel', 'consulta')),
    senha_hash    text not null,
    ativo         boolean not null default true,
    versao        int not null default 1,
    criado_em     timestamptz not null default now(),
    atualizado_em timestamptz not null default now(),
    constraint usuario_email_unico unique (email)
);

create table sessao (
    token_hash bytea primary key check (length(token_hash) = 32),  -- sha256: the token itself is never stored
    usuario_id uuid not null references usuario on delete cascade,
    criada_em  timestamptz not null default now(),
    vista_em   timestamptz not null default now(),
    expira_em  timestamptz not null,
    endereco   text,
    navegador  text
);
create index sessao_usuario_idx on sessao (usuario_id);
create index sessao_expira_idx on sessao (expira_em);
"""

CADASTROS = """
-- to_json(text) is immutable in fact, but declared for every type at once; generated columns want it said.
create function json_texto(texto text) returns text
    language sql immutable strict parallel safe
    return to_json(texto)::text;

-- `referencia` is how the row appears inside the documents of assets, made once per change instead of once per reading.
create table setor (
    id            uuid primary key default gen_random_uuid(),
    codigo        text not null check (codigo ~ '^[0-9A-Z][0-9A-Z.-]{0,19}$'),
    nome          text not null check (length(nome) between 1 and 120),
    pai_id        uuid references setor check (pai_id <> id),
    ativo         boolean not null default true,
    versao        int not null default 1,
    criado_em     timestamptz not null default now(),
    atualizado_em timestamptz not null default now(),
    referencia    text not null generated always as (
                  '{"id":"' || id::text || '","codigo":"' || codigo || '","nome":' || json_texto(nome) || '}') stored,
    constraint setor_codigo_unico unique (codigo)
);
create index setor_pai_idx on setor (pai_id);

create table usuario_setor (
    usuario_id uuid not null references usuario on delete cascade,
    setor_id   uuid not null references setor,
    primary key (usuario_id, setor_id)
);
create index usuario_setor_setor_idx on usuario_setor (setor_id);

create table local (
    id            uuid primary key default gen_random_uuid(),
    setor_id      uuid not null references setor,
    nome          text not null check (length(nome) between 1 and 120),
    ativo         boolean not null default true,
    versao        int not null default 1,
    criado_em     timestamptz not null default now(),
    atualizado_em timestamptz not null default now(),
    referencia    text not null generated always as (
                  '{"id":"' || id::text || '","nome":' || json_texto(nome) || '}') stored,
    constraint local_nome_unico unique (setor_id, nome),
    constraint local_id_setor unique (id, setor_id)  -- target of patrimonio_local_fk
);

create table agente (
    id            uuid primary key default gen_random_uuid(),
    nome          text not null check (length(nome) between 1 and 120),
    matricula     text not null check (matricula ~ '^[0-9A-Z.-]{1,20}$'),
    cargo         text not null default '' check (length(cargo) <= 120),
    setor_id      uuid not null references setor,
    cpf           text check (cpf ~ '^[0-9]{11}$'),
    ativo         boolean not null default true,
    versao        int not null default 1,
    criado_em     timestamptz not null default now(),
    atualizado_em timestamptz not null default now(),
    referencia    text not null generated always as (
                  '{"id":"' || id::text || '","matricula":"' || matricula || '","nome":' || json_texto(nome) || '}') stored,
    constraint agente_matricula_unica unique (matricula),
    constraint agente_cpf_unico unique (cpf)
);
create index agente_setor_idx on agente (setor_id);

create table classe (
    id              uuid primary key default gen_random_uuid(),
    conta           text not null check (conta ~ '^[0-9]{1,3}([.][0-9]{1,3}){0,8}$'),
    nome            text not null check (length(nome) between 1 and 120),
    vida_util_meses int not null check (vida_util_meses between 1 and 1200),
    residual_pct    numeric(5, 2) not null check (residual_pct between 0 and 100),
    depreciavel     boolean not null default true,
    ativo           boolean not null default true,
    versao          int not null default 1,
    criado_em       timestamptz not null default now(),
    atualizado_em   timestamptz not null default now(),
    referencia    text not null generated always as (
                  '{"id":"' || id::text || '","nome":' || json_texto(nome) || '}') stored,
    constraint classe_conta_unica unique (conta)
);
"""

PATRIMONIO = """
create table numeracao (
    escopo    text not null,
    exercicio int not null,  -- 0 where numbers run on over the years
    ultimo    bigint not null check (ultimo >= 0),
    primary key (escopo, exercicio)
) with (fillfactor = 10);  -- one hot row: room for its versions on its own page
insert into numeracao values ('patrimonio', 0, 0);

-- Lower case without accents: what is typed and what is stored meet here, for searching and sorting.
create function sem_acento(texto text) returns text
    language sql immutable strict parallel safe
    return translate(lower(texto), 'áàâãäéèêëíìîïóòôõöúùûüçñÁÀÂÃÄÉÈÊËÍÌÎÏÓÒÔÕÖÚÙÛÜÇÑ',
                     'aaaaaeeeeiiiiooooouuuucnaaaaaeeeeiiiiooooouuuucn');  -- a database with locale C lowers ASCII only

-- The words of a text, as search sees them; no parser that takes "mesa/cadeira" for a file name.
create function palavras(texto text) returns tsvector
    language sql immutable strict parallel safe
    return array_to_tsvector(array_remove(regexp_split_to_array(sem_acento(texto), '[^a-z0-9]+'), ''));

-- What lists are narrowed by, as lexemes no word can be: the index of words then answers "word and filter" alone.
create function facetas(setor_id uuid, classe_id uuid, situacao text, conservacao text) returns tsvector
    language sql immutable strict parallel safe
    return array_to_tsvector(array['s=' || left(setor_id::text, 8), 'c=' || left(classe_id::text, 8),
                                   't=' || situacao, 'e=' || conservacao]);

create table patrimonio (
    id              uuid primary key default gen_random_uuid(),
    numero          bigint not null check (numero > 0),
    descricao       text not null check (length(descricao) between 3 and 500),
    classe_id       uuid not null references classe,
    valor           numeric(14, 2) not null check (valor >= 0),
    data_aquisicao  date not null,
    data_disponivel date not null,
    conservacao     text not null check (conservacao in ('otimo', 'bom', 'regular', 'ruim', 'inservivel')),
    situacao        text not null default 'em_uso' check (situacao in
                    ('em_uso', 'em_manutencao', 'emprestado', 'em_transferencia', 'nao_localizado', 'baixado')),
    posse           text not null default 'proprio' check (posse in ('proprio', 'cessao', 'comodato')),
    setor_id        uuid not null references setor,
    local_id        uuid not null,
    agente_id       uuid not null references agente,
    marca           text not null default '' check (length(marca) <= 80),
    modelo          text not null default '' check (length(modelo) <= 80),
    numero_serie    text not null default '' check (length(numero_serie) <= 80),
    fornecedor_doc  text check (fornecedor_doc ~ '^([0-9]{11}|[0-9A-Z]{12}[0-9]{2})$'),
    nota_fiscal     text not null default '' check (length(nota_fiscal) <= 60),
    empenho         text not null default '' check (length(empenho) <= 60),
    licitacao       text not null default '' check (length(licitacao) <= 60),
    observacao      text not null default '' check (length(observacao) <= 2000),
    versao          int not null default 1,
    criado_em       timestamptz not null default now(),
    atualizado_em   timestamptz not null default now(),
    ordem           text collate "C" not null generated always as (left(sem_acento(descricao), 100)) stored,
    busca           tsvector not null generated always as (palavras(
                        descricao || ' ' || marca || ' ' || modelo || ' ' || numero_serie)
                        || facetas(setor_id, classe_id, situacao, conservacao)) stored,
    constraint patrimonio_numero_unico unique (numero),
    constraint patrimonio_disponivel_apos_aquisicao check (data_disponivel >= data_aquisicao),
    constraint patrimonio_local_fk foreign key (local_id, setor_id) references local (id, setor_id)
);

-- Every offered sort can be walked, for the whole city and within one setor; within a classe those that go
-- with it, because a walk over all prices or names to find one kind of thing passes everything else first.
-- The few values of the filters make small indexes. `numero` breaks ties.
create index patrimonio_ordem_idx on patrimonio (ordem, numero);
create index patrimonio_valor_idx on patrimonio (valor, numero);
create index patrimonio_aquisicao_idx on patrimonio (data_aquisicao, numero);
create index patrimonio_setor_numero_idx on patrimonio (setor_id, numero);
create index patrimonio_setor_ordem_idx on patrimonio (setor_id, ordem, numero);
create index patrimonio_setor_valor_idx on patrimonio (setor_id, valor, numero);
create index patrimonio_setor_aquisicao_idx on patrimonio (setor_id, data_aquisicao, numero);
create index patrimonio_classe_ordem_idx on patrimonio (classe_id, ordem, numero);
create index patrimonio_classe_valor_idx on patrimonio (classe_id, valor, numero);
create index patrimonio_local_idx on patrimonio (local_id);
create index patrimonio_agente_idx on patrimonio (agente_id);
create index patrimonio_facetas_idx on patrimonio (setor_id, classe_id, situacao, conservacao);
create index patrimonio_classe_idx on patrimonio (classe_id, situacao, conservacao);
create index patrimonio_situacao_idx on patrimonio (situacao, conservacao) where situacao <> 'em_uso';
create index patrimonio_conservacao_idx on patrimonio (conservacao, situacao);
create index patrimonio_busca_idx on patrimonio using gin (busca) with (fastupdate = off);

-- Which filters go together: without them an empty combination of two common values looks like a common one,
-- and its page walks the whole table.
create statistics patrimonio_setor_classe_stat (mcv) on setor_id, classe_id from patrimonio;
create statistics patrimonio_setor_estado_stat (mcv) on setor_id, situacao, conservacao from patrimonio;
create statistics patrimonio_classe_estado_stat (mcv) on classe_id, situacao, conservacao from patrimonio;
create statistics patrimonio_estado_stat (mcv) on situacao, conservacao from patrimonio;
alter statistics patrimonio_setor_classe_stat set statistics 500;
alter statistics patrimonio_setor_estado_stat set statistics 500;
alter statistics patrimonio_classe_estado_stat set statistics 500;

create function patrimonio_numero_imutavel() returns trigger language plpgsql as $$
begin
    raise exception 'patrimonio.numero is immutable (% to %)', old.numero, new.numero using errcode = 'restrict_violation';
end $$;
create trigger patrimonio_numero_imutavel before update of numero on patrimonio
    for each row when (old.numero is distinct from new.numero) execute function patrimonio_numero_imutavel();
"""

AUDITORIA = """
create table evento (
    id          bigint generated always as identity primary key,
    em          timestamptz not null default now(),
    ator_id     uuid,
    requisicao  text not null,
    entidade    text not null,
    entidade_id uuid not null,
    acao        text not null,
    antes       jsonb,
    depois      jsonb
);
create index evento_entidade_idx on evento (entidade_id, id);

create function evento_so_cresce() returns trigger language plpgsql as $$
begin
    raise exception 'evento is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger evento_so_cresce before update or delete on evento for each row execute function evento_so_cresce();
create trigger evento_nao_esvazia before truncate on evento for each statement execute function evento_so_cresce();

create table idempotencia (
    usuario_id uuid not null references usuario on delete cascade,
    chave      text not null check (length(chave) between 1 and 200),
    pedido     bytea not null,  -- sha256 of method, path and body
    estado     int not null,
    cabecalhos jsonb not null,
    corpo      bytea not null,
    criado_em  timestamptz not null default now(),
    primary key (usuario_id, chave)
);
create index idempotencia_criado_idx on idempotencia (criado_em);
"""

DIREITOS = """
grant select, insert, update, delete on all tables in schema public to sispat_app;
revoke insert, update, delete, truncate on alembic_version from sispat_app;
revoke update, delete, truncate on evento from sispat_app;
revoke delete on patrimonio, usuario from sispat_app;
"""


def upgrade() -> None:
    """Create everything."""
    for parte in (PAPEL, IDENTIDADE, CADASTROS, PATRIMONIO, AUDITORIA, DIREITOS):
        executar(parte)


def downgrade() -> None:
    """There is nothing below the foundation."""
    raise RuntimeError("0001 is the foundation: to go below it, drop the database")
