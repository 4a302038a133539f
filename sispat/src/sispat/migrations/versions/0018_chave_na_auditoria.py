"""With which of its API keys an integration did what the audit tells of."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty for what is there; no reference, because a record outlives what it names."""
    executar("alter table evento add column chave_id uuid")


def downgrade() -> None:
    """Drop it."""
    executar("alter table evento drop column chave_id")
