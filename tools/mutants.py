"""Mutation testing of the files that decide: change one thing, and some test must fail.

    python -m tools.mutants [name ...]    # names of TARGETS; all without one
    PROCESSES=1 python -m tools.mutants  # so many at the same time; one for each core without it

A mutant that no test notices is a rule that no test holds, or a change that changes nothing. The latter stand in
`tools/mutants.toml` with the reason; every other survivor makes this command exit with 1.

Nothing in the work tree is touched: the changed functions replace the imported ones.
"""

from __future__ import annotations

import os
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tools.mutation import mutants
from tools.mutation_run import survivors

TOP = Path(__file__).parents[1]
SOURCES = TOP / "esteio/src"
EQUIVALENT = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Target:
    """Files to mutate, and the tests that have to notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


ALGORITHM_TESTS = ("answers", "charge", "models", "refund", "clocks")

TARGETS = {
    "breaker": Target(
        ("esteio/policy/breaker/_machine.py", "esteio/policy/breaker/_failure_window.py"),
        ("policy/test_policy_machine.py", "policy/test_policy_breaker.py", "policy/test_policy_breaker_model.py"),
    ),
    "budget": Target(("esteio/policy/_budget.py",), ("policy/test_policy_budget.py", "policy/test_policy_retry.py")),
    "retry": Target(("esteio/policy/_retry_run.py",), ("policy/test_policy_retry.py",)),
    "window": Target(
        ("esteio/limit/_algorithms/_window.py",),
        tuple(f"limit/test_limit_{each}.py" for each in (*ALGORITHM_TESTS, "window")),
    ),
    **{
        name: Target(
            (f"esteio/limit/_algorithms/_{name}.py",), tuple(f"limit/test_limit_{each}.py" for each in ALGORITHM_TESTS)
        )
        for name in ("fixed", "counter", "gcra")
    },
    "workers": Target(("esteio/serve/_worker_manager.py",), ("serve/test_serve_worker_manager.py",)),
    "commit": Target(("esteio/postgres/_outcome.py",), ("postgres/test_outcome.py",)),
    "retention": Target(("esteio/backup/_retention.py",), ("backup/test_retention.py",)),
    "alerts": Target(("esteio/alert/rules/_evaluate.py",), ("alert/test_alert_rules.py",)),
    "objectives": Target(
        ("esteio/alert/objectives/_burn.py", "esteio/alert/objectives/_ledger.py"), ("alert/test_objectives.py",)
    ),
    "watch": Target(
        tuple(f"esteio/watch/_{each}.py" for each in ("confirm", "quorum", "gaps", "maintenance", "heartbeat")),
        ("watch/test_watch_decisions.py", "watch/test_watch_heartbeat.py"),
    ),
    "recovery": Target(("esteio/backup/restore/_plan.py",), ("backup/test_physical_log.py",)),
}


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # pytest has sys.stdout


def tried(name: str, listed: dict[str, str], processes: int) -> int:
    """Try the mutants of a target that are not `listed`; how many survive or are listed in vain."""
    began = time.monotonic()
    target = TARGETS[name]
    every = [mutant for file in target.files for mutant in mutants(file, SOURCES / file)]
    stale = sorted(set(listed) - {mutant.key for mutant in every})
    for key in stale:
        say(f"{EQUIVALENT.name}: [{name}] lists what is no mutant any more: {key}")
    candidates = [mutant for mutant in every if mutant.key not in listed]
    modules = {file: file.removesuffix(".py").replace("/", ".") for file in target.files}
    alive = survivors(candidates, modules, [TOP / "esteio/tests" / test for test in target.tests], processes, say)
    killed = len(candidates) - len(alive)
    say(
        f"{name}: {len(every)} mutants, {killed} killed, {len(every) - len(candidates)} equivalent, {len(alive)} alive; "
        f"{time.monotonic() - began:.0f} s"
    )
    return len(alive) + len(stale)


def main(names: list[str]) -> int:
    """Try all mutants of the targets `names`; 1 when one survives that is not listed."""
    began = time.monotonic()
    known: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    processes = int(os.environ.get("PROCESSES") or os.cpu_count() or 1)
    bad = sum(tried(name, known.get(name, {}), processes) for name in names or list(TARGETS))
    say(
        f"{'FAILED: ' + str(bad) + ' to kill or to list' if bad else 'no mutant survives'}; {time.monotonic() - began:.0f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
