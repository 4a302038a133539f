"""What the workers of one host measure, in memory they share: each writes its own slot, anybody reads all of them.

Promises: numbers that only grow never go back, however workers end: what a dead worker counted stays in its slot until
another one needs it, is then folded into a base, and the slot is cleared - in an order in which a kill -9 at any point
neither loses nor doubles anything. Reading waits for nobody. Where memory cannot be shared - another system, no file, no
slot left - a process measures for itself, and says so.
"""

from __future__ import annotations

import logging
import mmap
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes, token_hex
from struct import Struct

from esteio.errors import EsteioError
from esteio.health._board import Board, CircuitOrder
from esteio.health._reading import Reading, WorkerReading
from esteio.health._region import FOLDED_WORDS, REGION_BYTES, Field, Key, Region, Tally
from esteio.health._samples import fold_pages, merge_pages
from esteio.limit.host._locks import SUPPORTED, SetLocks
from esteio.policy._forks import renew_after_fork

__all__ = ["MEASUREMENTS", "Measurements", "MeasurementsError"]

MEASUREMENTS = "ESTEIO_MEASUREMENTS"
"""The environment's name for the file; from whoever starts the workers to them."""

_FORM = Struct("<8sQd")
_MAGIC = b"ESTEIOM1"
_HEADER_BYTES = 4096
_GENERATION = 8  # the word that says how many folds there were; the newest base is the one of its last bit
_BASES = 2
_TRIES = 20
_FOLD_PATIENCE = 2.0  # seconds; a fold takes some milliseconds, and its holder may have been stopped
_logger = logging.getLogger("esteio.health")


class MeasurementsError(EsteioError):
    """The file at `path` can't be used: `problem`."""

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"measurements in {path}: {problem}; {remedy}")


