"""Choosing among thousands by typing: the order in which the rows of a register are offered.

Only adds. The words that are typed are found by the indexes of 0005.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The order is that of cadastros.sql.TABLES, or the indexes serve nothing. A register has thousands of rows, not millions:
# each of these takes milliseconds.
OPCOES = """
create index setor_opcoes_idx on setor (codigo, id) where ativo;
create index local_opcoes_idx on local (nome, id) where ativo;
create index agente_opcoes_idx on agente (nome, id) where ativo;
create index classe_opcoes_idx on classe (conta, id) where ativo;
"""


def upgrade() -> None:
    """Add the indexes."""
    executar(OPCOES)


def downgrade() -> None:
    """Drop the indexes."""
    executar("drop index setor_opcoes_idx, local_opcoes_idx, agente_opcoes_idx, classe_opcoes_idx")
