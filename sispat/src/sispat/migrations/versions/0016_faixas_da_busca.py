"""Searched words within a part of a list: by value, by description. Built while everybody goes on writing."""

from __future__ import annotations

from alembic import op

from sispat.migrations import executar

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# A page of a common word, sorted by value or description, may begin far from where the word is: to know that nothing comes
# before, the index of words has to answer for a part of the order as well. So each asset has the lexemes of the part
# ("faixa") that its value and its description lie in: a fine one, and one that takes in four, which keeps queries of many
# parts short. The limits are constants, as an index needs them: good guesses of what a city owns. Where they are wrong, the
# parts are larger and pages slower, but right. Of two parts next to each other a page never needs more than some lexemes.
FUNCOES = """
create or replace function limites_de_valor() returns numeric[] language sql immutable parallel safe
return array[25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 4000,
             5000, 7500, 10000, 15000, 25000, 50000, 100000, 250000, 1000000]::numeric[];

create or replace function limites_de_ordem() returns text[] language sql immutable parallel safe
return array['ag', 'am', 'ar', 'arm', 'arq', 'as', 'b', 'be', 'c', 'cad', 'cade', 'caf', 'cam', 'car', 'ce', 'com', 'con',
             'd', 'di', 'e', 'es', 'est', 'f', 'g', 'i', 'l', 'm', 'me', 'mesa', 'mesb', 'mi', 'mo', 'mon', 'n', 'no', 'o',
             'p', 'pi', 'pr', 'q', 'r', 's', 'se', 't', 'te', 'u', 'v', 'w']::text[];

create or replace function faixa_de_valor(valor numeric) returns int language sql immutable parallel safe strict
return width_bucket(valor, limites_de_valor());

create or replace function faixa_de_ordem(ordem text) returns int language sql immutable parallel safe strict
return width_bucket(ordem collate "C", limites_de_ordem());

create or replace function faixas(valor numeric, ordem text) returns tsvector language sql immutable parallel safe strict
return array_to_tsvector(array['v' || faixa_de_valor(valor), 'vv' || faixa_de_valor(valor) / 4,
                               'o' || faixa_de_ordem(ordem), 'oo' || faixa_de_ordem(ordem) / 4]);

-- The parts from `de` to `ate`, both included, of "v" or "o"; nothing where there are none.
create or replace function faixas_entre(sinal text, de int, ate int) returns tsquery
language sql immutable parallel safe strict
return coalesce((
    select string_agg(lexema, ' | ') from (
        select sinal || n from generate_series(de, ate) n
        where n < (de + 3) / 4 * 4 or n >= (ate + 1) / 4 * 4
        union all
        select sinal || sinal || n from generate_series((de + 3) / 4, (ate + 1) / 4 - 1) n
    ) parte (lexema)
), sinal)::tsquery;
"""

# In two steps, so that words are found by an index all the time; the first statement is for an attempt that was
# interrupted and left the index invalid. What answers words and parts answers words alone as well as the index before.
INDICE = """
drop index concurrently if exists patrimonio_palavras_e_faixas_idx;
create index concurrently patrimonio_palavras_e_faixas_idx on patrimonio
    using gin (busca, faixas(valor, ordem)) with (fastupdate = off);
drop index concurrently if exists patrimonio_busca_idx;
"""
INDICE_DE_ANTES = """
drop index concurrently if exists patrimonio_busca_idx;
create index concurrently patrimonio_busca_idx on patrimonio using gin (busca) with (fastupdate = off);
drop index concurrently if exists patrimonio_palavras_e_faixas_idx;
"""


def upgrade() -> None:
    """Build the index beside those who write, then drop the one that it replaces."""
    with op.get_context().autocommit_block():
        executar(FUNCOES)
        executar(INDICE)
        executar("analyze patrimonio")  # how often each part is, which the planner has to know


def downgrade() -> None:
    """Build the index of words alone again."""
    with op.get_context().autocommit_block():
        executar(INDICE_DE_ANTES)
    executar("drop function faixas_entre, faixas, faixa_de_ordem, faixa_de_valor, limites_de_ordem, limites_de_valor")
