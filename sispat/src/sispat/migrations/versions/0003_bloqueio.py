"""Who may not try to sign in for now, so that an administrator sees it and can lift it."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Accounts are kept as a hash of the e-mail: what somebody typed may be no account, or a password by mistake.
BLOQUEIO = """
create table bloqueio (
    id       uuid primary key default gen_random_uuid(),
    chave    bytea not null constraint bloqueio_chave_unica unique check (length(chave) = 32),
    tipo     text not null check (tipo in ('conta', 'endereco', 'navegador')),
    conta    bytea check (length(conta) = 32),  -- sha256 of the e-mail
    endereco text check (length(endereco) <= 64),
    geracao  int not null default 0,  -- how often it was lifted: counted uses of an older one are void
    desde    timestamptz not null default now(),
    ate      timestamptz not null,
    check ((tipo = 'endereco') = (endereco is not null) and (tipo = 'endereco') = (conta is null))
);
create index bloqueio_ate_idx on bloqueio (ate);
grant select, insert, update, delete on bloqueio to sispat_app;
"""


def upgrade() -> None:
    """Add the table."""
    executar(BLOQUEIO)


def downgrade() -> None:
    """Drop it."""
    executar("drop table bloqueio")
