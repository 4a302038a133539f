"""What people call the checks and the alerts, in the language in use."""

from __future__ import annotations

from collections.abc import Mapping

from sispat.kernel.i18n import _

__all__ = ["alert_titles", "check_names"]


def alert_titles() -> dict[str, str]:
    """What each alert says, in the language in use, by its name."""
    burn = _("a margem de falhas está sendo gasta depressa demais")
    slow = _("pedidos demais demoram mais de 1 s")
    return {
        "web:down": _("o SISPAT não responde"),
        "postgres:down": _("o banco de dados não responde"),
        "postgres:slow": _("o banco de dados responde devagar"),
        "redis:down": _("o Redis não responde"),
        "documents:down": _("o armazém dos documentos não responde"),
        "disk:full": _("o disco está quase cheio"),
        "disk:low": _("o disco está enchendo"),
        "jobs:stuck": _("tarefas esperam e ninguém as faz"),
        "clock:offset": _("o relógio desta máquina está errado"),
        "tls:refused": _("os navegadores recusam o certificado, ou o recusarão em poucos dias"),
        "tls:certificate": _("o certificado vence logo"),
        "tls:cluster": _("um certificado entre as máquinas vence logo"),
        "memory:high": _("um processo usa memória demais"),
        "cpu:high": _("um processo está sempre ocupado"),
        "circuit:open": _("um disjuntor está aberto"),
        "process:crash-loop": _("um processo morre repetidamente"),
        "process:died": _("algo morreu e foi substituído"),
        "worker:died": _("um processo de atendimento morreu e foi substituído"),
        "operator:died": _("o operador morreu e foi substituído"),
        "postgresql:died": _("o PostgreSQL embutido morreu e foi iniciado de novo"),
        "statements:slow": _("comandos ao banco levam mais de 3 s"),
        "requests:errors": _("pedidos demais falham"),
        **{f"availability:burn-{window}": burn for window in ("1h", "6h", "1d", "3d")},
        **{f"latency:burn-{window}": slow for window in ("1h", "6h", "1d", "3d")},
        "backup:failing": _("as cópias de segurança precisam de alguém"),
        "backup:directory": _("a pasta das cópias sumiu"),
        "backup:full": _("o espaço para as cópias está acabando"),
        "replication:lag": _("uma réplica ou um arquivo do log está atrasado"),
        "wal:failing": _("o log do banco não está sendo arquivado"),
    }


def check_names() -> Mapping[str, str]:
    """What people call each check, in the language in use."""
    return {
        "web:responseTime": _("Atendimento"),
        "postgres:responseTime": _("Banco de dados"),
        "redis:responseTime": "Redis",
        "documents:responseTime": _("Armazém dos documentos"),
        "disk:free": _("Espaço em disco"),
        "jobs:waiting": _("Tarefas na fila"),
        "clock:offset": _("Relógio"),
        "backup:age": _("Cópias de segurança"),
        "backup:directory": _("Pasta das cópias"),
        "backup:free": _("Espaço para cópias"),
        "replication:lag": _("Réplicas e arquivo do log"),
        "tls:certificate": _("Certificado"),
        "tls:cluster": _("Certificados entre as máquinas"),
        "workers:count": _("Processos"),
        "host:watched": _("Vigilância desta máquina"),
    }
