"""Streams made small and secret: whole or refused, and readable without us."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.backup.packing import (
    Decryption,
    Encryption,
    InvalidKey,
    KeyTooSlow,
    Packing,
    PackUnreadable,
    WrongKey,
    unpack,
)
from esteio.testing import ManualClock

IDENTITY = pyrage.x25519.Identity.generate()
KEY = Decryption.of(str(IDENTITY))
LOCKED = Packing(encryption=Encryption.to([str(IDENTITY.to_public())]))
PLAIN = Packing()
DATA = os.urandom(300_000) + bytes(2_000_000)


def packed(packing: Packing, data: bytes = DATA) -> bytes:
    sink = io.BytesIO()
    packing.pack(io.BytesIO(data), sink)
    return sink.getvalue()


def unpacked(data: bytes, key: Decryption | None = KEY) -> bytes:
    sink = io.BytesIO()
    unpack(io.BytesIO(data), sink, key)
    return sink.getvalue()


@pytest.mark.parametrize(
    "packing", [PLAIN, LOCKED, Packing(level=1, threads=2), Packing(level=-3)], ids=["zstd", "age", "threads", "fast"]
)
def test_what_was_packed_comes_back_and_both_sides_count_the_same(packing: Packing) -> None:
    sink, back = io.BytesIO(), io.BytesIO()
    forth = packing.pack(io.BytesIO(DATA), sink)
    assert forth == unpack(io.BytesIO(sink.getvalue()), back, KEY)
    assert back.getvalue() == DATA
    assert forth.size == len(DATA)
    assert (forth.packed_size, forth.packed_sha256) == (
        len(sink.getvalue()),
        hashlib.sha256(sink.getvalue()).hexdigest(),
    )


def test_streams_at_the_same_time_share_the_threads() -> None:
    given = Packing(level=7, threads=4, encryption=LOCKED.encryption)
    assert [given.beside(streams).threads for streams in (1, 2, 3, 4, 9)] == [4, 2, 0, 0, 0]
    assert given.beside(2) == Packing(level=7, threads=2, encryption=LOCKED.encryption)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000), st.booleans())
def test_any_bytes_come_back(data: bytes, locked: bool) -> None:
    assert unpacked(packed(LOCKED if locked else PLAIN, data)) == data


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_one_changed_bit_anywhere_is_found(locked: bool, place: float, bit: int) -> None:
    data = bytearray(SAMPLES[locked])
    data[int(place * len(data))] ^= 1 << bit
    assert_found(locked, bytes(data))


def test_one_changed_bit_of_a_header_is_found() -> None:
    """Some of them mean nothing to the content, such as the size of the window."""
    for at in range(20):
        for bit in range(8):
            data = bytearray(SAMPLES[False])
            data[at] ^= 1 << bit
            assert_found(False, bytes(data))


def assert_found(locked: bool, changed: bytes) -> None:
    """It is refused, or what comes out is right, and the sha256 that is compared with the manifest's is another."""
    sink = io.BytesIO()
    try:
        done = unpack(io.BytesIO(changed), sink, KEY)
    except (PackUnreadable, WrongKey):
        return
    assert sink.getvalue() == unpacked(SAMPLES[locked])
    assert done.packed_sha256 != hashlib.sha256(SAMPLES[locked]).hexdigest()


SAMPLES = {locked: packed(LOCKED if locked else PLAIN, os.urandom(3000) + bytes(50_000)) for locked in (False, True)}


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.floats(0, 1, exclude_max=True))
def test_what_is_cut_short_is_refused(locked: bool, share: float) -> None:
    data = SAMPLES[locked]
    with pytest.raises((PackUnreadable, WrongKey)):
        unpacked(data[: int(share * len(data))])


@pytest.mark.parametrize("packing", [PLAIN, LOCKED], ids=["zstd", "age"])
def test_what_follows_the_end_is_refused(packing: Packing) -> None:
    with pytest.raises(PackUnreadable):
        unpacked(packed(packing) + b"more")


def test_without_the_key_nothing_is_read() -> None:
    other = Decryption.of(str(pyrage.x25519.Identity.generate()))
    for key in (None, other):
        with pytest.raises(WrongKey, match="identity that belongs to the recipient"):
            unpacked(packed(LOCKED), key)


def test_an_error_of_either_end_reaches_the_caller_as_it_was_raised() -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    class Gone:
        def read(self, size: int = -1) -> bytes:
            raise BlockingIOError(5, "the disk is gone")

    for packing in (PLAIN, LOCKED):
        with pytest.raises(OSError, match="No space left"):
            packing.pack(io.BytesIO(DATA), Full())
        with pytest.raises(OSError, match="No space left"):
            unpack(io.BytesIO(packed(packing)), Full(), KEY)
        with pytest.raises(BlockingIOError, match="disk is gone"):
            packing.pack(Gone(), io.BytesIO())


def test_keys_that_cannot_be_used_are_refused_without_showing_secrets() -> None:
    with pytest.raises(InvalidKey, match="age1nonsense"):
        Encryption.to(["age1nonsense"])
    with pytest.raises(InvalidKey, match="at least one"):
        Encryption.to([])
    with pytest.raises(InvalidKey, match="8 characters") as short:
        Encryption.passphrase("pássaro")
    assert "pássaro" not in str(short.value)
    with pytest.raises(InvalidKey) as bad:
        Decryption.of("AGE-SECRET-KEY-1WRONG")
    assert "1WRONG" not in str(bad.value)
    assert "AGE-SECRET" not in repr(KEY)
    for wrong in ({"level": 0}, {"level": 20}, {"level": -21}, {"threads": -1}):
        with pytest.raises(ValueError, match="allowed"):
            Packing(**wrong)


