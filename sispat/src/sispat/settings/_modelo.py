"""The settings themselves: name, type, unit, default, limits and meaning of each, in one place.

docs/reference/settings.md is made from here (`make docs`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from esteio.postgres import Dsn
from sispat.kernel.i18n import SOURCE, Language, gettext_noop
from sispat.settings._origem import Origem
from sispat.settings._valores import (
    COTA,
    DURACAO,
    TAMANHO,
    Cota,
    ler_bool,
    ler_canais,
    ler_cota,
    ler_cota_ou_nao,
    ler_cron,
    ler_dsn,
    ler_duracao,
    ler_enderecos,
    ler_fuso,
    ler_idioma,
    ler_papeis,
    ler_redis,
    ler_segredos,
    ler_tamanho,
    ler_url,
    ler_url_ou_nao,
)
from sispat.settings._variavel import Variavel

__all__ = ["Settings"]

Sim = Annotated[bool, BeforeValidator(ler_bool)]
Segundos = Annotated[float, BeforeValidator(ler_duracao)]
Bytes = Annotated[int, BeforeValidator(ler_tamanho)]
Limite = Annotated[Cota, BeforeValidator(ler_cota)]
LimiteOuNao = Annotated[Cota | None, BeforeValidator(ler_cota_ou_nao)]
OU_NAO = gettext_noop("de 1 a 1000000 por 1s a 1d, como 100/15min; não para desligar")
Caminho = Annotated[Path, BeforeValidator(lambda valor: Path(valor).expanduser())]


def _kept_secret(url: str) -> bool:
    """Whether nobody on the way reads along: TLS, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def _auto_sim_ou_nao(valor: object) -> str:
    return "auto" if valor == "auto" else "sim" if ler_bool(valor) else "não"


