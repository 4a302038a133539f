"""Seals over the audit: a chain of hashes that finds every record changed, removed or slipped in afterwards.

Only adds: programs of the release before go on beside it, and seal nothing.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

SELOS = """
-- Of the records after `anterior`'s up to `ate_id`; each covers the one before it.
create table auditoria_selo (
    numero  bigint primary key check (numero >= 1),
    ate_id  bigint not null unique,
    quantos bigint not null check (quantos >= 1),
    em      timestamptz not null default now(),
    hash    bytea not null check (length(hash) = 32)
);
create function auditoria_selo_so_cresce() returns trigger language plpgsql as $$
begin
    raise exception 'auditoria_selo is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger auditoria_selo_so_cresce before update or delete on auditoria_selo
    for each row execute function auditoria_selo_so_cresce();
create trigger auditoria_selo_nao_esvazia before truncate on auditoria_selo
    for each statement execute function auditoria_selo_so_cresce();

-- Up to which record the next seal goes, once nobody is left who could still write one before it.
create table auditoria_corte (
    unico     boolean primary key default true check (unico),
    ate_id    bigint not null,
    em        timestamptz not null default now(),
    transacao xid8  -- the first that had not begun a while after; null until then
);

-- What is sealed of a record: all of it, in a form without ambiguity.
create function hash_do_evento(e evento) returns bytea
    language sql immutable parallel safe
    return sha256(convert_to(jsonb_build_array(
        e.id, to_char(e.em at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), e.ator_id, e.chave_id, e.requisicao,
        e.entidade, e.entidade_id, e.acao, e.antes, e.depois)::text, 'UTF8'));

grant select, insert on auditoria_selo to sispat_app;
grant select, insert, update, delete on auditoria_corte to sispat_app;
revoke update, delete, truncate on auditoria_selo from sispat_app;
"""


def upgrade() -> None:
    """Add tables and function."""
    executar(SELOS)


def downgrade() -> None:
    """Drop them."""
    executar("drop table auditoria_selo, auditoria_corte; drop function hash_do_evento, auditoria_selo_so_cresce")