class Endless:
    """So many bytes: half random, half zeros."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = os.urandom(64 * 1024) + bytes(64 * 1024)

    def read(self, size: int = -1) -> bytes:
        data = self._block[: min(size, self._left)]
        self._left -= len(data)
        return data


class Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def test_memory_stays_bounded_however_much_goes_through(tmp_path: Path) -> None:
    packed_file = tmp_path / "big"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with packed_file.open("wb") as sink:
        Packing(level=3, threads=2, encryption=LOCKED.encryption).pack(Endless(256 * 2**20), sink)
    with packed_file.open("rb") as source:
        assert unpack(source, Nowhere(), KEY).size == 256 * 2**20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


# Without our software


def test_zstd_itself_reads_it_and_we_read_what_zstd_wrote(tmp_path: Path) -> None:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("the zstd program is not installed (apt install zstd)")
    file = tmp_path / "data.zst"
    file.write_bytes(packed(Packing(threads=2)))
    assert subprocess.run([program, "-dc", file], capture_output=True, check=True).stdout == DATA
    theirs = subprocess.run([program, "-c", "-T2"], input=DATA, capture_output=True, check=True).stdout
    assert unpacked(theirs) == DATA


def test_age_itself_reads_it_and_we_read_what_age_wrote(tmp_path: Path) -> None:
    program = shutil.which("age")
    if program is None:
        pytest.skip("the age program is not installed (apt install age)")
    (tmp_path / "identity").write_text(str(IDENTITY))
    (tmp_path / "data.zst.age").write_bytes(packed(LOCKED))
    read = [program, "-d", "-i", tmp_path / "identity", tmp_path / "data.zst.age"]
    small = subprocess.run(read, capture_output=True, check=True).stdout
    assert unpacked(small, None) == DATA
    write = [program, "-r", str(IDENTITY.to_public())]
    theirs = subprocess.run(write, input=small, capture_output=True, check=True).stdout
    assert unpacked(theirs) == DATA


def test_a_reader_written_from_ages_specification_reads_it() -> None:
    """C2SP age.md: one X25519 stanza, HKDF-SHA-256, STREAM of ChaCha20-Poly1305 in chunks of 64 KiB."""
    head, _, rest = packed(LOCKED).partition(b"\n--- ")
    lines = [line for line in head.split(b"\n") if line]
    assert lines[0] == b"age-encryption.org/v1"
    at = next(number for number, line in enumerate(lines) if line.startswith(b"-> X25519 "))
    share, body = _b64(lines[at].split()[2]), _b64(lines[at + 1])
    secret = X25519PrivateKey.from_private_bytes(_bech32(str(IDENTITY)))
    shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
    wrap = _hkdf(shared, share + secret.public_key().public_bytes_raw(), b"age-encryption.org/v1/X25519")
    file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), body, None)
    payload = rest.partition(b"\n")[2]
    stream = ChaCha20Poly1305(_hkdf(file_key, payload[:16], b"payload"))
    chunks = [payload[at : at + 65552] for at in range(16, len(payload), 65552)]
    last = len(chunks) - 1
    small = b"".join(
        stream.decrypt(number.to_bytes(11, "big") + bytes([number == last]), chunk, None)
        for number, chunk in enumerate(chunks)
    )
    assert unpacked(small, None) == DATA


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _b64(text: bytes) -> bytes:
    import base64

    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _bech32(text: str) -> bytes:
    digits = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(sign) for sign in text.lower().rpartition("1")[2][:-6]]
    number = sum(digit << 5 * place for place, digit in enumerate(reversed(digits)))
    return (number >> (len(digits) * 5 - 256)).to_bytes(32, "big")


def test_a_machine_too_busy_to_open_a_key_file_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """age measures the machine, and by that measure refuses what it opens a moment later."""
    phrase, clock = "uma frase boa", ManualClock()
    key_file = pyrage.passphrase.encrypt(str(IDENTITY).encode(), phrase)
    decrypt = pyrage.passphrase.decrypt

    def busy_at_first(data: bytes, given: str) -> bytes:
        return bytes(decrypt(data if len(clock.slept) > 1 else too_slow(key_file), given))

    monkeypatch.setattr(pyrage.passphrase, "decrypt", busy_at_first)
    assert Decryption.passphrase(phrase, key_file, clock=clock).identities
    assert len(clock.slept) == 2


def test_a_key_file_that_takes_a_machine_too_long_is_told_after_five_minutes() -> None:
    clock = ManualClock()
    key_file = too_slow(pyrage.passphrase.encrypt(str(IDENTITY).encode(), "uma frase boa"))
    with pytest.raises(KeyTooSlow, match=r"for five minutes: Excessive work parameter .* with `age -d`"):
        Decryption.passphrase("uma frase boa", key_file, clock=clock)
    assert sum(clock.slept) == 300


def too_slow(key_file: bytes) -> bytes:
    """The same with a derivation of an hour: age looks at that before all else."""
    head, _, rest = key_file.partition(b"\n-> scrypt ")
    salt, _, rest = rest.partition(b" ")
    return head + b"\n-> scrypt " + salt + b" 30\n" + rest.partition(b"\n")[2]
