"""What is decompressed at once is large, and never grows beyond a little more than a megabyte."""

from __future__ import annotations

import io
import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.backup.packing import PackUnreadable, unpack
from esteio.backup.packing._unpack import Blocks

MOST = (1 << 20) + 2 * (128 << 10)


def grown(packed: bytes, step: int) -> tuple[bytes, list[int]]:
    """The content, and how much each bite grew to."""
    blocks, frame, content, sizes = Blocks(), zstandard.ZstdDecompressor().decompressobj(), io.BytesIO(), []
    for start in range(0, len(packed), step):
        piece = memoryview(packed)[start : start + step]
        while piece:
            end = blocks.bite(piece)
            assert end > 0
            out = frame.decompress(piece[:end])
            sizes.append(len(out))
            content.write(out)
            piece = piece[end:]
    return content.getvalue(), sizes


def packed(content: bytes, **given_: object) -> bytes:
    return zstandard.ZstdCompressor(**given_).compress(content)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(
    st.sampled_from([-5, 1, 3, 9]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40_000),
    st.lists(st.tuples(st.sampled_from([b"\0", None, b"text, "]), st.integers(0, 300_000)), max_size=4),
)
def test_what_is_bitten_off_is_all_of_it(
    level: int, checksum: bool, size: bool, step: int, parts: list[tuple[bytes | None, int]]
) -> None:
    content = b"".join(random.Random(n).randbytes(n) if sign is None else sign * n for sign, n in parts)
    frame = packed(content, level=level, write_checksum=checksum, write_content_size=size)
    found, sizes = grown(frame, step)
    assert found == content
    assert max(sizes, default=0) <= MOST


def test_zeros_grow_no_further_than_that_in_one_bite() -> None:
    _, sizes = grown(packed(bytes(40_000_000), level=1), 1 << 18)
    assert max(sizes) <= MOST
    assert len(sizes) < 100


def test_what_does_not_grow_is_taken_in_large_bites() -> None:
    _, sizes = grown(packed(random.Random(1).randbytes(8_000_000), level=1), 1 << 18)
    assert len(sizes) < 50


@pytest.mark.parametrize("data", [b"no frame at all, but long enough", b"\x28\xb5\x2f\xfd" + b"\xff" * 100, b"\x28"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(PackUnreadable):
        unpack(io.BytesIO(data), io.BytesIO())
