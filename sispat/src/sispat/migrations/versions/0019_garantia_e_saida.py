"""Until when an asset's warranty lasts; nobody who still has assets, or has borrowed one, is retired.

Only adds: programs of the release before go on beside it, and leave the new column empty.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

GARANTIA = "alter table patrimonio add column garantia_ate date;"

# Few assets have one that has not ended: what ends soon is found among these alone.
INDICE = "create index patrimonio_garantia_idx on patrimonio (garantia_ate, numero) where garantia_ate is not null;"

# As with setores (migration 0004): the row is locked first, so that what is being given to this agente is waited for, and what
# comes later waits and is then refused by `patrimonio_agente_em_uso`.
SAIDA = """
create function agente_livre_ao_sair() returns trigger language plpgsql as $$
begin
    perform from agente where id = old.id for update;
    if exists (select from patrimonio where agente_id = old.id and situacao <> 'baixado') then
        raise exception 'agente % holds assets', old.matricula
            using errcode = 'check_violation', constraint = 'agente_sem_bens_ao_sair';
    elsif exists (select from emprestimo where agente_id = old.id and devolvido_em is null) then
        raise exception 'agente % has borrowed assets', old.matricula
            using errcode = 'check_violation', constraint = 'agente_sem_emprestimos_ao_sair';
    end if;
    return new;
end $$;
create trigger agente_livre_ao_sair before update of ativo on agente
    for each row when (old.ativo and not new.ativo) execute function agente_livre_ao_sair();
"""


def upgrade() -> None:
    """Add the column, its index and the rule."""
    executar(GARANTIA)
    with blocking("readers go on; writers wait while a million assets are passed once, all empty: about a second"):
        executar(INDICE)
    executar(SAIDA)


def downgrade() -> None:
    """Drop them."""
    executar("drop function agente_livre_ao_sair cascade; alter table patrimonio drop column garantia_ate")
