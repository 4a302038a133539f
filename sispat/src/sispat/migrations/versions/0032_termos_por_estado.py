"""The list of termos in a state: few are replaced or annulled, and they were looked for among all.

Only adds.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

INDICES = """
create index termo_estado_idx on termo (estado, ordem);
create index termo_setor_estado_idx on termo (setor_id, estado, ordem);
"""


def upgrade() -> None:
    """Build the indexes."""
    with blocking(
        "readers go on; who issues a termo waits for the time of one pass, among a million of them a second or two"
    ):
        executar(INDICES)


def downgrade() -> None:
    """Drop them."""
    executar("drop index termo_estado_idx, termo_setor_estado_idx")
