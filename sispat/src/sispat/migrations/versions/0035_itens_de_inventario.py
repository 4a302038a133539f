"""The list of items of counts without a count named, and each of its filters: few differ, and they were looked for among all.

Only adds.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None

# Of all counts, of a setor, of one count. What differs and what contradicts itself is little: these indexes are small, and
# cost nothing while a list is frozen.
INDICES = """
create index inventario_item_todos_estado_idx on inventario_item (estado, numero);
create index inventario_item_setor_numero_idx on inventario_item (setor_id, numero);
create index inventario_item_setor_estado_idx on inventario_item (setor_id, estado, numero);
create index inventario_item_plaqueta_idx on inventario_item (plaqueta);
create index inventario_item_divergente_idx on inventario_item (numero) where divergente;
create index inventario_item_setor_divergente_idx on inventario_item (setor_id, numero) where divergente;
create index inventario_item_seu_divergente_idx on inventario_item (inventario_id, numero) where divergente;
create index inventario_item_contraditorio_idx on inventario_item (inventario_id, numero) where contraditorio;
create index inventario_setor_estado_idx on inventario (setor_id, estado, numero);
"""


def upgrade() -> None:
    """Build the indexes."""
    with blocking(
        "readers go on; who counts waits for the time of eight passes over the items, among a million of them some seconds"
    ):
        executar(INDICES)


def downgrade() -> None:
    """Drop them."""
    executar(
        """drop index inventario_item_todos_estado_idx, inventario_item_setor_numero_idx, inventario_item_setor_estado_idx,
           inventario_item_plaqueta_idx, inventario_item_divergente_idx, inventario_item_setor_divergente_idx,
           inventario_item_seu_divergente_idx, inventario_item_contraditorio_idx, inventario_setor_estado_idx"""
    )
