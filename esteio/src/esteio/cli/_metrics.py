"""`esteio metrics dashboard|rules`: what Prometheus and Grafana need, from the definitions of the metrics, on stdout."""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import typer

__all__ = ["MetricsWords", "metrics_commands"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsWords:
    """The texts of the commands, in the language of a program."""

    group: str = "For Prometheus and Grafana: rules and a dashboard, made from the definitions of the metrics."
    dashboard: str = "A dashboard for Grafana (JSON): for its import, or for the directory of its provisioning."
    rules: str = "Recording and alerting rules for Prometheus (YAML): for rule_files."
    job: str = "The job_name of the service in prometheus.yml."
    title: str = "The dashboard's title."
    objective: str = "Percent of the requests that are to succeed over 30 days."
    memory: str = "MB that a worker may hold."
    cpu: str = "Percent of a processor that a worker may use."
    database: str = "Milliseconds that a round trip to the database may take."
    errors: str = "Percent of the requests that may fail within five minutes."
    backup: str = "Hours after which the newest backup, and the newest proven one, are too old."
    alerts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Summaries and remedies by the names of alerts."""


def metrics_commands(*, job: str, title: str, words: MetricsWords = MetricsWords()) -> typer.Typer:
    """The commands for the program whose metrics the job `job` scrapes."""
    app = typer.Typer(name="metrics", help=words.group, no_args_is_help=True)

    @app.command("dashboard", help=words.dashboard)
    def dashboard(name: Annotated[str, typer.Option("--title", help=words.title)] = title) -> None:
        from esteio.metrics import dashboard_file

        typer.echo(dashboard_file(name, uid=job), nl=False)

    @app.command("rules", help=words.rules)
    def rules(
        scraped: Annotated[str, typer.Option("--job", help=words.job)] = job,
        objective: Annotated[float, typer.Option("--objective", min=50, max=99.999, help=words.objective)] = 99.9,
        memory: Annotated[float, typer.Option("--memory", min=1, help=words.memory)] = 400.0,
        cpu: Annotated[float, typer.Option("--cpu", min=1, max=100, help=words.cpu)] = 80.0,
        database: Annotated[float, typer.Option("--database", min=1, help=words.database)] = 1000.0,
        errors: Annotated[float, typer.Option("--errors", min=0.01, max=100, help=words.errors)] = 5.0,
        backup: Annotated[float, typer.Option("--backup", min=1, help=words.backup)] = 26.0,
    ) -> None:
        from esteio.metrics import Thresholds, rules_file

        thresholds = Thresholds(
            objective=objective,
            memory_bytes=memory * 1e6,
            cpu=cpu / 100,
            database_seconds=database / 1000,
            errors=errors / 100,
            backup_seconds=backup * 3600,
        )
        try:
            text = rules_file(scraped, thresholds, words.alerts)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--job") from error
        typer.echo(text, nl=False)

    return app
