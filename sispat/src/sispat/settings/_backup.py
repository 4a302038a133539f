"""Backups: when, where to, how they are kept and encrypted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints

from esteio.postgres import Dsn
from sispat.settings._readers import DURATION, SIZE, read_cron, read_dsn
from sispat.settings._types import Bytes, Group, Seconds, UserPath, YesNo, auto_yes_or_no
from sispat.settings._variable import Variable

__all__ = ["BackupSettings"]


class BackupSettings(Group):
    """Backups: when, where to, how they are kept and encrypted."""

    backup: Annotated[
        YesNo,
        Variable(
            "SISPAT_BACKUP",
            "Se `sispat serve` faz cópias de segurança sozinho, num processo à parte (o operador).",
        ),
    ] = True
    backup_dir: Annotated[
        UserPath | None,
        Variable(
            "BACKUP_DIR",
            "Onde ficam as cópias de segurança; de preferência noutro disco.",
            accepts="uma pasta cuja pasta-mãe exista",
            default="SISPAT_DATA_DIR/backup",
        ),
    ] = None
    backup_stores: Annotated[
        str,
        Variable(
            "SISPAT_BACKUP_STORES",
            "Outros lugares para as cópias, separados por espaços.",
            accepts="pastas, s3://bucket/pasta?endpoint=..., gs://bucket, az://conta/contêiner",
        ),
    ] = ""
    aws_s3_bucket: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
        Variable(
            "AWS_S3_BUCKET",
            "Bucket S3 para onde as cópias também vão; credenciais em AWS_ACCESS_KEY_ID e AWS_SECRET_ACCESS_KEY.",
            accepts="de 3 a 63 letras minúsculas, algarismos, pontos e hifens",
        ),
    ] = None
    backup_database_url: Annotated[
        Dsn | None,
        BeforeValidator(read_dsn),
        Variable(
            "BACKUP_DATABASE_URL",
            "Endereço do servidor de DATABASE_URL com um papel que tem REPLICATION: por ele o operador copia o servidor "
            "inteiro e recebe o log. Os processos que atendem não o recebem.",
            accepts="como DATABASE_URL",
            secret=True,
        ),
    ] = None
    backup_base: Annotated[
        str,
        BeforeValidator(read_cron("auto")),
        Variable(
            "SISPAT_BACKUP_BASE",
            "Quando o operador copia o servidor inteiro; auto: às 2h com o PostgreSQL embutido ou com BACKUP_DATABASE_URL, "
            "nunca só com DATABASE_URL, cujo papel precisaria de REPLICATION. Com o log recebido, a primeira base é feita "
            "logo.",
            accepts="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; auto; não para nunca",
        ),
    ] = "auto"
    backup_incremental: Annotated[
        str,
        BeforeValidator(read_cron()),
        Variable(
            "SISPAT_BACKUP_INCREMENTAL",
            "Quando o operador copia o que mudou no servidor desde a última base ou incremental: com uma base por semana, uma "
            "por dia. Onde uma base é feita no mesmo momento, ela basta.",
            accepts="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; não para nunca",
        ),
    ] = "não"
    backup_dump: Annotated[
        str,
        BeforeValidator(read_cron()),
        Variable(
            "SISPAT_BACKUP_DUMP",
            "Quando o operador faz um dump deste banco.",
            accepts="cinco campos como no crontab, no fuso SISPAT_TIMEZONE; não para nunca",
        ),
    ] = "0 */6 * * *"
    backup_archive: Annotated[
        Literal["auto", "sim", "não"],
        BeforeValidator(auto_yes_or_no),
        Variable(
            "SISPAT_BACKUP_ARCHIVE",
            "Se o operador recebe o log do banco à medida que é escrito, para que se volte a qualquer segundo; "
            "auto: sim com o PostgreSQL embutido ou com BACKUP_DATABASE_URL, não só com DATABASE_URL, cujo papel precisaria "
            "de REPLICATION.",
            accepts="auto, sim ou não",
        ),
    ] = "auto"
    retention_days: Annotated[
        int,
        Field(ge=1, le=3650),
        Variable(
            "RETENTION_DAYS",
            "Por quantos dias toda cópia é guardada; as duas últimas provadas ficam sempre (SISPAT_BACKUP_KEEP).",
            unit="dias",
        ),
    ] = 30
    backup_keep: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True,
            pattern=r"^((daily|weekly|monthly|yearly)=[0-9]{1,4}\s*|verified=[1-9][0-9]{0,3}\s*)*$",
        ),
        Variable(
            "SISPAT_BACKUP_KEEP",
            "Além de RETENTION_DAYS: a cópia mais nova de tantos dias, semanas, meses, anos; e quantas provadas ficam sempre.",
            accepts="daily=7 weekly=4 monthly=12 yearly=2 verified=2, ou parte disso",
        ),
    ] = ""
    backup_max_age: Annotated[
        Seconds,
        Field(ge=3600, le=90 * 86400),
        Variable(
            "SISPAT_BACKUP_MAX_AGE",
            "A partir de que idade a cópia provada mais nova é velha demais, e se avisa.",
            unit=DURATION,
        ),
    ] = 26 * 3600.0
    backup_passphrase: Annotated[
        SecretStr | None,
        Field(min_length=8),
        Variable(
            "SISPAT_BACKUP_PASSPHRASE",
            "Frase que cifra as cópias e as abre de novo. Sem ela as cópias não abrem: guarde-a também fora daqui.",
            accepts="8 letras ou mais; não junto com SISPAT_BACKUP_RECIPIENTS",
            secret=True,
        ),
    ] = None
    backup_recipients: Annotated[
        str,
        Variable(
            "SISPAT_BACKUP_RECIPIENTS",
            "Chaves públicas para as quais as cópias são cifradas, separadas por vírgulas.",
            accepts="age1..., ssh-ed25519 ... ou ssh-rsa ...",
        ),
    ] = ""
    backup_identity: Annotated[
        UserPath | None,
        Variable(
            "SISPAT_BACKUP_IDENTITY",
            "Arquivo com a chave age que abre as cópias.",
            accepts="um arquivo que se possa ler",
        ),
    ] = None
    backup_level: Annotated[
        int,
        Field(ge=1, le=19),
        Variable("SISPAT_BACKUP_LEVEL", "Nível do zstd com que as cópias são comprimidas: 1 é rápido, 19 é pequeno."),
    ] = 1
    backup_threads: Annotated[
        int | None,
        Field(ge=0, le=64),
        Variable(
            "SISPAT_BACKUP_THREADS",
            "Threads do zstd, repartidas entre os fluxos de um dump.",
            default="um por núcleo, até 4",
        ),
    ] = None
    backup_jobs: Annotated[
        int | None,
        Field(ge=1, le=16),
        Variable(
            "SISPAT_BACKUP_JOBS",
            "Quantos fluxos de um dump, ou da sua restauração, correm ao mesmo tempo.",
            default="um por núcleo, até 4",
        ),
    ] = None
    backup_spool_limit: Annotated[
        Bytes,
        Field(ge=64 * 1024**2, le=10_000_000 * 1024**2),
        Variable(
            "SISPAT_BACKUP_SPOOL_LIMIT",
            "Quanto log pode esperar aqui por um lugar que não responde; de um quarto disso em diante já se avisa.",
            unit=SIZE,
        ),
    ] = 16 * 1024**3
    backup_spool_full: Annotated[
        Literal["parar", "liberar"],
        Variable(
            "SISPAT_BACKUP_SPOOL_FULL",
            "O que se faz então, com aviso: parar de receber, e o servidor guarda o log enquanto tiver espaço; ou liberar o "
            "que ao menos um lugar tem, de onde é levado aos outros quando respondem.",
            accepts="parar ou liberar",
        ),
    ] = "parar"
