"""`sispat metrics`: Esteio's commands, in the terminal's language, for the job that scrapes SISPAT."""

from __future__ import annotations

from esteio.cli import MetricsWords, metrics_commands
from sispat.cli._metrics_words import alert_texts
from sispat.kernel.i18n import _

__all__ = ["app"]

app = metrics_commands(
    job="sispat",
    title="SISPAT",
    words=MetricsWords(
        group=_("Para o Prometheus e o Grafana: regras e um painel, feitos das definições das métricas."),
        dashboard=_("Um painel para o Grafana (JSON): para importar, ou para a pasta do seu provisionamento."),
        rules=_("Regras de gravação e de alerta para o Prometheus (YAML): para rule_files."),
        job=_("O job_name do serviço em prometheus.yml."),
        title=_("O título do painel."),
        objective=_("Porcentagem dos pedidos que devem dar certo em 30 dias."),
        memory=_("MB que um processo pode ocupar."),
        cpu=_("Porcentagem de um processador que um processo pode usar."),
        database=_("Milissegundos que uma ida e volta ao banco pode levar."),
        errors=_("Porcentagem dos pedidos que pode falhar em cinco minutos."),
        backup=_("Horas depois das quais a cópia mais nova, e a mais nova provada, são velhas demais."),
        alerts=alert_texts(),
    ),
)
