"""A mount namespace in which the service has an /etc of its own: who resolves names, and what time it is.

Promises: only as root on Linux; elsewhere `reason` says why not. Nothing of the machine's own /etc is changed: what is written
lies on a file system of memory that ends with the last process that sees it.

The clock (`clock.c`) is preloaded by /etc/ld.so.preload into every process of the namespace, the database's too, whatever
environment it is given.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sispat.drill.clock import RIGHT, compile_clock, leap
from sispat.kernel.i18n import _

__all__ = ["NAMESERVER", "OwnEtc"]

NAMESERVER = "127.9.9.9"
"""Where the service asks for names: an address of loopback that nobody else uses."""
_SETUP = """set -e
own=$1 clock=$2 library=$3 nameserver=$4; shift 4
mount -t tmpfs sispat-drill "$own"
mkdir "$own/upper" "$own/work"
mount -t overlay sispat-drill -o "lowerdir=/etc,upperdir=$own/upper,workdir=$own/work" /etc
rm -f /etc/resolv.conf
printf 'nameserver %s\\noptions timeout:2 attempts:2\\n' "$nameserver" > /etc/resolv.conf
echo 'hosts: files dns' > /etc/nsswitch.conf
ln -s "$clock" /etc/drill-clock
if [ -e "$library" ]; then echo "$library" > /etc/ld.so.preload; fi
exec "$@"
"""


class OwnEtc:
    """`with OwnEtc() as etc:` - `command` runs in it; `leap` moves its clock."""

    def __enter__(self) -> Self:
        self._place = Path(tempfile.mkdtemp(prefix="etc-"))
        self._place.chmod(0o711)  # every process of the service has to pass, of whatever account
        self._own, self._clock, self._library = (self._place / name for name in ("etc", "relogio", "clock.so"))
        self.reason = self._cannot()
        """Why there is none here; None where it works."""
        self.no_clock = self.reason or compile_clock(self._library)
        """Why the clock cannot leap; None where it can."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def command(self, words: Sequence[str]) -> list[str]:
        """`words`, run in the namespace; the process is the same one."""
        setup = ["/bin/sh", "-c", _SETUP, "sh", str(self._own), str(self._clock), str(self._library), NAMESERVER]
        return ["unshare", "--mount", "--propagation", "private", *setup, *words]

    def leap(self, seconds: int) -> None:
        """Set the clock off by so much; 0: right again."""
        leap(self._clock, seconds)

    def _cannot(self) -> str | None:
        if os.geteuid() or shutil.which("unshare") is None:
            return _("só quem é root dá ao serviço um /etc só dele (unshare)")
        self._own.mkdir()
        self._clock.write_bytes(RIGHT)
        tried = subprocess.run(self.command(["true"]), check=False, capture_output=True)  # noqa: S603 - our own words
        if tried.returncode:
            return _("nenhum /etc próprio aqui: %(error)s", error=tried.stderr.decode(errors="replace").strip())
        return None
