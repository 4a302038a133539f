"""Secrets of second factors may be sealed (kernel.sealing); provisional passwords grow old. Only adds."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Who has a provisional password now has it from now on. The check of secrets is replaced by a wider one.
SEGREDOS = """
alter table usuario add column senha_dada_em timestamptz not null default now();
alter table segundo_fator drop constraint segundo_fator_segredo_check;
alter table segundo_fator add constraint segundo_fator_segredo_check
    check (segredo ~ '^([A-Z2-7]{32,}|v1[.][A-Za-z0-9_-]{60,})$');
"""

SEM_SEGREDOS = """
delete from segundo_fator where segredo like 'v1.%';
alter table segundo_fator drop constraint segundo_fator_segredo_check;
alter table segundo_fator add constraint segundo_fator_segredo_check check (segredo ~ '^[A-Z2-7]{32,}$');
alter table usuario drop column senha_dada_em;
"""


def upgrade() -> None:
    """Widen the check, add the column."""
    executar(SEGREDOS)


def downgrade() -> None:
    """Narrow it again: whose secret was sealed enrols anew."""
    executar(SEM_SEGREDOS)
