"""Integrations, which no password opens, and the API keys they ask with. Only adds."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHAVES = """
alter table usuario add column integracao boolean not null default false;  -- a program: no password, only keys
alter table usuario add constraint usuario_integracao_sem_senha check (not integracao or senha_hash = '');
-- Whoever counts on an administrator being left counts on a person; and a key that leaks must not open more doors.
alter table usuario add constraint usuario_integracao_nao_administra check (not integracao or papel <> 'administrador');

create table chave_api (
    id          uuid primary key default gen_random_uuid(),
    usuario_id  uuid not null references usuario on delete cascade,
    hash        bytea not null check (length(hash) = 32),  -- sha256 of 256 random bits: the key itself is never stored
    inicio      text not null check (length(inicio) between 1 and 20),  -- to recognise it by
    nome        text not null check (length(nome) between 1 and 120),
    criado_em   timestamptz not null default now(),
    criado_por  uuid references usuario on delete set null,  -- null: the command line
    expira_em   timestamptz not null check (expira_em <= criado_em + interval '366 days'),
    usada_em    timestamptz,  -- written once a minute at most
    recusada_em timestamptz,  -- used though it opened nothing any more; written once an hour at most
    revogada_em timestamptz,
    constraint chave_api_hash_unico unique (hash)
);
create index chave_api_usuario_idx on chave_api (usuario_id);
create index chave_api_lista_idx on chave_api (sem_acento(nome) collate "C", id);
grant select, insert, update on chave_api to sispat_app;
"""

SEM_CHAVES = """
drop table chave_api;
alter table usuario drop column integracao;
"""


def upgrade() -> None:
    """Add the table and the flag."""
    executar(CHAVES)


def downgrade() -> None:
    """Drop them: integrations become accounts whose password nobody knows."""
    executar(SEM_CHAVES)
