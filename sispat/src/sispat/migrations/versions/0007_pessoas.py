"""People administered: provisional passwords, sessions that can be named, always an administrator left."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# `sessao` is rewritten for the ids: it holds the sessions of a day. Everything else is added without reading a row.
PESSOAS = """
alter table usuario add column senha_provisoria boolean not null default false;  -- to be changed before anything else
alter table sessao add column id uuid not null default gen_random_uuid();  -- what people name it by, in place of the token
create unique index sessao_id_idx on sessao (id);
create index usuario_lista_idx on usuario (sem_acento(nome) collate "C", id);

-- Two who leave the last two places at once: the second looks only after the first has committed, and is refused.
create function usuario_resta_administrador() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(85301001);
    if not exists (select from usuario where ativo and papel = 'administrador') then
        raise exception 'no active administrator would be left' using
            errcode = 'check_violation', constraint = 'usuario_resta_administrador', table = 'usuario';
    end if;
    return null;
end $$;
create constraint trigger usuario_resta_administrador after update of papel, ativo on usuario for each row
    when (old.ativo and old.papel = 'administrador' and not (new.ativo and new.papel = 'administrador'))
    execute function usuario_resta_administrador();
"""

SEM_PESSOAS = """
drop trigger usuario_resta_administrador on usuario;
drop function usuario_resta_administrador();
drop index usuario_lista_idx;
alter table sessao drop column id;
alter table usuario drop column senha_provisoria;
"""


def upgrade() -> None:
    """Add the columns and the trigger."""
    executar(PESSOAS)


def downgrade() -> None:
    """Take them away."""
    executar(SEM_PESSOAS)