class Settings(BaseModel):
    """What is in force. Frozen; durations in seconds, sizes in bytes. `Settings()` is all defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    # The guide's own names

    database_url: Annotated[
        Dsn | None,
        BeforeValidator(ler_dsn),
        Variavel(
            "DATABASE_URL",
            "Endereço do PostgreSQL. Sem ele, o SISPAT inicia um PostgreSQL próprio em SISPAT_DATA_DIR/postgres.",
            aceita="postgresql://usuario:senha@servidor:5432/banco, com os parâmetros connection_limit, "
            "pool_timeout (s), statement_timeout (ms) e os da libpq",
            padrao="PostgreSQL embutido",
            secreta=True,
        ),
    ] = None
    database_app_url: Annotated[
        Dsn | None,
        BeforeValidator(ler_dsn),
        Variavel(
            "SISPAT_DATABASE_APP_URL",
            "Endereço com que os processos que atendem entram no mesmo banco, como um papel que só lê e grava (membro de "
            "sispat_app). Sem ele entram por DATABASE_URL, o dono das tabelas, e passam a sispat_app por SET ROLE. O "
            "PostgreSQL embutido o tem por si.",
            aceita="como DATABASE_URL",
            secreta=True,
        ),
    ] = None
    redis_url: Annotated[
        SecretStr | None,
        BeforeValidator(ler_redis),
        Variavel(
            "REDIS_URL",
            "Endereço do Redis, para limites de requisições comuns a todas as máquinas. Sem ele, cada máquina conta os "
            "seus; enquanto ele não responde, cada processo permite a sua parte.",
            aceita="redis://, rediss:// (TLS), unix://, redis+sentinel://um:26379,outro:26379/servico ou redis+cluster://",
            secreta=True,
        ),
    ] = None
    redis_password: Annotated[
        SecretStr | None,
        Variavel(
            "REDIS_PASSWORD", "Senha do Redis, se não estiver em REDIS_URL.", aceita="qualquer texto", secreta=True
        ),
    ] = None
    backup_dir: Annotated[
        Caminho | None,
        Variavel(
            "BACKUP_DIR",
            "Onde ficam as cópias de segurança; de preferência noutro disco.",
            aceita="uma pasta cuja pasta-mãe exista",
            padrao="SISPAT_DATA_DIR/backup",
        ),
    ] = None
    retention_days: Annotated[
        int,
        Field(ge=1, le=3650),
        Variavel(
            "RETENTION_DAYS",
            "Por quantos dias toda cópia é guardada; as duas últimas provadas ficam sempre (SISPAT_BACKUP_KEEP).",
            unidade="dias",
        ),
    ] = 30
    enable_health_monitor: Annotated[
        Sim,
        Variavel(
            "ENABLE_HEALTH_MONITOR",
            "Se o operador mede a saúde periodicamente e guarda o histórico em SISPAT_DATA_DIR/health.sqlite.",
        ),
    ] = True
    health_check_interval: Annotated[
        int,
        Field(ge=1000, le=3_600_000),
        Variavel(
            "HEALTH_CHECK_INTERVAL",
            "Intervalo entre duas medições que ficam no histórico; o que falha é visto em segundos, seja qual for.",
            unidade="ms",
        ),
    ] = 60_000
    webhook_url: Annotated[
        SecretStr | None,
        BeforeValidator(ler_url("http", "https")),
        Variavel(
            "WEBHOOK_URL",
            "Quem é avisado de como terminam as cópias: Slack, Discord ou outro que receba JSON.",
            aceita="http:// ou https://",
            secreta=True,
        ),
    ] = None
    aws_s3_bucket: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
        Variavel(
            "AWS_S3_BUCKET",
            "Bucket S3 para onde as cópias também vão; credenciais em AWS_ACCESS_KEY_ID e AWS_SECRET_ACCESS_KEY.",
            aceita="de 3 a 63 letras minúsculas, algarismos, pontos e hifens",
        ),
    ] = None
    sentry_dsn: Annotated[
        SecretStr | None,
        BeforeValidator(ler_url("http", "https")),
        Variavel(
            "SENTRY_DSN",
            "Projeto do Sentry que recebe os erros.",
            aceita="http:// ou https://",
            secreta=True,
            reservada=True,
        ),
    ] = None

    # Our own

    data_dir: Annotated[
        Caminho,
        Variavel(
            "SISPAT_DATA_DIR",
            "Onde ficam os dados desta máquina: o PostgreSQL embutido e a trava contra um segundo início.",
            aceita="uma pasta em que se possa gravar",
            padrao="a pasta de dados do usuário (no Linux, ~/.local/share/sispat)",
        ),
    ] = Field(default_factory=lambda: user_data_path("sispat", appauthor=False))
    host: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=253, pattern=r"^\S+$"),
        Variavel(
            "SISPAT_HOST",
            "Endereço em que o serviço escuta: 127.0.0.1 só esta máquina, 0.0.0.0 toda a rede.",
            aceita="um endereço IP ou nome desta máquina",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535),
        Variavel("SISPAT_PORT", "Porta em que o serviço escuta; 0 escolhe uma livre.", unidade="porta TCP"),
    ] = 8000
    workers: Annotated[
        int,
        Field(ge=1, le=64),
        Variavel("SISPAT_WORKERS", "Quantos processos atendem.", unidade="processos"),
    ] = 2
    session_idle: Annotated[
        Segundos,
        Field(ge=60, le=7 * 86400),
        Variavel(
            "SISPAT_SESSION_IDLE",
            "Sem uso por este tempo, a sessão termina. No máximo SISPAT_SESSION_MAX.",
            unidade=DURACAO,
        ),
    ] = 8 * 3600.0
    session_max: Annotated[
        Segundos,
        Field(ge=300, le=30 * 86400),
        Variavel("SISPAT_SESSION_MAX", "Depois deste tempo a sessão termina, mesmo em uso.", unidade=DURACAO),
    ] = 24 * 3600.0
    body_limit: Annotated[
        Bytes,
        Field(ge=16 * 1024, le=100 * 1024**2),
        Variavel(
            "SISPAT_BODY_LIMIT",
            "Maior corpo aceito num pedido; acima disso a resposta é 413. 1MB são 1024 x 1024 bytes.",
            unidade=TAMANHO,
        ),
    ] = 1024**2
    secure_cookies: Annotated[
        Literal["auto", "sim", "não"],
        BeforeValidator(_auto_sim_ou_nao),
        Variavel(
            "SISPAT_SECURE_COOKIES",
            "Se o cookie da sessão só viaja por HTTPS; auto: sim quando o pedido chegou por HTTPS.",
            aceita="auto, sim ou não",
        ),
    ] = "auto"
    forwarded_allow_ips: Annotated[
        str,
        BeforeValidator(ler_enderecos),
        Variavel(
            "SISPAT_FORWARDED_ALLOW_IPS",
            "Proxies em cujos cabeçalhos X-Forwarded-* se acredita; * acredita em todos (só atrás de um proxy).",
            aceita="endereços IP e redes separados por vírgulas, ou *",
        ),
    ] = "127.0.0.1,::1"
    limit_global: Annotated[
        LimiteOuNao,
        Variavel(
            "SISPAT_LIMIT_GLOBAL",
            "Pedidos à API sem sessão válida, por endereço; telas, arquivos e /api/health não contam.",
            unidade=COTA,
            aceita=OU_NAO,
        ),
    ] = Cota(100, 900.0)
    limit_user: Annotated[
        LimiteOuNao,
        Variavel(
            "SISPAT_LIMIT_USER", "Pedidos à API de uma pessoa que entrou, por pessoa.", unidade=COTA, aceita=OU_NAO
        ),
    ] = Cota(90_000, 900.0)
    limit_key: Annotated[
        LimiteOuNao,
        Variavel(
            "SISPAT_LIMIT_KEY",
            "Pedidos à API de uma integração, por chave; as gravações e exportações dela contam também por chave.",
            unidade=COTA,
            aceita=OU_NAO,
        ),
    ] = Cota(9_000, 900.0)
    second_factor: Annotated[
        str,
        BeforeValidator(ler_papeis),
        Variavel(
            "SISPAT_SECOND_FACTOR",
            "Papéis que só entram com um segundo fator (código no celular); os outros podem cadastrar um.",
            aceita="papéis separados por vírgulas: administrador, gestor, responsavel, consulta; não para nenhum",
        ),
    ] = "não"
    oidc_issuer: Annotated[
        str | None,
        BeforeValidator(ler_url_ou_nao("https", "http")),
        Variavel(
            "SISPAT_OIDC_ISSUER",
            "Quem mais confirma quem entra, por OpenID Connect (o gov.br ou outro); quer o extra `sispat[oidc]`. Só entra "
            "quem já tem cadastro ativo.",
            aceita="o endereço do emissor, https:// (http:// só em 127.0.0.1 e localhost), ou não",
            padrao="ninguém: só a senha",
        ),
    ] = None
    oidc_client_id: Annotated[
        str, Variavel("SISPAT_OIDC_CLIENT_ID", "Com que nome o SISPAT está registrado lá.", aceita="qualquer texto")
    ] = ""
    oidc_client_secret: Annotated[
        SecretStr,
        Variavel("SISPAT_OIDC_CLIENT_SECRET", "O segredo desse registro.", aceita="qualquer texto", secreta=True),
    ] = SecretStr("")
    oidc_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=60),
        Variavel("SISPAT_OIDC_NAME", "Como as telas o chamam: Entrar com ...", aceita="de 1 a 60 letras"),
    ] = "gov.br"
    oidc_match: Annotated[
        Literal["email", "cpf"],
        Variavel(
            "SISPAT_OIDC_MATCH",
            "Por que se acha a pessoa: o e-mail, se ele o dá por verificado, ou o CPF do cadastro de usuários.",
            aceita="email ou cpf",
        ),
    ] = "email"
    oidc_claim: Annotated[
        str,
        StringConstraints(pattern=r"^[\w.:/-]{1,100}$"),
        Variavel(
            "SISPAT_OIDC_CLAIM", "A declaração (claim) que o traz; no gov.br o CPF está em sub.", aceita="um nome"
        ),
    ] = "email"
    oidc_scope: Annotated[
        str,
        StringConstraints(pattern=r"^openid( [\w.:/-]+)*$"),
        Variavel("SISPAT_OIDC_SCOPE", "O que se pede a ele.", aceita="openid, e mais nomes separados por espaços"),
    ] = "openid email"
    secret: Annotated[
        SecretStr | None,
        BeforeValidator(ler_segredos),
        Variavel(
            "SISPAT_SECRET",
            "Com que se cifram as chaves dos segundos fatores no banco; a mesma em todas as máquinas. Sem ela ficam como "
            "são. Para trocá-la: a nova, uma vírgula, a antiga; depois `sispat usuario recifrar` e só a nova.",
            aceita="pelo menos 32 caracteres ao acaso (`openssl rand -base64 32`), ou mais de uma, separadas por vírgulas",
            secreta=True,
        ),
    ] = None
    provisional_password: Annotated[
        Segundos,
        Field(ge=3600, le=90 * 86400),
        Variavel(
            "SISPAT_PROVISIONAL_PASSWORD",
            "Por quanto tempo uma senha provisória serve para entrar pela primeira vez.",
            unidade=DURACAO,
        ),
    ] = 7 * 86400.0
    limit_auth: Annotated[
        Limite,
        Variavel(
            "SISPAT_LIMIT_AUTH",
            "Tentativas de entrar que falham, por conta; um navegador em que a pessoa já entrou tem as suas à parte.",
            unidade=COTA,
        ),
    ] = Cota(5, 900.0)
    limit_auth_address: Annotated[
        Limite,
        Variavel(
            "SISPAT_LIMIT_AUTH_ADDRESS",
            "Tentativas de entrar que falham, por endereço: uma prefeitura inteira pode estar atrás de um só.",
            unidade=COTA,
        ),
    ] = Cota(100, 900.0)
    limit_write: Annotated[
        LimiteOuNao,
        Variavel(
            "SISPAT_LIMIT_WRITE",
            "Gravações (POST, PUT, PATCH, DELETE), por pessoa; um lote de bens iguais é uma só.",
            unidade=COTA,
            aceita=OU_NAO,
        ),
    ] = Cota(30, 60.0)
    limit_upload: Annotated[
        LimiteOuNao,
        Variavel("SISPAT_LIMIT_UPLOAD", "Envios de arquivos, por pessoa.", unidade=COTA, aceita=OU_NAO, reservada=True),
    ] = Cota(10, 3600.0)
    limit_report: Annotated[
        LimiteOuNao,
        Variavel("SISPAT_LIMIT_REPORT", "Relatórios e exportações (CSV), por pessoa.", unidade=COTA, aceita=OU_NAO),
    ] = Cota(20, 3600.0)
    graceful_timeout: Annotated[
        Segundos,
        Field(ge=1, le=3600),
        Variavel(
            "SISPAT_GRACEFUL_TIMEOUT",
            "Ao encerrar, quanto se espera pelos pedidos em andamento; depois são interrompidos.",
            unidade=DURACAO,
        ),
    ] = 30.0
    drain_delay: Annotated[
        Segundos,
        Field(ge=0, le=300),
        Variavel(
            "SISPAT_DRAIN_DELAY",
            "Ao encerrar, por quanto tempo ainda se aceitam pedidos enquanto /api/health/ready já diz não; "
            "para uso atrás de um balanceador.",
            unidade=DURACAO,
        ),
    ] = 0.0
    worker_timeout: Annotated[
        Segundos,
        Field(ge=1, le=600),
        Variavel(
            "SISPAT_WORKER_TIMEOUT",
            "Um processo que não dá sinal por este tempo é encerrado e substituído.",
            unidade=DURACAO,
        ),
    ] = 10.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda valor: str(valor).strip().lower()),
        Variavel("SISPAT_LOG_LEVEL", "A partir de que gravidade se registra.", aceita="debug, info, warning ou error"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        BeforeValidator(lambda valor: str(valor).strip().lower()),
        Variavel("SISPAT_LOG_FORMAT", "Registro para pessoas (text) ou para programas (json).", aceita="text ou json"),
    ] = "text"
    timezone: Annotated[
        str,
        BeforeValidator(ler_fuso),
        Variavel(
            "SISPAT_TIMEZONE",
            "Fuso em que datas e horas são mostradas.",
            aceita="um nome da base IANA, como America/Sao_Paulo ou America/Manaus",
        ),
    ] = "America/Sao_Paulo"
    city_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
        Variavel("SISPAT_CITY_NAME", "Nome no alto das telas.", aceita="de 1 a 120 letras"),
    ] = "Prefeitura Municipal"
    cep_url: Annotated[
        str | None,
        BeforeValidator(ler_url_ou_nao("http", "https")),
        Variavel(
            "SISPAT_CEP_URL",
            "Serviço ViaCEP que preenche endereços pelo CEP; sem resposta dele, o endereço é digitado à mão.",
            aceita="http:// ou https://, ou não para desligar a consulta",
        ),
    ] = "https://viacep.com.br"
    pg_account: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$"),
        Variavel(
            "SISPAT_PG_ACCOUNT",
            "Conta do sistema que roda o PostgreSQL embutido quando o SISPAT é iniciado como root.",
            aceita="o nome de uma conta do sistema que não seja root",
            padrao="uma conta sem privilégios",
        ),
    ] = None
    pg_timeout: Annotated[
        Segundos,
        Field(ge=2, le=600),
        Variavel(
            "SISPAT_PG_TIMEOUT",
            "O PostgreSQL embutido que não responde no seu socket por este tempo é morto e substituído; o que foi "
            "confirmado fica. Não conta o tempo em que a máquina dormiu.",
            unidade=DURACAO,
        ),
    ] = 15.0
    backup: Annotated[
        Sim,
        Variavel(
            "SISPAT_BACKUP",
            "Se `sispat serve` faz cópias de segurança sozinho, num processo à parte (o operador).",
        ),
    ] = True
    backup_archive: Annotated[
        Literal["auto", "sim", "não"],
        BeforeValidator(_auto_sim_ou_nao),
        Variavel(
            "SISPAT_BACKUP_ARCHIVE",
            "Se o operador recebe o log do banco à medida que é escrito, para que se volte a qualquer segundo; "
            "auto: sim com o PostgreSQL embutido, não com DATABASE_URL, cujo papel precisaria de REPLICATION.",
            aceita="auto, sim ou não",
        ),
    ] = "auto"
    backup_keep: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            pattern=r"^((daily|weekly|monthly|yearly)=[0-9]{1,4}\s*|verified=[1-9][0-9]{0,3}\s*)*$",
        ),
        Variavel(
            "SISPAT_BACKUP_KEEP",
            "Além de RETENTION_DAYS: a cópia mais nova de tantos dias, semanas, meses, anos; e quantas provadas ficam sempre.",
            aceita="daily=7 weekly=4 monthly=12 yearly=2 verified=2, ou parte disso",
        ),
    ] = ""
    backup_base: Annotated[
        str,
        BeforeValidator(ler_cron("auto")),
        Variavel(
            "SISPAT_BACKUP_BASE",
            "Quando o operador copia o servidor inteiro; auto: às 2h com o PostgreSQL embutido, nunca com DATABASE_URL, "
            "cujo papel precisaria de REPLICATION. Com o log recebido, a primeira base é feita logo.",
            aceita="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; auto; não para nunca",
        ),
    ] = "auto"
    backup_incremental: Annotated[
        str,
        BeforeValidator(ler_cron()),
        Variavel(
            "SISPAT_BACKUP_INCREMENTAL",
            "Quando o operador copia o que mudou no servidor desde a última base ou incremental: com uma base por semana, uma "
            "por dia. Onde uma base é feita no mesmo momento, ela basta.",
            aceita="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; não para nunca",
        ),
    ] = "não"
    backup_dump: Annotated[
        str,
        BeforeValidator(ler_cron()),
        Variavel(
            "SISPAT_BACKUP_DUMP",
            "Quando o operador faz um dump deste banco.",
            aceita="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; não para nunca",
        ),
    ] = "0 */6 * * *"
    backup_max_age: Annotated[
        Segundos,
        Field(ge=3600, le=90 * 86400),
        Variavel(
            "SISPAT_BACKUP_MAX_AGE",
            "A partir de que idade a cópia provada mais nova é velha demais, e se avisa.",
            unidade=DURACAO,
        ),
    ] = 26 * 3600.0
    backup_stores: Annotated[
        str,
        Variavel(
            "SISPAT_BACKUP_STORES",
            "Outros lugares para as cópias, separados por espaços.",
            aceita="pastas, s3://bucket/pasta?endpoint=..., gs://bucket, az://conta/contêiner",
        ),
    ] = ""
    backup_passphrase: Annotated[
        SecretStr | None,
        Field(min_length=8),
        Variavel(
            "SISPAT_BACKUP_PASSPHRASE",
            "Frase que cifra as cópias e as abre de novo. Sem ela as cópias não abrem: guarde-a também fora daqui.",
            aceita="8 letras ou mais; não junto com SISPAT_BACKUP_RECIPIENTS",
            secreta=True,
        ),
    ] = None
    backup_recipients: Annotated[
        str,
        Variavel(
            "SISPAT_BACKUP_RECIPIENTS",
            "Chaves públicas para as quais as cópias são cifradas, separadas por vírgulas.",
            aceita="age1..., ssh-ed25519 ... ou ssh-rsa ...",
        ),
    ] = ""
    backup_identity: Annotated[
        Caminho | None,
        Variavel(
            "SISPAT_BACKUP_IDENTITY",
            "Arquivo com a chave age que abre as cópias.",
            aceita="um arquivo que se possa ler",
        ),
    ] = None
    documents_dir: Annotated[
        Caminho | None,
        Variavel(
            "SISPAT_DOCUMENTS_DIR",
            "Onde ficam os documentos enviados; entram em cada cópia de segurança, e voltam com ela.",
            aceita="uma pasta",
            padrao="SISPAT_DATA_DIR/documentos",
        ),
    ] = None
    notify_urls: Annotated[
        SecretStr | None,
        BeforeValidator(ler_canais),
        Variavel(
            "SISPAT_NOTIFY_URLS",
            "Outros canais dos avisos, separados por espaços, como no apprise; `sispat backup notify --test` os prova.",
            aceita="mailtos://usuario:senha@smtp.cidade.gov.br?to=ti@cidade.gov.br, tgram://... e outros",
            secreta=True,
        ),
    ] = None
    heartbeat_url: Annotated[
        SecretStr | None,
        BeforeValidator(ler_url("http", "https")),
        Variavel(
            "SISPAT_HEARTBEAT_URL",
            "Chamado depois de cada cópia que deu certo, e com /fail depois de cada falha, como quer o Healthchecks.",
            aceita="http:// ou https://",
            secreta=True,
        ),
    ] = None
    backup_level: Annotated[
        int,
        Field(ge=1, le=19),
        Variavel("SISPAT_BACKUP_LEVEL", "Nível do zstd com que as cópias são comprimidas: 1 é rápido, 19 é pequeno."),
    ] = 1
    backup_threads: Annotated[
        int | None,
        Field(ge=0, le=64),
        Variavel(
            "SISPAT_BACKUP_THREADS",
            "Threads do zstd, repartidas entre os fluxos de um dump.",
            padrao="um por núcleo, até 4",
        ),
    ] = None
    backup_jobs: Annotated[
        int | None,
        Field(ge=1, le=16),
        Variavel(
            "SISPAT_BACKUP_JOBS",
            "Quantos fluxos de um dump, ou da sua restauração, correm ao mesmo tempo.",
            padrao="um por núcleo, até 4",
        ),
    ] = None
    backup_spool_limit: Annotated[
        Bytes,
        Field(ge=64 * 1024**2, le=10_000_000 * 1024**2),
        Variavel(
            "SISPAT_BACKUP_SPOOL_LIMIT",
            "Quanto log pode esperar aqui por um lugar que não responde; de um quarto disso em diante já se avisa.",
            unidade=TAMANHO,
        ),
    ] = 16 * 1024**3
    backup_spool_full: Annotated[
        Literal["parar", "liberar"],
        Variavel(
            "SISPAT_BACKUP_SPOOL_FULL",
            "O que se faz então, com aviso: parar de receber, e o servidor guarda o log enquanto tiver espaço; ou liberar o "
            "que ao menos um lugar tem, de onde é levado aos outros quando respondem.",
            aceita="parar ou liberar",
        ),
    ] = "parar"
    lang: Annotated[
        Language,
        BeforeValidator(ler_idioma),
        Variavel(
            "SISPAT_LANG",
            "Idioma de quem não pede outro: nas telas e na API valem antes a escolha da pessoa, no rodapé, e o que o "
            "navegador pede; nos comandos, sem esta variável, vale o idioma do terminal (LC_ALL, LC_MESSAGES, LANG).",
            aceita="pt-BR ou en",
        ),
    ] = SOURCE
    operations_token: Annotated[
        SecretStr | None,
        Field(min_length=16),
        Variavel(
            "SISPAT_OPERATIONS_TOKEN",
            "Abre /metrics e /operacao também quando o banco, que conhece as sessões, está fora; nada mais. "
            "O Prometheus o envia como Authorization: Bearer.",
            aceita="16 letras ou mais",
            padrao="só a sessão ou a chave de um administrador",
            secreta=True,
        ),
    ] = None
    public_url: Annotated[
        str | None,
        BeforeValidator(ler_url("http", "https")),
        Variavel(
            "SISPAT_PUBLIC_URL",
            "Endereço com que as pessoas chegam ao serviço; `sispat doctor` confere o certificado dele.",
            aceita="https://patrimonio.cidade.gov.br, ou http://",
        ),
    ] = None
    ups: Annotated[
        bool | None,
        BeforeValidator(ler_bool),
        Variavel(
            "SISPAT_UPS",
            "Se um nobreak sustenta a máquina, o switch e o enlace: a resposta de uma pessoa, para `sispat doctor`.",
            aceita="sim ou não (também true/false, 1/0)",
            padrao="ninguém respondeu",
        ),
    ] = None
    debug: Annotated[Sim, Variavel("SISPAT_DEBUG", "Mostra o erro técnico completo nos comandos.")] = False

    # Not from the environment

    origens: Annotated[dict[str, Origem], Field(exclude=True, repr=False)] = Field(default_factory=dict)
    avisos: Annotated[tuple[str, ...], Field(exclude=True, repr=False)] = ()

    @model_validator(mode="after")
    def _ociosa_cabe_na_maxima(self) -> Self:
        if self.session_idle > self.session_max:
            raise ValueError("SISPAT_SESSION_IDLE")
        if self.oidc_issuer and not _kept_secret(self.oidc_issuer):
            raise ValueError("SISPAT_OIDC_ISSUER")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys of SISPAT_SECRET, the one in force first."""
        return tuple(self.secret.get_secret_value().split(",")) if self.secret else ()

    def origem(self, campo: str) -> Origem:
        """Where the value of a field came from."""
        return self.origens.get(campo, Origem.PADRAO)
