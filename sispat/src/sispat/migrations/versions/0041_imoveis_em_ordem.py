"""Imóveis by name and by value, of those in a state of repair and of those written off: few, and looked for among all.

Built while everybody goes on writing.
"""

from __future__ import annotations

from alembic import op

from sispat.migrations import executar

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

# Where all that is out of repair has names that come late, the order was walked through in vain, and then all of it was
# collected and sorted. Those of what is written off cost nothing until something is. The first statement of each is for an
# attempt that was interrupted and left the index invalid.
INDICES = {
    "imovel_conservacao_ordem_idx": "(conservacao, ordem, numero)",
    "imovel_conservacao_valor_idx": "(conservacao, valor, numero)",
    "imovel_setor_conservacao_ordem_idx": "(setor_id, conservacao, ordem, numero)",
    "imovel_setor_conservacao_valor_idx": "(setor_id, conservacao, valor, numero)",
    "imovel_baixado_ordem_idx": "(ordem, numero) where estado = 'baixado'",
    "imovel_baixado_valor_idx": "(valor, numero) where estado = 'baixado'",
    "imovel_setor_baixado_ordem_idx": "(setor_id, ordem, numero) where estado = 'baixado'",
    "imovel_setor_baixado_valor_idx": "(setor_id, valor, numero) where estado = 'baixado'",
}


def upgrade() -> None:
    """Build the indexes beside those who write."""
    with op.get_context().autocommit_block():
        for name, of in INDICES.items():
            executar(f"drop index concurrently if exists {name}; create index concurrently {name} on imovel {of}")


def downgrade() -> None:
    """Drop them."""
    with op.get_context().autocommit_block():
        for name in INDICES:
            executar(f"drop index concurrently if exists {name}")
