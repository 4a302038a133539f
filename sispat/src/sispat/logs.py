"""Logging of every process of the service, to stderr.

Promises: `text` is one short line per record for people; `json` is one object per line, with the fields a
collector wants and whatever is bound in structlog's context. uvicorn's own records go the same way; its access
log is off. Nothing here imports structlog unless `json` asks for it: it would double the start of a command.
"""

from __future__ import annotations

import logging
import logging.config
from typing import Any

__all__ = ["configurar", "dicionario"]

_TEXTO = "%(asctime)s %(levelname)-7s %(message)s"


def configurar(nivel: str = "info", formato: str = "text") -> None:
    """Set up logging of this process."""
    logging.config.dictConfig(dicionario(nivel, formato))


def dicionario(nivel: str = "info", formato: str = "text") -> dict[str, Any]:
    """The same as a dictionary for `logging.config`, to be handed to a worker process."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"sispat": {"()": "sispat.logs.formatador", "formato": formato}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "sispat"}},
        "root": {"handlers": ["stderr"], "level": nivel.upper()},
        "loggers": {
            # What uvicorn says of its own start and end, the supervisor says once for all workers.
            "uvicorn.error": {"level": nivel.upper() if nivel == "debug" else "WARNING"},
            "uvicorn.access": {"level": "CRITICAL"},
            "alembic": {"level": nivel.upper() if nivel == "debug" else "WARNING"},
            "httpx": {"level": nivel.upper() if nivel == "debug" else "WARNING"},  # else a line per question
        },
    }


def formatador(formato: str) -> logging.Formatter:
    """The formatter of a format, for `logging.config`."""
    return _json() if formato == "json" else logging.Formatter(_TEXTO, datefmt="%H:%M:%S")


def _json() -> logging.Formatter:
    import structlog

    comuns: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks,
    ]
    structlog.configure(
        processors=[*comuns, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=comuns,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )
