"""Termos: what was signed of custody, transfers, loans and write-offs, frozen when it was issued; the e-mail of an agente.

Only adds: programs of the release before go on beside it, and leave the new column empty.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# The e-mail by which an agente's account is known: whoever signs in with it signs that agente's termos.
EMAIL = """
alter table agente add column email text not null default ''
    constraint agente_email_valido check (email = '' or email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$');
create unique index agente_email_unico on agente (email) where email <> '';
"""

# `ordem` is the key by which lists are walked; people call a termo by kind, number and year. `assunto_id` is the agente or
# the movement that it was made of. `codigo` is on the paper and opens the public page: 80 random bits, so that nobody finds
# one by trying.
TERMO = """
create table papel_brasao (
    sha256   bytea primary key check (length(sha256) = 32),
    formato  text not null check (formato in ('svg', 'png', 'jpg')),
    conteudo bytea not null check (length(conteudo) <= 1048576)
);
create table termo (
    id              uuid primary key default gen_random_uuid(),
    ordem           bigint not null generated always as identity,
    tipo            text not null check (tipo in ('responsabilidade', 'transferencia', 'emprestimo', 'baixa')),
    exercicio       int not null check (exercicio between 1900 and 9999),
    numero          int not null check (numero > 0),
    codigo          text not null check (codigo ~ '^[0-9A-HJKMNP-TV-Z]{16}$'),
    assunto_id      uuid not null,
    setor_id        uuid not null references setor,
    origem_id       uuid references setor,
    agente_id       uuid references agente,
    bens            int not null check (bens > 0),
    valor           numeric(16, 2) not null check (valor >= 0),
    conteudo        jsonb not null,
    brasao          bytea references papel_brasao,
    emitido_por     uuid not null references usuario,
    emitido_em      timestamptz not null default now(),
    substitui_id    uuid references termo,
    substituido_em  timestamptz,
    anulado_em      timestamptz,
    anulado_por     uuid references usuario,
    anulacao        text not null default '' check (length(anulacao) <= 500),
    estado          text not null generated always as (
                    case when anulado_em is not null then 'anulado'
                         when substituido_em is not null then 'substituido' else 'vigente' end) stored,
    versao          int not null default 1,
    constraint termo_ordem_unica unique (ordem),
    constraint termo_numero_unico unique (tipo, exercicio, numero),
    constraint termo_codigo_unico unique (codigo),
    constraint termo_anulacao_diz_por_que check (
        (anulado_em is null) = (anulado_por is null) and (anulado_em is null or length(anulacao) >= 3))
);
create unique index termo_um_vigente on termo (tipo, assunto_id) where anulado_em is null and substituido_em is null;
create unique index termo_substituido_uma_vez on termo (substitui_id);
create index termo_assunto_idx on termo (assunto_id);
create index termo_agente_idx on termo (agente_id, ordem);
create index termo_setor_idx on termo (setor_id, ordem);
create index termo_origem_idx on termo (origem_id, ordem) where origem_id is not null;
create index termo_tipo_idx on termo (tipo, ordem);

create function termo_nao_muda() returns trigger language plpgsql as $$
begin
    raise exception 'termo % is frozen', old.id using errcode = 'restrict_violation';
end $$;
create trigger termo_nao_muda before update on termo for each row when (
    (old.tipo, old.exercicio, old.numero, old.codigo, old.assunto_id, old.setor_id, old.bens, old.valor, old.conteudo,
     old.emitido_por, old.emitido_em) is distinct from
    (new.tipo, new.exercicio, new.numero, new.codigo, new.assunto_id, new.setor_id, new.bens, new.valor, new.conteudo,
     new.emitido_por, new.emitido_em) or old.brasao is distinct from new.brasao)
    execute function termo_nao_muda();
"""

# A PDF leaves the service only after its sha256 is here. Another version of what draws it makes other bytes of the same
# content: a row more, and the papers that were printed before are still known.
PARTES = """
create table termo_via (
    termo_id uuid not null references termo,
    sha256   bytea not null check (length(sha256) = 32),
    motor    text not null,
    feita_em timestamptz not null default now(),
    primary key (termo_id, sha256)
);
create index termo_via_sha256_idx on termo_via (sha256);

create table termo_bem (
    termo_id      uuid not null references termo,
    patrimonio_id uuid not null references patrimonio,
    movimento_id  uuid,
    primary key (termo_id, patrimonio_id)
);
create index termo_bem_patrimonio_idx on termo_bem (patrimonio_id);
create index termo_bem_movimento_idx on termo_bem (movimento_id) where movimento_id is not null;

create table termo_parte (
    id           uuid primary key default gen_random_uuid(),
    termo_id     uuid not null references termo,
    posicao      int not null check (posicao > 0),
    papel        text not null,
    nome         text not null,
    detalhe      text not null default '',
    agente_id    uuid references agente,
    usuario_id   uuid references usuario,
    assinada_em  timestamptz,
    assinada_por uuid references usuario,
    endereco     text,
    sha256       bytea,
    constraint termo_parte_posicao_unica unique (termo_id, posicao),
    constraint termo_parte_assinada check (
        (assinada_em is null) = (assinada_por is null) and (assinada_em is null) = (sha256 is null)),
    constraint termo_parte_assina_o_que_existe foreign key (termo_id, sha256) references termo_via (termo_id, sha256)
);
create index termo_parte_agente_idx on termo_parte (agente_id) where agente_id is not null and assinada_em is null;
create index termo_parte_usuario_idx on termo_parte (usuario_id) where usuario_id is not null and assinada_em is null;

create function termo_parte_assina_uma_vez() returns trigger language plpgsql as $$
begin
    raise exception 'termo_parte % is signed already', old.id using errcode = 'restrict_violation';
end $$;
create trigger termo_parte_assina_uma_vez before update on termo_parte for each row when (old.assinada_em is not null)
    execute function termo_parte_assina_uma_vez();

grant select, insert on papel_brasao, termo_via, termo_bem to sispat_app;
grant select, insert, update on termo, termo_parte to sispat_app;
"""


def upgrade() -> None:
    """Add the column, the tables and the rules."""
    executar(EMAIL)
    executar(TERMO)
    executar(PARTES)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop table termo_parte, termo_bem, termo_via, termo, papel_brasao;
           drop function termo_nao_muda, termo_parte_assina_uma_vez;
           alter table agente drop column email"""
    )
