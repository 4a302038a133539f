"""Finding records of the audit by who acted, what was done, and when. Only adds."""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# BRIN for the time: rows are written in its order, so that an index of a few pages serves and costs writers nothing.
INDICES = """
create index evento_ator_idx on evento (ator_id, id);
create index evento_acao_idx on evento (acao, id);
create index evento_em_idx on evento using brin (em) with (autosummarize = on);
"""


def upgrade() -> None:
    """Add the indexes."""
    with blocking("readers go on; writers wait while the indexes are built once: about a second for a million records"):
        executar(INDICES)


def downgrade() -> None:
    """Drop them."""
    executar("drop index evento_ator_idx, evento_acao_idx, evento_em_idx")
