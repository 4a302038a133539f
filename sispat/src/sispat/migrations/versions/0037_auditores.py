"""Accounts whose access ends on a day, and the role of auditors, who have no other.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import blocking
from sispat.migrations import executar

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

# `acesso_ate` is the last day, as it was typed; `acesso_fim` the moment after it on the city's clocks, which only the program
# knows. An administrator without an end is always left (usuario_resta_administrador counts on it).
ACESSO = """
alter table usuario
    add column acesso_ate date,
    add column acesso_fim timestamptz,
    drop constraint usuario_papel_check,
    add constraint usuario_papel_check
        check (papel in ('administrador', 'gestor', 'responsavel', 'consulta', 'auditor')),
    add constraint usuario_acesso_ate_tem_fim check ((acesso_ate is null) = (acesso_fim is null)),
    add constraint usuario_auditor_tem_fim check (papel <> 'auditor' or acesso_ate is not null),
    add constraint usuario_administrador_nao_tem_fim check (papel <> 'administrador' or acesso_ate is null);
create function entra(ativo boolean, fim timestamptz) returns boolean language sql stable parallel safe
    return ativo and (fim is null or fim > now());
"""

SEM_ACESSO = """
drop function entra(boolean, timestamptz);
update usuario set papel = 'consulta', ativo = ativo and (acesso_fim is null or acesso_fim > now())
where papel = 'auditor' or acesso_fim is not null;
alter table usuario
    drop constraint usuario_papel_check,
    add constraint usuario_papel_check check (papel in ('administrador', 'gestor', 'responsavel', 'consulta')),
    drop column acesso_ate, drop column acesso_fim;
"""


def upgrade() -> None:
    """Add the columns, the role, the function."""
    with blocking("some thousand accounts are looked at: milliseconds"):
        executar(ACESSO)


def downgrade() -> None:
    """Take them away: auditors become consulta, whose access has ended is retired."""
    executar(SEM_ACESSO)
