"""What watches the service, and whom it tells."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from sispat.settings._readers import read_bool, read_channels, read_cron, read_mail, read_quiet_hours, read_url
from sispat.settings._types import Group, YesNo
from sispat.settings._variable import Variable

__all__ = ["WatchingSettings"]


class WatchingSettings(Group):
    """What watches the service, and whom it tells."""

    enable_health_monitor: Annotated[
        YesNo,
        Variable(
            "ENABLE_HEALTH_MONITOR",
            "Se o operador mede a saúde periodicamente e guarda o histórico em SISPAT_DATA_DIR/health.sqlite.",
        ),
    ] = True
    health_check_interval: Annotated[
        int,
        Field(ge=1000, le=3_600_000),
        Variable(
            "HEALTH_CHECK_INTERVAL",
            "Intervalo entre duas medições que ficam no histórico; o que falha é visto em segundos, seja qual for.",
            unit="ms",
        ),
    ] = 60_000
    clock_source: Annotated[
        str | None,
        BeforeValidator(read_url("ntp", "http", "https")),
        Variable(
            "SISPAT_CLOCK_SOURCE",
            "Relógio com que o desta máquina é comparado: um servidor NTP, ou a data de um servidor web.",
            accepts="ntp://a.ntp.br, http:// ou https://",
            default="o do banco, se está em outra máquina",
        ),
    ] = None
    operations_token: Annotated[
        SecretStr | None,
        Field(min_length=16),
        Variable(
            "SISPAT_OPERATIONS_TOKEN",
            "Abre /metrics e /operacao também quando o banco, que conhece as sessões, está fora; nada mais. "
            "O Prometheus o envia como Authorization: Bearer.",
            accepts="16 letras ou mais",
            default="só a sessão ou a chave de um administrador",
            secret=True,
        ),
    ] = None
    webhook_url: Annotated[
        SecretStr | None,
        BeforeValidator(read_url("http", "https")),
        Variable(
            "WEBHOOK_URL",
            "Quem é avisado do que para de funcionar, de quando volta, e de como terminam as cópias: Slack, Discord ou outro "
            "que receba JSON.",
            accepts="http:// ou https://",
            secret=True,
        ),
    ] = None
    notify_urls: Annotated[
        SecretStr | None,
        BeforeValidator(read_channels),
        Variable(
            "SISPAT_NOTIFY_URLS",
            "Outros canais dos avisos, separados por espaços, como no apprise; `sispat backup notify --test` os prova.",
            accepts="mailtos://usuario:senha@smtp.cidade.gov.br?to=ti@cidade.gov.br, tgram://... e outros",
            secret=True,
        ),
    ] = None
    escalation_urls: Annotated[
        SecretStr | None,
        BeforeValidator(read_channels),
        Variable(
            "SISPAT_ESCALATION_URLS",
            "Canais avisados do que não pode esperar e que ninguém assumiu em SISPAT_ESCALATE_AFTER minutos; de nada mais. "
            "Separados por espaços, como em SISPAT_NOTIFY_URLS.",
            accepts="tgram://..., mailtos://... e outros",
            secret=True,
        ),
    ] = None
    escalate_after: Annotated[
        int,
        Field(ge=0, le=1440),
        Variable(
            "SISPAT_ESCALATE_AFTER",
            "Depois de quanto tempo o que não pode esperar, foi avisado e ninguém assumiu (`sispat alerta assumir`) "
            "é levado a SISPAT_ESCALATION_URLS; 0: nunca.",
            unit="min",
        ),
    ] = 15
    quiet_hours: Annotated[
        str,
        BeforeValidator(read_quiet_hours),
        Variable(
            "SISPAT_QUIET_HOURS",
            "Quando só se avisa do que não pode esperar; o resto espera até o fim, se ainda for verdade. No fuso "
            "SISPAT_TIMEZONE.",
            accepts="duas horas, como 22:00-07:00, ou não",
        ),
    ] = "22:00-07:00"
    mail_url: Annotated[
        SecretStr | None,
        BeforeValidator(read_mail),
        Variable(
            "SISPAT_MAIL_URL",
            "Servidor que leva às pessoas, por e-mail, o que espera por elas; cada uma escolhe em Minha conta. Precisa de "
            "tarefas (SISPAT_JOBS) e, para os links, de SISPAT_PUBLIC_URL.",
            accepts="mailtos://usuario:senha@smtp.cidade.gov.br?from=sispat@cidade.gov.br, sem to=",
            default="nenhum: ninguém recebe e-mails",
            secret=True,
        ),
    ] = None
    mail_digest: Annotated[
        str,
        BeforeValidator(read_cron()),
        Variable(
            "SISPAT_MAIL_DIGEST",
            "Quando vai o resumo do que espera por cada pessoa.",
            accepts="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; não para nunca",
        ),
    ] = "0 7 * * 1-5"
    heartbeat_url: Annotated[
        SecretStr | None,
        BeforeValidator(read_url("http", "https")),
        Variable(
            "SISPAT_HEARTBEAT_URL",
            "Chamado depois de cada cópia que deu certo, e com /fail depois de cada falha, como quer o Healthchecks.",
            accepts="http:// ou https://",
            secret=True,
        ),
    ] = None
    sentry_dsn: Annotated[
        SecretStr | None,
        BeforeValidator(read_url("http", "https")),
        Variable(
            "SENTRY_DSN",
            "Projeto do Sentry que recebe os avisos, os erros dos processos com o número do pedido, circuitos que se abrem e "
            "comandos ao banco com mais de 3 s; nenhum dado do que as pessoas digitaram.",
            accepts="http:// ou https://",
            secret=True,
        ),
    ] = None
    ups: Annotated[
        bool | None,
        BeforeValidator(read_bool),
        Variable(
            "SISPAT_UPS",
            "Se um nobreak sustenta a máquina, o switch e o enlace: a resposta de uma pessoa, para `sispat doctor`.",
            accepts="sim ou não (também true/false, 1/0)",
            default="ninguém respondeu",
        ),
    ] = None
