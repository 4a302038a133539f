"""What has to be true before the service opens its port to others: as whom its processes enter the database, and that no
password in it is public.
"""

from __future__ import annotations

import psycopg

from esteio.postgres import Dsn
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, gettext_noop

__all__ = [
    "PublicPasswords",
    "UnsafeServiceRole",
    "check_passwords",
    "check_service_role",
    "public_passwords",
    "role_warning",
]


class UnsafeServiceRole(SispatError):
    """The role of SISPAT_DATABASE_APP_URL may do more than serve, or less."""

    code = "papel-do-servico"

    def __init__(self, role: str, problem: str) -> None:
        self.role, self.problem = role, problem
        enters = _(
            "SISPAT_DATABASE_APP_URL entra no banco como “%(role)s”, que %(problem)s.", role=role, problem=problem
        )
        super().__init__(f"{enters} {_(_HOW)}")


class PublicPasswords(SispatError):
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


_HOW = gettext_noop(
    "Crie um papel que só possa o que o serviço precisa, com o nome que quiser: "
    "create role sispat_web login password '...' in role sispat_app"
)
_MAY = """
select current_user,
       pg_has_role(current_user, relowner, 'member'),
       has_table_privilege('patrimonio', 'insert') and has_table_privilege('evento', 'insert'),
       has_table_privilege('evento', 'delete') or has_table_privilege('evento', 'update')
from pg_class where oid = 'patrimonio'::regclass"""


def check_service_role(service: Dsn) -> None:
    """Raise `UnsafeServiceRole` where the role could become the owner, cannot serve, or may rewrite the audit."""
    with psycopg.connect(service.conninfo) as conn:
        row = conn.execute(_MAY).fetchone()
    assert row is not None
    role, owner, suffices, rewrites = row
    if owner or rewrites:
        raise UnsafeServiceRole(role, _("é dono das tabelas, ou pode tornar-se, e nada o impede de mudar a auditoria"))
    if not suffices:
        raise UnsafeServiceRole(role, _("não pode gravar nas tabelas do serviço (não é membro de sispat_app)"))


def role_warning(owner: Dsn) -> str:
    """What is said where the processes have no login of their own."""
    told = _(
        "os processos entram no banco como “%(role)s” e passam a sispat_app por SET ROLE, o que uma injeção de SQL poderia "
        "desfazer.",
        role=owner.user or _("o dono das tabelas"),
    )
    return f"{told} {_(_HOW)}; {_('e indique-o em SISPAT_DATABASE_APP_URL.')}"


def check_passwords(owner: Dsn, host: str) -> None:
    """Raise `PublicPasswords` where somebody of the demo could sign in with its password."""
    public = public_passwords(owner)
    if public:
        raise PublicPasswords(host, public)


def public_passwords(owner: Dsn) -> tuple[str, ...]:
    """Who of the demo could sign in with its password."""
    from sispat.demo import LOGINS
    from sispat.pessoas.passwords import is_right

    passwords = {email: password for email, password, _papel in LOGINS}
    with psycopg.connect(owner.conninfo) as conn:
        people = conn.execute(
            "select email, senha_hash from usuario where email = any(%s) and ativo order by email", [list(passwords)]
        ).fetchall()
    return tuple(email for email, senha_hash in people if is_right(passwords[email], senha_hash))
