"""Choosing among hundreds of thousands from the first letter on: the beginning of a register's row, in order.

Only adds. The index of words finds what "ana" begins a word of, which may be a tenth of all rows; this one finds, in order,
the rows that begin with it, however many there are.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# The texts are those of cadastros.sql.TABLES (`searched`), or the indexes serve nothing.
COMECO = """
-- The words of a text with one space between them, as `kernel.words.words_of` joined with spaces.
create function comeco(texto text) returns text
    language sql immutable strict parallel safe
    return btrim(regexp_replace(sem_acento(texto), '[^a-z0-9]+', ' ', 'g'));

create index setor_comeco_idx on setor (comeco(codigo || ' ' || nome) collate "C", id) where ativo;
create index local_comeco_idx on local (comeco(nome) collate "C", id) where ativo;
create index agente_comeco_idx on agente (comeco(nome || ' ' || matricula) collate "C", id) where ativo;
create index classe_comeco_idx on classe (comeco(conta || ' ' || nome) collate "C", id) where ativo;
"""


def upgrade() -> None:
    """Add the function and the indexes."""
    executar(COMECO)


def downgrade() -> None:
    """Drop them."""
    executar("drop index setor_comeco_idx, local_comeco_idx, agente_comeco_idx, classe_comeco_idx")
    executar("drop function comeco")
