"""What paid for an asset: `fonte`, and the number of the agreement, of the amendment, or the fund's name. Only adds."""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

FONTE = """
alter table patrimonio
    add column fonte text not null default 'nao_informada'
        check (fonte in ('nao_informada', 'proprio', 'convenio', 'emenda', 'fundo')),
    add column fonte_numero text not null default '' check (length(fonte_numero) <= 60);
"""


def upgrade() -> None:
    """Add the columns."""
    with blocking(
        "readers go on; writers wait while a million assets are passed once, all of them alike: about a second"
    ):
        executar(FONTE)


def downgrade() -> None:
    """Drop them."""
    executar("alter table patrimonio drop column fonte, drop column fonte_numero")
