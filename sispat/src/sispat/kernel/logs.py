"""Logging of every process of the service, to stderr.

Promises: `text` is one short line per record for people; `json` is one object per line, with the fields a
collector wants, the `request_id` and `trace_id` of the request, and whatever is bound in structlog's context. uvicorn's own
records go the same way; its access log is off. Nothing here imports structlog unless `json` asks for it: it would double
the start of a command.
"""

from __future__ import annotations

import logging
import logging.config
from typing import Any

__all__ = ["configure", "dict_config"]

_TEXT = "%(asctime)s %(levelname)-7s %(message)s"


def configure(level: str = "info", format_: str = "text") -> None:
    """Set up logging of this process."""
    logging.config.dictConfig(dict_config(level, format_))


def dict_config(level: str = "info", format_: str = "text") -> dict[str, Any]:
    """The same as a dictionary for `logging.config`, to be handed to a worker process."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"sispat": {"()": "sispat.kernel.logs.formatter", "format_": format_}},
        "filters": {"ids": {"()": "esteio.correlation.AddIds"}},  # of the request, for `json`
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "sispat",
                "filters": ["ids"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            # What uvicorn says of its own start and end, the supervisor says once for all workers.
            "uvicorn.error": {"level": level.upper() if level == "debug" else "WARNING"},
            "uvicorn.access": {"level": "CRITICAL"},
            "alembic": {"level": level.upper() if level == "debug" else "WARNING"},
            "httpx2": {"level": level.upper() if level == "debug" else "WARNING"},  # else a line per question
        },
    }


def formatter(format_: str) -> logging.Formatter:
    """The formatter of a format, for `logging.config`."""
    return _json() if format_ == "json" else logging.Formatter(_TEXT, datefmt="%H:%M:%S")


def _json() -> logging.Formatter:
    import structlog

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )
