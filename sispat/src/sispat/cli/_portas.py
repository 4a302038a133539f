"""What has to be true before the service opens its port to others: as whom its processes enter the database, and that no
password in it is public.
"""

from __future__ import annotations

import psycopg

from esteio.postgres import Dsn
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, gettext_noop

__all__ = [
    "PapelDoServico",
    "SenhasPublicas",
    "aviso_de_papel",
    "conferir_papel",
    "conferir_senhas",
    "public_passwords",
]


class PapelDoServico(SispatError):
    """The role of SISPAT_DATABASE_APP_URL may do more than serve, or less."""

    code = "papel-do-servico"

    def __init__(self, papel: str, problema: str) -> None:
        self.papel, self.problema = papel, problema
        entra = _(
            "SISPAT_DATABASE_APP_URL entra no banco como “%(role)s”, que %(problem)s.", role=papel, problem=problema
        )
        super().__init__(f"{entra} {_(_COMO)}")


class SenhasPublicas(SispatError):
    """The demo's passwords are known to everybody, so only this machine may reach them."""

    code = "senhas-publicas"

    def __init__(self, host: str, emails: tuple[str, ...]) -> None:
        self.host, self.emails = host, emails
        super().__init__(
            _(
                "O banco tem pessoas da demonstração com a senha que todos conhecem (%(emails)s), e “%(host)s” o abriria à "
                "rede. Troque cada senha (`sispat usuario senha --email ...`), use outro banco, ou atenda só esta máquina "
                "(--host 127.0.0.1).",
                emails=", ".join(emails),
                host=host,
            )
        )


_COMO = gettext_noop(
    "Crie um papel que só possa o que o serviço precisa, com o nome que quiser: "
    "create role sispat_web login password '...' in role sispat_app"
)
_PODE = """
select current_user,
       pg_has_role(current_user, relowner, 'member'),
       has_table_privilege('patrimonio', 'insert') and has_table_privilege('evento', 'insert'),
       has_table_privilege('evento', 'delete') or has_table_privilege('evento', 'update')
from pg_class where oid = 'patrimonio'::regclass"""


def conferir_papel(servico: Dsn) -> None:
    """Raise `PapelDoServico` where the role could become the owner, cannot serve, or may rewrite the audit."""
    with psycopg.connect(servico.conninfo) as conn:
        linha = conn.execute(_PODE).fetchone()
    assert linha is not None
    papel, dono, basta, reescreve = linha
    if dono or reescreve:
        raise PapelDoServico(papel, _("é dono das tabelas, ou pode tornar-se, e nada o impede de mudar a auditoria"))
    if not basta:
        raise PapelDoServico(papel, _("não pode gravar nas tabelas do serviço (não é membro de sispat_app)"))


def aviso_de_papel(dono: Dsn) -> str:
    """What is said where the processes have no login of their own."""
    told = _(
        "os processos entram no banco como “%(role)s” e passam a sispat_app por SET ROLE, o que uma injeção de SQL poderia "
        "desfazer.",
        role=dono.user or _("o dono das tabelas"),
    )
    return f"{told} {_(_COMO)}; {_('e indique-o em SISPAT_DATABASE_APP_URL.')}"


def conferir_senhas(dono: Dsn, host: str) -> None:
    """Raise `SenhasPublicas` where somebody of the demo could sign in with its password."""
    publicas = public_passwords(dono)
    if publicas:
        raise SenhasPublicas(host, publicas)


def public_passwords(dono: Dsn) -> tuple[str, ...]:
    """Who of the demo could sign in with its password."""
    from sispat.demo import LOGINS
    from sispat.pessoas.passwords import is_right

    senhas = {email: senha for email, senha, _papel in LOGINS}
    with psycopg.connect(dono.conninfo) as conn:
        pessoas = conn.execute(
            "select email, senha_hash from usuario where email = any(%s) and ativo order by email", [list(senhas)]
        ).fetchall()
    return tuple(email for email, senha_hash in pessoas if is_right(senhas[email], senha_hash))
