"""`sispat alerta` shows what is wrong and what was, and takes who looks after it, while the database is away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from processos import por_dentro

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import Alerts, AlertStore
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, State
from esteio.postgres import Database
from sispat.http.backup_state import OPERATOR_STATE
from sispat.operacao import monitor
from sispat.operacao.alerts import alert_words, watched_checks
from sispat.settings import Settings


@pytest.fixture
def dados(tmp_path: Path) -> Path:
    now = time.time()
    store = AlertStore(tmp_path / "alerts.sqlite")
    firing = Alert(
        "postgres:down", 1.0, bad=True, bad_since=now - 60, firing_since=now - 50, reason="fora", told=("a",)
    )
    held = Alert("requests:errors", 1.0, bad=True, bad_since=now - 60, firing_since=now - 50, held="inhibited")
    incident = Incident(
        1, now - 60, now - 50, cause="deploy", sources=(Source.PROBE,), evidence=(Evidence(now - 70, "deploy", "2.0"),)
    )
    minute = Minute(int(now) // 60 * 60, 10_000, 5)
    assert store.save(now, {a.name: a for a in (firing, held)}, [incident], minutes=[minute])
    store.close()
    return tmp_path


def alerta(dados: Path, *argumentos: str, codigo: int = 0) -> str:
    feito = por_dentro("alerta", *argumentos, SISPAT_DATA_DIR=str(dados))
    assert feito.returncode == codigo, feito.stderr
    return feito.stdout + feito.stderr


def test_what_is_wrong_is_shown_with_who_looks_after_it_and_what_may_still_fail(dados: Path) -> None:
    mostrado = alerta(dados, "listar").splitlines()
    assert [linha.split("\t")[::2] for linha in mostrado[:2]] == [
        ["postgres:down", "avisado"],
        ["requests:errors", "explicado por outro"],
    ]
    assert mostrado[2] == "Margem de falhas que resta dos últimos 30 dias: 50 %"
    assert "assumido" in alerta(dados, "assumir", "postgres:down")
    assert "sispat alerta listar" in alerta(dados, "assumir", "disk:full", codigo=1)
    assert "em silêncio" in alerta(dados, "silenciar", "disk:*", "--minutos", "10", "--motivo", "troca do disco")
    [silencio] = Alerts(dados / "alerts.sqlite").silences(time.time())
    assert (silencio.pattern, silencio.why) == ("disk:*", "troca do disco")
    assert "disk:*" in alerta(dados, "listar")
    assert "Ninguém decide" not in alerta(dados, "listar")
    assert "Ninguém decide se há alertas (desde —)" in alerta(dados / "nova", "listar")
    alerta(dados, "silenciar", "disk:*", "--minutos", "0")
    assert Alerts(dados / "alerts.sqlite").silences(time.time()) == ()


def test_incidents_are_shown_with_their_cause_and_evidence(dados: Path) -> None:
    [linha] = alerta(dados, "incidentes", "--dias", "1").splitlines()
    assert linha.split("\t")[2:] == ["deploy", "probe", "deploy 2.0"]
    assert "em curso" in linha


def test_the_time_up_is_shown_by_period_with_what_nobody_knows_apart(dados: Path) -> None:
    now = time.time()
    history = History(dados / "health.sqlite", gap=60)
    for at, state in ((now - 100, State.UP), (now - 50, State.UP), (now - 40, State.DOWN), (now, State.UP)):
        history.observe(Observation(at, states={SERVICE: (state, "")}))
    history.close()
    linhas = [linha.split("\t") for linha in alerta(dados, "disponibilidade").splitlines()]
    assert [linha[0] for linha in linhas] == ["1 d", "7 d", "30 d", "90 d", "365 d"]
    assert float(linhas[0][1]) == pytest.approx(60, abs=5)
    assert [int(each) for each in linhas[0][2:4]] == [40, 0]
    assert int(linhas[0][4]) == pytest.approx(86_400 - 100, abs=10)
    assert linhas[0][5:] == ["0", "—", "—", "—"], "the one that goes on has no duration yet"


def test_the_report_of_a_month_is_written_as_pdf_and_what_is_no_month_is_refused(dados: Path) -> None:
    arquivo = dados / "r.pdf"
    mes = time.strftime("%Y-%m", time.gmtime(time.time() - 86_400))  # it has begun in every time zone
    assert "r.pdf escrito" in alerta(dados, "relatorio", "--mes", mes, "--arquivo", str(arquivo))
    assert arquivo.read_bytes().startswith(b"%PDF-")
    assert "2026-11" in alerta(dados, "relatorio", "--mes", "2026-13", codigo=1)


def test_every_alert_has_a_sentence_in_both_languages() -> None:
    from esteio.alert import ENGLISH
    from esteio.alert.monitor import EVERY_CHECK, service_definitions

    names = {each.rule.name for each in service_definitions(EVERY_CHECK)} - {"heartbeat:NAME"}
    portuguese, english = (
        alert_words(Settings(lang=lang), ENGLISH)
        for lang in ("pt-BR", "en")  # type: ignore[arg-type]
    )
    assert set(portuguese.titles) == set(english.titles) == names
    assert not set(portuguese.titles.values()) & set(english.titles.values())
    assert english.title("disk:full:absent") == "nothing is known of: the disk is nearly full"


def test_every_check_of_this_machine_has_an_alert_and_the_certificate_and_redis_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPERATOR_STATE, str(tmp_path / "operator.json"))
    assert "tls:certificate" not in watched_checks(Settings())
    monitored = {
        each.name
        for backup in (True, False)
        for each in monitor._checks(Settings(backup=backup, data_dir=tmp_path), Database("postgresql:///x?host=/tmp"))
    }
    assert monitored - set(watched_checks(Settings())) == {"backup:age"}, (
        "every check has an alert; the agent says that one"
    )
    cluster = "rediss+sentinel://127.0.0.1:1/x?ssl_ca_certs=/etc/ca.crt"
    assert "tls:cluster" in watched_checks(Settings(redis_url=cluster))  # type: ignore[arg-type]
    both = Settings(public_url="https://a.example", redis_url="redis://h/0")  # type: ignore[arg-type]
    assert {"tls:certificate", "redis:responseTime"} <= set(watched_checks(both))