class Measurements:
    """The file at `path` that `create` made; without a path this process measures for itself.

    A slot is taken with the first measurement, so that a process that only reads takes none.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else None
        self._descriptor: int | None = None
        self._memory, self._slots = self._opened() if self.path else (mmap.mmap(-1, _size(1)), 1)
        self._view = memoryview(self._memory)
        self._words = self._view[:_HEADER_BYTES].cast("Q")
        self._floats = self._view[:_HEADER_BYTES].cast("d")
        self.board = Board(self._words, self._floats)
        """What is said to all processes, and how processes ended."""
        self._regions = [Region(self._view[at : at + REGION_BYTES]) for at in _places(self._slots)]
        self._locks: SetLocks | None = SetLocks(self._descriptor, 0.0) if self._descriptor is not None else None
        self.began = float(_FORM.unpack_from(self._view)[2]) or time.time()
        """When the file was made: the life of the service, in Unix seconds."""
        self._own: int | None = None
        self._alone: Measurements | None = None
        self._made_by: int | None = None
        if self.path is None:
            self._own = 0
            self.board.begin(token_bytes(16))
            self._begin(self._regions[_BASES])
        renew_after_fork(self)

    @classmethod
    def create(cls, path: str | Path, *, workers: int = 2) -> Measurements:
        """Make the file anew, with room for `workers` and those that replace them; closing this object removes it.

        About 1 MB for each of 2 x `workers` + 4, reserved at once. Raises `MeasurementsError`.
        """
        path = Path(path)
        slots = min(2 * workers + 2, FOLDED_WORDS)
        _make(path, slots)
        made = cls(path)
        made.board.begin(token_bytes(16))
        made._made_by = os.getpid()
        return made

    @classmethod
    def of_environment(cls) -> Measurements:
        """Those of the file that the environment names; of this process alone where there is none, or it can't be used."""
        path = os.environ.get(MEASUREMENTS)
        try:
            return cls(path)
        except MeasurementsError as error:
            _logger.warning("this process measures for itself: %s", error)
            return cls()

    @property
    def shared(self) -> bool:
        """Whether what others measure is read too."""
        return self.path is not None

    @property
    def slot(self) -> Region:
        """Where this process measures; taken with the first call."""
        if self._own is None and self._alone is None:
            self._take()
        if self._alone is not None:
            return self._alone.slot
        assert self._own is not None
        return self._regions[_BASES + self._own]

    def close(self) -> None:
        """Let go of the memory; in the process that made the file, remove it. A second call does nothing."""
        if self._memory.closed:
            return
        for region in self._regions:
            region.release()
        self._words.release()
        self._floats.release()
        self._view.release()
        self._memory.close()
        if self._descriptor is not None:
            os.close(self._descriptor)  # gives the slot back
        if self._made_by == os.getpid() and self.path is not None:
            self.path.unlink(missing_ok=True)

    def hold(self) -> bool:
        """Mark the file as in use until this object is closed, or its process ends; False while another one holds it."""
        import fcntl  # not on every system; a file to hold is

        assert self._descriptor is not None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def order(self, circuit: str, order: CircuitOrder) -> None:
        """Let all processes carry out `order` for the circuit `pipeline/policy`; raises `BoardFull`, `MeasurementsError`."""
        if self._descriptor is None:
            self.board.put(circuit, order)
            return
        lock = SetLocks(self._descriptor, _FOLD_PATIENCE)
        if not lock.acquire((0,)):
            raise MeasurementsError(str(self.path), "another process holds its lock", "try again in a moment")
        try:
            self.board.put(circuit, order)
        finally:
            lock.release((0,))

    def __enter__(self) -> Measurements:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def renew(self) -> None:
        """In a forked child: the slot is the parent's."""
        if self._memory.closed or self._descriptor is None:
            return
        self._own, inherited = None, self._descriptor
        try:
            self._descriptor = os.open(f"/proc/self/fd/{inherited}", os.O_RDWR | os.O_CLOEXEC)
            os.close(inherited)  # else the parent's slot would stay taken for as long as we live
        except OSError:  # without /proc: better measured apart than in the parent's slot
            self._alone = Measurements()
        self._locks = SetLocks(self._descriptor, 0.0)

    # Reading

    def ended(self) -> tuple[int, int]:
        """How many processes that measured here were killed, and how many ended in order, since the file was made."""
        killed, ended = self.board.ended
        for number, region in enumerate(self._regions[_BASES:]):
            if region.words[Field.PID] and not self._alive(number):  # nobody has taken its place yet
                killed, ended = (killed, ended + 1) if region.words[Field.ENDED] else (killed + 1, ended)
        return killed, ended

    def workers(self) -> tuple[WorkerReading, ...]:
        """The processes that live; cheaper than all of `read`."""
        regions = enumerate(self._regions[_BASES:])
        return tuple(WorkerReading.of(number, region) for number, region in regions if self._alive(number))

    def read(self) -> Reading:
        """Everything, of all workers, living and dead."""
        found = self._read()
        for _ in range(_TRIES):
            if found is not None:
                break
            found = self._read()
        return found or Reading({}, (), ())

    def _read(self) -> Reading | None:
        """None when a slot was folded meanwhile: it may have been read twice, or not at all."""
        generation = int(self._words[_GENERATION])
        base = self._regions[generation % _BASES]
        tallies, pages = base.tallies(), [(False, base.page())]
        workers: list[WorkerReading] = []
        for number, region in self._unfolded(base):
            for key, tally in region.tallies().items():
                tallies[key] = tallies[key].plus(tally) if key in tallies else tally
            alive = self._alive(number)
            pages.append((alive, region.page()))
            if alive:
                workers.append(WorkerReading.of(number, region))
        if int(self._words[_GENERATION]) != generation:
            return None
        series = {key: tally.latency() for key, tally in tallies.items()}
        return Reading(series, tuple(workers), merge_pages(pages))

    def _unfolded(self, base: Region) -> Iterator[tuple[int, Region]]:
        for number, region in enumerate(self._regions[_BASES:]):
            if int(region.words[Field.INCARNATION]) != int(base.words[Field.FOLDED + number]):
                yield number, region

    def _alive(self, number: int) -> bool:
        return number == self._own or (self._locks is not None and self._locks.held(1 + number))

    # Slots

    def _take(self) -> None:
        assert self._locks is not None
        for number in range(self._slots):
            if self._locks.acquire((1 + number,)):
                region = self._regions[_BASES + number]
                if self._clean(number, region):
                    self._own = number
                    self._begin(region)
                    return
                self._locks.release((1 + number,))
                break
        _logger.warning("this process measures for itself: no slot of %s could be had", self.path)
        self._alone = Measurements()

    def _clean(self, number: int, region: Region) -> bool:
        """Fold what a dead worker left; False when another process holds the lock of the bases for too long."""
        assert self._descriptor is not None
        fold = SetLocks(self._descriptor, _FOLD_PATIENCE)
        if not fold.acquire((0,)):
            return False
        try:
            base = self._regions[int(self._words[_GENERATION]) % _BASES]
            if int(base.words[Field.FOLDED + number]) != int(region.words[Field.INCARNATION]):
                self._fold(number, region, base)
            if region.words[Field.PID]:
                killed = not region.words[Field.ENDED]
                self.board.process_ended(killed=killed, at=time.time())
            region.clear()
            region.words[Field.INCARNATION] += 1  # from here on it is read again
        finally:
            fold.release((0,))
        return True

    def _fold(self, number: int, region: Region, base: Region) -> None:
        """The other base becomes this one and the slot; the last store makes it count, and says that the slot is in it."""
        generation = int(self._words[_GENERATION]) + 1
        target = self._regions[generation % _BASES]
        target.clear()
        tallies: dict[Key, Tally] = base.tallies()
        for key, tally in region.tallies().items():
            tallies[key] = tallies[key].plus(tally) if key in tallies else tally
        for key, tally in tallies.items():
            target.write(key, tally)
        if not target.write_page(fold_pages(base.page(), region.page())):
            target.write_page(base.page())  # full of names that came and went: what is there stays
            _logger.warning("what the collectors of a dead worker counted is left out: there is no room for more names")
        for other in range(self._slots):
            target.words[Field.FOLDED + other] = base.words[Field.FOLDED + other]
        target.words[Field.FOLDED + number] = region.words[Field.INCARNATION]
        self._words[_GENERATION] = generation

    def _begin(self, region: Region) -> None:
        if not region.words[Field.INCARNATION]:
            region.words[Field.INCARNATION] = 1
        region.words[Field.PID] = os.getpid()
        region.floats[Field.STARTED] = region.floats[Field.UPDATED] = time.time()

    # The file

    def _opened(self) -> tuple[mmap.mmap, int]:
        assert self.path is not None
        _check_support(self.path)
        remedy = "let it be made before the workers start, with Measurements.create(path)"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise MeasurementsError(str(self.path), error.strerror or str(error), remedy) from error
        try:
            slots = _checked(descriptor)
            memory = mmap.mmap(descriptor, _size(slots))
        except (OSError, ValueError) as error:
            os.close(descriptor)
            raise MeasurementsError(str(self.path), str(error), remedy) from error
        self._descriptor = descriptor
        return memory, slots


def _places(slots: int) -> range:
    return range(_HEADER_BYTES, _size(slots), REGION_BYTES)


def _size(slots: int) -> int:
    return _HEADER_BYTES + (_BASES + slots) * REGION_BYTES


def _make(path: Path, slots: int) -> None:
    _check_support(path)
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _size(slots))  # a full disk is an error now, not a SIGBUS later
            os.pwrite(descriptor, _FORM.pack(_MAGIC, slots, time.time()), 0)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        remedy = f"it needs {_size(slots) >> 20} MiB in a directory its user may write"
        raise MeasurementsError(str(path), error.strerror or str(error), remedy) from error


def _checked(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise ValueError(f"it has to be a file of user {os.geteuid()} with mode 600")
    magic, slots, _ = _FORM.unpack(os.pread(descriptor, _FORM.size, 0))
    if magic != _MAGIC or not 1 <= slots <= FOLDED_WORDS or _size(slots) != status.st_size:
        raise ValueError("it is no file of this version of Esteio")
    return int(slots)


def _check_support(path: Path) -> None:
    if not SUPPORTED:
        raise MeasurementsError(str(path), "this system has no locks of open files (Linux has)", "use one worker")
