"""Keeps two programs until told to end; run by test_serve_program.py with the folder of their pids."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from esteio.policy import Exponential
from esteio.serve import Program, ServiceRunner

STUBBORN = "trap '' TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 0.05; done"


def main(folder: Path) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    services = [
        Program(
            "good", ["sh", "-c", f"echo $$ > {folder}/g; mv {folder}/g {folder}/good; echo it begins; exec sleep 60"]
        ),
        Program("bad", ["sh", "-c", "echo no luck >&2; exit 3"]),
        Program("stubborn", ["sh", "-c", STUBBORN.format(folder / "stubborn")]),
    ]
    return ServiceRunner(services, stop_timeout=0.5, backoff=Exponential(initial=0.2)).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
