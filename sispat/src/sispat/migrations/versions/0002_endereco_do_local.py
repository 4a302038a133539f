"""The address of a local: optional, typed or found by its CEP."""

from __future__ import annotations

from sispat.migrations import executar

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Constant defaults: no row is rewritten.
ENDERECO = """
alter table local
    add column cep         text not null default '' check (cep ~ '^([0-9]{8})?$'),
    add column logradouro  text not null default '' check (length(logradouro) <= 200),
    add column numero      text not null default '' check (length(numero) <= 20),
    add column complemento text not null default '' check (length(complemento) <= 100),
    add column bairro      text not null default '' check (length(bairro) <= 200),
    add column cidade      text not null default '' check (length(cidade) <= 200),
    add column uf          text not null default '' check (uf ~ '^([A-Z]{2})?$');
"""

SEM_ENDERECO = """
alter table local
    drop column cep, drop column logradouro, drop column numero, drop column complemento, drop column bairro,
    drop column cidade, drop column uf;
"""


def upgrade() -> None:
    """Add the columns."""
    executar(ENDERECO)


def downgrade() -> None:
    """Drop the columns, and the addresses with them."""
    executar(SEM_ENDERECO)
