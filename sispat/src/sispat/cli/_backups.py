"""The backups that the settings describe.

Promises: the embedded server is backed up as its superuser, so that roles and their passwords are in the copy. Nothing is
read or written before the backups are asked for something, but our own directory, which is made where it is missing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sispat.http.backup_state import operator_state_file
from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.postgres import Dsn

__all__ = ["backup_variables", "open_backups"]

_PREFIX = "sispat_backup"
_DIRECTORY = "backup"


def open_backups(settings: Settings, dsn: Dsn) -> Backups:
    """The copies that `settings` describe, of the database `dsn` as its owner has it."""
    from esteio.backup import Backups
    from esteio.backup.archive import Limit
    from esteio.backup.store import Stores, open_store, stores_from_settings
    from esteio.cli.environment import decryption, jobs, packing, retention

    if settings.backup_dir is None:  # ours to make; one that somebody named may be a disk that is not there
        (settings.data_dir / _DIRECTORY).mkdir(parents=True, exist_ok=True)
    variables = backup_variables(settings)
    return Backups(
        # The embedded server has no passwords: who runs the service may be its superuser, and reads everything as that.
        dsn if settings.database_url is not None else dsn.with_(user="postgres"),
        Stores(stores_from_settings(variables)),
        replication=settings.backup_database_url if settings.database_url is not None else None,
        prefix=_PREFIX,
        packing=packing(variables),
        jobs=jobs(variables),
        key=decryption(variables),
        retention=retention(variables),
        max_age=timedelta(seconds=settings.backup_max_age),
        spool_limit=Limit(settings.backup_spool_limit, release=settings.backup_spool_full == "liberar"),
        documents=open_store(settings.documents_store) if settings.documents_store else settings.documents,
        agent_file=operator_state_file(settings),
        # Only our own directory makes itself; a place that somebody named may be a disk that is not mounted.
        self_init=settings.backup_dir is None and not settings.aws_s3_bucket and not settings.backup_stores,
    )


def backup_variables(settings: Settings) -> dict[str, str]:
    """What the settings say of the stores and of encryption, by Esteio's names."""
    passphrase = settings.backup_passphrase
    return {
        "BACKUP_DIR": str(settings.backup_dir or settings.data_dir / _DIRECTORY),
        "RETENTION_DAYS": str(settings.retention_days),
        "BACKUP_KEEP": settings.backup_keep,
        "AWS_S3_BUCKET": settings.aws_s3_bucket or "",
        "BACKUP_STORES": settings.backup_stores,
        "BACKUP_PASSPHRASE": passphrase.get_secret_value() if passphrase else "",
        "BACKUP_RECIPIENTS": settings.backup_recipients,
        "BACKUP_IDENTITY": str(settings.backup_identity or ""),
        "BACKUP_LEVEL": str(settings.backup_level),
        "BACKUP_THREADS": "" if settings.backup_threads is None else str(settings.backup_threads),
        "BACKUP_JOBS": str(settings.backup_jobs or ""),
    }
