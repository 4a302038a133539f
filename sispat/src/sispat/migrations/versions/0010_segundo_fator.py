"""A second factor: codes by time, and what a session lacks until one was given."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SEGUNDO_FATOR = """
create table segundo_fator (
    usuario_id   uuid primary key references usuario on delete cascade,
    segredo      text not null check (segredo ~ '^[A-Z2-7]{32,}$'),  -- base32; shown only until `ativo`
    ativo        boolean not null default false,  -- the person has given a code of it
    ultimo_passo bigint not null default 0,  -- the period of the last code taken: a code is good once
    criado_em    timestamptz not null default now()
);
create table codigo_de_recuperacao (
    usuario_id uuid not null references usuario on delete cascade,
    hash       bytea not null check (length(hash) = 32),  -- sha256 of 79 random bits
    primary key (usuario_id, hash)
);
-- What is still to be done with the session before anything else.
alter table sessao add column falta text check (falta in ('codigo', 'fator'));
grant select, insert, update, delete on segundo_fator, codigo_de_recuperacao to sispat_app;
"""

SEM_SEGUNDO_FATOR = """
alter table sessao drop column falta;
drop table codigo_de_recuperacao, segundo_fator;
"""


def upgrade() -> None:
    """Add the tables and the column."""
    executar(SEGUNDO_FATOR)


def downgrade() -> None:
    """Drop them: passwords alone open everything again."""
    executar(SEM_SEGUNDO_FATOR)
