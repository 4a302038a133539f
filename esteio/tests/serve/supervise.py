"""Runs a supervisor for the fault tests and prints its events as JSON lines."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from esteio import events
from esteio.policy import Exponential
from esteio.serve import (
    ApplicationUnusable,
    CertificateFiles,
    ConnectionLimits,
    ServerOptions,
    Supervisor,
    Timeouts,
    bind,
)

SWITCHES = Path(os.environ["SERVED_DIR"])


class Sleeper:
    """A service that is one process."""

    def __init__(self, name):
        self.name = name
        self._process = None

    def start(self):
        if (SWITCHES / f"{self.name}-broken").exists():
            raise RuntimeError("the switch says so")
        self._process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        say({"event": "pid", "name": self.name, "pid": self._process.pid})

    def is_alive(self):
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout):
        with (SWITCHES / "order").open("a") as order:
            order.write(f"{self.name}\n")
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout or 5)


def say(record):
    sys.stdout.write(json.dumps({"at": time.monotonic(), **record}, default=repr) + "\n")
    sys.stdout.flush()


def defect(now):
    raise RuntimeError("a defect")


def defective_once(tick):
    """`tick` that raises the first time."""
    rest = [tick, defect]
    return lambda now: (rest.pop() if len(rest) > 1 else rest[0])(now)


def main():
    arguments = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    events.subscribe(lambda event: say({"event": type(event).__name__, **dataclasses.asdict(event)}))
    sock = bind("127.0.0.1", arguments.get("port", 0))
    say({"event": "bound", "port": sock.getsockname()[1]})

    def on_ready():
        say({"event": "on_ready"})
        if arguments.get("defect"):
            tick = supervisor._manager.tick
            supervisor._manager.tick = defective_once(tick) if arguments["defect"] == "once" else defect
            raise ValueError("of the callback")

    supervisor = Supervisor(
        arguments.get("app", "served_app:app"),
        sockets=[sock],
        workers=arguments.get("workers", 2),
        services=[Sleeper(name) for name in arguments.get("services", [])],
        on_ready=on_ready,
        options=ServerOptions(
            limits=ConnectionLimits(**arguments.get("limits", {})),
            tls=CertificateFiles(*map(Path, arguments["tls"])) if "tls" in arguments else None,
            **arguments.get("options", {}),
        ),
        timeouts=Timeouts(**arguments.get("timeouts", {})),
        backoff=Exponential(**{"initial": 0.5, **arguments.get("backoff", {})}),
        memory_limit=arguments.get("memory_limit"),
    )
    try:
        return supervisor.run()
    except ApplicationUnusable as error:
        say({"event": "unusable", "problem": error.problem})
        return 1


if __name__ == "__main__":
    sys.exit(main())
