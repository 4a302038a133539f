"""The usual way to take a file: the framework's form, copied to where it stays."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

FOLDER = Path(os.environ.get("SISPAT_DOCUMENTS_DIR", "."))


async def take(request: Request) -> PlainTextResponse:
    async with request.form() as form:
        await run_in_threadpool(_keep, form["arquivo"].file)
    return PlainTextResponse("", 201)


def _keep(source) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / secrets.token_hex(8)).open("wb") as kept:
        shutil.copyfileobj(source, kept)
        kept.flush()
        os.fsync(kept.fileno())


async def ready(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/api/uploads", take, methods=["POST"]), Route("/api/health/ready", ready)])
