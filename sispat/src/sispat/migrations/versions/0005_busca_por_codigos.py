"""Finding an asset by what it was bought by, and the registers by the beginnings of words.

Only adds: programs of the release before go on beside it. The vector of words that stands in each row of `patrimonio` stays as
it is, because another one would rewrite the table; codes are an index over an expression instead.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCAO = """
-- A code without its separators, in lower case: what "11.222.333/0001-81" and "11222333000181" share.
create function sem_separadores(codigo text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(sem_acento(codigo), '[^a-z0-9]+', '', 'g');

create function so_algarismos(codigo text) returns text
    language sql immutable strict parallel safe
    return regexp_replace(codigo, '[^0-9]+', '', 'g');

-- The words of the codes an asset was bought by, each of these codes whole, and its figures alone ("NF-e 45.678" is 45678).
create function codigos(nota_fiscal text, empenho text, licitacao text, fornecedor_doc text, numero_serie text)
    returns tsvector language sql immutable parallel safe
    return palavras(nota_fiscal || ' ' || empenho || ' ' || licitacao || ' ' || sem_separadores(nota_fiscal)
        || ' ' || sem_separadores(empenho) || ' ' || sem_separadores(licitacao)
        || ' ' || so_algarismos(nota_fiscal) || ' ' || so_algarismos(empenho) || ' ' || so_algarismos(licitacao)
        || ' ' || coalesce(sem_separadores(fornecedor_doc), '') || ' ' || sem_separadores(numero_serie));
"""

CODIGOS = """
create index patrimonio_codigos_idx on patrimonio
    using gin (codigos(nota_fiscal, empenho, licitacao, fornecedor_doc, numero_serie)) with (fastupdate = off);
"""

# Small tables: each of these takes milliseconds.
CADASTROS = """
create index setor_palavras_idx on setor using gin (palavras(codigo || ' ' || nome)) with (fastupdate = off);
create index local_palavras_idx on local using gin (palavras(nome)) with (fastupdate = off);
create index agente_palavras_idx on agente using gin (palavras(nome || ' ' || matricula)) with (fastupdate = off);
create index classe_palavras_idx on classe using gin (palavras(conta || ' ' || nome)) with (fastupdate = off);
"""


def upgrade() -> None:
    """Add functions and indexes."""
    executar(FUNCAO)
    executar(CADASTROS)
    # The pending migrations are one transaction, where CONCURRENTLY cannot be.
    with blocking("readers go on; writers wait while the index is built once: some seconds for 100,000 assets"):
        executar(CODIGOS)


def downgrade() -> None:
    """Drop them."""
    executar(
        "drop index patrimonio_codigos_idx, setor_palavras_idx, local_palavras_idx, agente_palavras_idx,"
        " classe_palavras_idx; drop function codigos, sem_separadores, so_algarismos"
    )
