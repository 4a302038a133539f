"""Whether and when each person is told by mail of what waits for them, and what they were told.

Only adds: programs of the release before go on beside it.
"""

from __future__ import annotations

from sispat.migrations import executar

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# `resumo_de` is the last scheduled moment that is done with: its mail was taken, or there was nothing to say. `ditos` are the
# records that the last mail named. `tentar_em` is the lease of who is sending, and after a refusal when it is tried again.
AVISO = """
create table aviso (
    usuario_id uuid primary key references usuario on delete cascade,
    quando     text not null default 'diario' check (quando in ('nunca', 'diario', 'na_hora')),
    idioma     text check (idioma in ('pt-BR', 'en')),
    resumo_de  timestamptz not null default now(),
    ditos      uuid[] not null default '{}',
    enviado_em timestamptz,
    tentar_em  timestamptz,
    falhas     int not null default 0,
    falha      text not null default ''
);
grant select, insert, update on aviso to sispat_app;
"""


def upgrade() -> None:
    """Add the table."""
    executar(AVISO)


def downgrade() -> None:
    """Drop it."""
    executar("drop table aviso")
