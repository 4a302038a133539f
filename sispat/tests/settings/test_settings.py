"""The settings: where values come from, what is refused and how it is said, and that the page tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sispat.kernel.i18n import load
from sispat.settings import InvalidSettings, Origin, Settings, in_force, load_settings, reference_page, variables

RAIZ = Path(__file__).parents[3]


def problemas(env: dict[str, str]) -> dict[str, str]:
    with pytest.raises(InvalidSettings) as erro:
        load_settings(env)
    return {problema.name: str(problema) for problema in erro.value.problems}


def test_nothing_is_required() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 2)
    assert (settings.session_idle, settings.session_max, settings.body_limit) == (28_800, 86_400, 1_048_576)
    assert (settings.retention_days, settings.health_check_interval) == (30, 60_000)
    assert set(map(settings.origin, Settings.model_fields)) == {Origin.DEFAULT}


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    arquivo = tmp_path / ".env"
    arquivo.write_text("SISPAT_PORT=1001\nSISPAT_WORKERS=5\nexport SISPAT_CITY_NAME='São José'\n# nota\n", "utf-8")
    settings = load_settings({"SISPAT_PORT": "1002", "SISPAT_HOST": "::1"}, arquivo, {"host": "0.0.0.0", "port": None})
    assert (settings.port, settings.origin("port")) == (1002, Origin.ENVIRONMENT)
    assert (settings.workers, settings.origin("workers")) == (5, Origin.FILE)
    assert (settings.city_name, settings.origin("city_name")) == ("São José", Origin.FILE)
    assert (settings.host, settings.origin("host")) == ("0.0.0.0", Origin.COMMAND_LINE)
    assert settings.origin("log_level") is Origin.DEFAULT


def test_the_env_file_of_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SISPAT_PORT", raising=False)
    (tmp_path / ".env").write_text("SISPAT_PORT=1003\n")
    assert load_settings().port == 1003
    monkeypatch.setenv("SISPAT_PORT", "1004")
    assert load_settings().port == 1004


def test_a_given_environment_counts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SISPAT_PORT=1003\n")
    monkeypatch.setenv("SISPAT_WORKERS", "7")
    assert load_settings({}) == Settings()


def test_an_empty_variable_is_not_set() -> None:
    settings = load_settings({"DATABASE_URL": "", "SISPAT_PORT": "", "REDIS_URL": ""})
    assert (settings.database_url, settings.port, settings.redis_url) == (None, 8000, None)


@pytest.mark.parametrize(
    ("texto", "segundos"),
    [("90s", 90), ("90", 90), ("30min", 1800), ("8h", 28_800), ("1d", 86_400), ("1,5h", 5400), ("90000 ms", 90)],
)
def test_durations_carry_their_unit(texto: str, segundos: float) -> None:
    assert load_settings({"SISPAT_SESSION_IDLE": texto}).session_idle == segundos


@pytest.mark.parametrize(("texto", "tamanho"), [("1MB", 1 << 20), ("512kB", 1 << 19), ("65536", 65_536)])
def test_sizes_carry_their_unit(texto: str, tamanho: int) -> None:
    assert load_settings({"SISPAT_BODY_LIMIT": texto}).body_limit == tamanho


@pytest.mark.parametrize(
    ("texto", "url"),
    [
        ("", "https://viacep.com.br"),
        ("não", None),
        ("off", None),
        ("http://cep.interno:8080", "http://cep.interno:8080"),
    ],
)
def test_the_look_up_of_addresses_can_be_pointed_elsewhere_or_switched_off(texto: str, url: str | None) -> None:
    assert load_settings({"SISPAT_CEP_URL": texto}).cep_url == url


def test_an_address_look_up_that_is_no_url_is_refused() -> None:
    assert "não para desligar" in problemas({"SISPAT_CEP_URL": "viacep.com.br"})["SISPAT_CEP_URL"]


def test_when_backups_are_made_is_checked_when_the_settings_are_read() -> None:
    lidas = load_settings(
        {"SISPAT_BACKUP_BASE": "30 1 * * 1-5", "SISPAT_BACKUP_DUMP": "Não", "SISPAT_BACKUP_MAX_AGE": "3d"}
    )
    assert (lidas.backup_base, lidas.backup_dump, lidas.backup_max_age) == ("30 1 * * 1-5", "não", 3 * 86400)
    assert load_settings({"SISPAT_BACKUP_BASE": "auto"}).backup_base == "auto"
    achados = problemas(
        {"SISPAT_BACKUP_BASE": "às duas", "SISPAT_BACKUP_DUMP": "auto", "SISPAT_BACKUP_ARCHIVE": "talvez"}
    )
    assert len(achados) == 3
    assert "cinco campos" in achados["SISPAT_BACKUP_BASE"]


def test_all_bad_values_are_told_at_once() -> None:
    achados = problemas(
        {
            "SISPAT_PORT": "abc",
            "SISPAT_WORKERS": "0",
            "SISPAT_SESSION_IDLE": "3 luas",
            "SISPAT_TIMEZONE": "America/Nárnia",
            "SISPAT_LOG_FORMAT": "xml",
            "SISPAT_FORWARDED_ALLOW_IPS": "10.0.0.0/8,proxy",
            "RETENTION_DAYS": "-1",
            "ENABLE_HEALTH_MONITOR": "talvez",
            "AWS_S3_BUCKET": "Maiúsculo",
        }
    )
    assert len(achados) == 9
    assert "“abc” (ambiente)" in achados["SISPAT_PORT"]
    assert "de 0 a 65535" in achados["SISPAT_PORT"]
    assert "de 1 a 64" in achados["SISPAT_WORKERS"]
    assert "30min" in achados["SISPAT_SESSION_IDLE"]
    assert "“proxy”" in achados["SISPAT_FORWARDED_ALLOW_IPS"]


@pytest.mark.parametrize(
    ("nome", "valor"),
    [
        ("DATABASE_URL", "mysql://u:segredo@h/b"),
        ("DATABASE_URL", "postgresql://u:segredo@h:porta/b"),
        ("DATABASE_URL", "postgresql://u:segredo/metade@h/b"),
        ("DATABASE_URL", "postgresql://u:segredo%@h/b"),
        ("REDIS_URL", "http://:segredo@h"),
        ("WEBHOOK_URL", "segredo"),
        ("SENTRY_DSN", "https://"),
        ("SISPAT_NOTIFY_URLS", "tgram://1/2 segredo"),
        ("SISPAT_HEARTBEAT_URL", "segredo"),
    ],
)
def test_a_bad_secret_is_named_but_not_shown(nome: str, valor: str) -> None:
    achado = problemas({nome: valor})[nome]
    assert achado.startswith(f"{nome} = “***”")
    assert "segredo" not in achado


@pytest.mark.parametrize("address", ["s3://ana:segredo@bucket", "s3://ana:seg/re@do@bucket/pasta"])
def test_credentials_in_an_address_that_takes_none_are_not_shown(address: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load_settings({"SISPAT_DOCUMENTS_STORE": address})
    assert "bucket" in str(refused.value)
    assert "seg" not in str(refused.value)


def test_a_session_cannot_idle_longer_than_it_lives() -> None:
    achado = problemas({"SISPAT_SESSION_IDLE": "2h", "SISPAT_SESSION_MAX": "1h"})
    assert list(achado) == ["SISPAT_SESSION_IDLE"]
    assert "SISPAT_SESSION_MAX" in achado["SISPAT_SESSION_IDLE"]


def test_a_name_nobody_reads_is_warned_about_with_the_nearest_known(tmp_path: Path) -> None:
    arquivo = tmp_path / ".env"
    arquivo.write_text("SISPAT_WORKER=3\nPOSTGRES_DB=outro\n")
    avisos = load_settings({"SISPAT_PROT": "1", "HOME": "/"}, arquivo).warnings
    assert len(avisos) == 2
    assert "SISPAT_PROT (ambiente)" in avisos[0]
    assert "SISPAT_PORT?" in avisos[0]
    assert "SISPAT_WORKERS?" in avisos[1]


def test_an_env_file_that_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    arquivo = tmp_path / ".env"
    arquivo.write_text("SISPAT_PORT=1\nisto não = 'é\n", "utf-8")
    with pytest.raises(InvalidSettings, match="linha 2"):
        load_settings({}, arquivo)
    arquivo.write_bytes(b"SISPAT_CITY_NAME=S\xe3o\n")
    with pytest.raises(InvalidSettings, match="UTF-8"):
        load_settings({}, arquivo)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    segredos = {
        "DATABASE_URL": "postgresql://u:segredo@h/b",
        "REDIS_URL": "redis://:segredo@h:6379/0",
        "REDIS_PASSWORD": "segredo",
        "WEBHOOK_URL": "https://exemplo.br/segredo",
        "SENTRY_DSN": "https://segredo@exemplo.br/1",
        "SISPAT_NOTIFY_URLS": "mailto://u:segredo@exemplo.br tgram://segredo/1",
        "SISPAT_HEARTBEAT_URL": "https://exemplo.br/segredo",
    }
    settings = load_settings(segredos)
    assert "segredo" not in repr(settings)
    assert not any("segredo" in linha.value for linha in in_force(settings))
    assert settings.database_url is not None
    assert settings.database_url.password == "segredo"


def test_every_variable_of_the_guide_is_read() -> None:
    guia = {"DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD", "BACKUP_DIR", "RETENTION_DAYS", "ENABLE_HEALTH_MONITOR"}
    guia |= {"HEALTH_CHECK_INTERVAL", "WEBHOOK_URL", "AWS_S3_BUCKET", "SENTRY_DSN"}
    nomes = [variavel.name for _, _, variavel in variables()]
    assert guia < set(nomes)
    assert len(nomes) == len(set(nomes))
    gerada = "BACKUP_DATABASE_URL"  # as `esteio cluster init` writes it for every service
    assert all(nome in {*guia, gerada} or nome.startswith("SISPAT_") for nome in nomes)


def test_the_reference_page_is_what_the_code_says() -> None:
    escrita = (RAIZ / "docs/reference/settings.md").read_text("utf-8")
    assert escrita == reference_page(), "run `make docs`"


def test_each_rule_between_values_names_the_variable_that_breaks_it() -> None:
    wrong = problemas({"SISPAT_OIDC_ISSUER": "http://sso.acesso.gov.br/", "SISPAT_SECRET": "curto"})
    assert "http:// só em 127.0.0.1" in wrong["SISPAT_OIDC_ISSUER"]
    assert "pelo menos 32" in wrong["SISPAT_SECRET"]


def test_what_each_setting_allows_is_said_in_english_too() -> None:
    allowed = {variable.accepts for _, _, variable in variables() if variable.accepts}
    assert len(allowed) > 30
    assert [text for text in allowed if load("en").gettext(text) == text and " " in text.replace("REDIS_URL", "")] == []
