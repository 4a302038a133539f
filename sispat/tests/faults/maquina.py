"""A machine of its own for a test: a real systemd as process 1, on a copy of this system that vanishes with it.

Root on Linux alone. What it writes goes into memory; its processes, mounts and network are in namespaces, and end with the
process that made them, also by kill -9. `reason` says why there is none here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

_SYSTEMD = Path("/lib/systemd/systemd")
_CGROUPS = Path("/sys/fs/cgroup/systemd")
_PATIENCE = 450
"""Seconds for a command, on a machine that does much else."""
# Of the system below: no units but ours. What systemd itself wants before all services is empty.
_BOOT = r"""
set -e
echo $$ > "$2/cgroup.procs"
exec unshare -mpuinC --fork --kill-child --propagation private bash -c '
set -e
work=$1 cgroup=$2  # $3 is seen in it, too
mount -t tmpfs -o size=2g machine "$work"
mkdir "$work/upper" "$work/overlay" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/overlay" "$work/root"
root=$work/root units=$work/root/etc/systemd/system
rm -rf "$units"; mkdir "$units"
for each in sysinit.target basic.target network-online.target shutdown.target; do
    printf "[Unit]\nDefaultDependencies=no\n" > "$units/$each"
done
printf "[Unit]\nDefaultDependencies=no\nWants=multi-user.target\n" > "$units/test.target"
mount -t proc proc "$root/proc"
for each in run dev; do mount -t tmpfs tmpfs "$root/$each"; done
mkdir -p "$root/dev/shm"; mount -t tmpfs tmpfs "$root/dev/shm"; chmod 1777 "$root/dev/shm"
for each in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    IFS=: read -r name major minor <<< "$each"; mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"; mkdir "$root/sys/fs/cgroup/systemd"
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
mkdir -p "$root$3"; mount --bind "$3" "$root$3"
ip link set lo up
cd "$root"; mkdir old; pivot_root . old; umount -l /old
export container=test
exec /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no < /dev/null
' boot "$1" "$2" "$3"
"""


def reason() -> str:
    """Why no machine can be had here; '' where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a machine of its own needs root on Linux"
    if not _SYSTEMD.exists() or shutil.which("unshare") is None or not _CGROUPS.is_dir():
        return "a machine of its own needs systemd (apt-get install systemd) and its cgroups"
    if not any("overlay" in line for line in Path("/proc/filesystems").read_text().splitlines()):
        return "a machine of its own needs overlayfs"
    return ""


class Machine:
    """`with Machine(shared) as machine:` - systemd has come up when the block begins, and the directory `shared` is there."""

    def __init__(self, shared: Path) -> None:
        self._shared = shared

    def __enter__(self) -> Self:
        self._work = tempfile.mkdtemp(prefix="sispat-machine-")
        self._cgroup = _CGROUPS / Path(self._work).name
        self._cgroup.mkdir()
        self._log = Path(self._work + ".log").open("w+")
        self._process = subprocess.Popen(
            ["bash", "-c", _BOOT, "boot", self._work, str(self._cgroup), str(self._shared)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        try:
            self.until(lambda: self("systemctl", "is-system-running", check=False).stdout.strip() == "running", 180)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # and with it the first process of the namespace, and all others
        self._process.wait(20)
        self._log.close()
        Path(self._work + ".log").unlink()
        shutil.rmtree(self._work, ignore_errors=True)
        end = time.monotonic() + 10
        while self._cgroup.exists() and time.monotonic() < end:
            for directory, _, _ in os.walk(self._cgroup, topdown=False):
                with contextlib.suppress(OSError):  # the last process in it is about to end
                    os.rmdir(directory)
            time.sleep(0.05)

    def __call__(
        self, *words: str, given: str = "", check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there, as root; with `check`, AssertionError and what it said where it fails."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid()), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", *words],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SISPAT_LANG": "pt-BR", **variables},
            input=given, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done

    def until(self, holds: Callable[[], object], seconds: float) -> None:
        """Ask until it is so."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(LookupError):
                if holds():
                    return
            assert time.monotonic() < end, f"nothing within {seconds} s\n{Path(self._log.name).read_text()[-2000:]}"
            assert self._process.poll() is None, Path(self._log.name).read_text()[-2000:]
            time.sleep(0.2)

    def pid(self) -> int:
        """Of its process 1, by our number."""
        for parent in (self._process.pid,):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
                return int(children[0])
        raise LookupError("it has not come up")
