"""What was changed since a moment, for programs that keep a copy. Built while everybody goes on writing."""

from __future__ import annotations

from alembic import op

from sispat.migrations import executar

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# BRIN: each change of an asset changes this column, and an index of another kind would have every change write to all
# indexes of the table (no HOT update; a summarising index does not, from PostgreSQL 16 on). The newest changes lie in few
# pages. The first statement is for an attempt that was interrupted and left the index invalid.
GRAVADOS = """
drop index concurrently if exists patrimonio_atualizado_idx;
create index concurrently patrimonio_atualizado_idx on patrimonio
    using brin (atualizado_em) with (pages_per_range = 16, autosummarize = on);
"""


def upgrade() -> None:
    """Build the index beside those who write."""
    with op.get_context().autocommit_block():
        executar(GRAVADOS)


def downgrade() -> None:
    """Drop it."""
    with op.get_context().autocommit_block():
        executar("drop index concurrently if exists patrimonio_atualizado_idx")
