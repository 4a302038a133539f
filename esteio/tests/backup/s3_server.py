"""S3 spoken by moto on loopback, which can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from esteio.backup.store import Store, open_store
from esteio.testing import FlakyProxy

__all__ = ["Misbehaving", "at", "endpoint", "serving"]


class Misbehaving:
    """moto's application, with a hook before it that may answer or change the request."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self.before: Callable[[dict[str, Any]], tuple[str, str] | None] | None = None
        self.port = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        answer = self.before(environ) if self.before else None
        if answer is None:
            return self._app(environ, start)
        status, code = answer
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]


class Silent(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Misbehaving]:
    """The server, on a port of its own."""
    app = Misbehaving()
    made = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    app.port = made.port
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield app
    made.shutdown()
    made.server_close()


def at(proxy: FlakyProxy, bucket: str = "bucket/folder", timeout: float = 30.0) -> Store:
    """A store behind `proxy`."""
    return open_store(f"s3://{bucket}?region=us-east-1&endpoint={endpoint(proxy.address[1])}", timeout=timeout)


def endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"
