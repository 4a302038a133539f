"""Signing in with a provider: a person may be found by CPF, and a session may have been opened without a password."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PROVEDOR = """
alter table usuario add column cpf text check (cpf ~ '^[0-9]{11}$');
alter table usuario add constraint usuario_cpf_unico unique (cpf);
alter table sessao add column sem_senha boolean not null default false;  -- a provisional password does not hold it up
"""

SEM_PROVEDOR = """
alter table sessao drop column sem_senha;
alter table usuario drop column cpf;
"""


def upgrade() -> None:
    """Add the columns."""
    executar(PROVEDOR)


def downgrade() -> None:
    """Drop them."""
    executar(SEM_PROVEDOR)
