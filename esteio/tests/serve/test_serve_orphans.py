"""Process 1 reaps what dead processes leave behind, and takes no child from whoever started it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import esteio
from esteio.serve._orphans import Orphans

# As process 1 of a namespace: an orphan ends, and a child of its own.
SCRIPT = """
import os, subprocess, time
from pathlib import Path
from esteio.serve._orphans import Orphans

def ended():
    stats = [each.read_text().rpartition(")")[2].split() for each in Path("/proc").glob("[0-9]*/stat")]
    return sum(each[0] == "Z" for each in stats)

assert os.getpid() == 1
orphans = Orphans()
subprocess.run(["sh", "-c", "sleep 0.1 &"], check=True)
own = subprocess.Popen(["sh", "-c", "exit 7"])
while ended() < 2:
    time.sleep(0.01)
orphans.reap(0.0)
assert ended() == 2, "one look is not enough: whoever started it may be about to ask"
assert own.poll() == 7, "who started a process hears how it ended"
orphans.reap(1.0)
assert ended() == 1, "looked again too early"
orphans.reap(10.0)
assert ended() == 0
print("reaped")
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a process 1 of our own needs root on Linux, and unshare",
)
def test_process_1_reaps_an_orphan_at_the_second_look_and_leaves_its_own_child_to_who_started_it():
    sources = str(Path(esteio.__file__).parents[1])
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", SCRIPT],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": sources},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "reaped\n"), done.stderr


def test_any_other_process_leaves_its_children_alone():
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    orphans = Orphans()
    orphans.reap(0.0)
    orphans.reap(10.0)
    assert child.wait() == 7
