"""Which node of a Cluster a key belongs to. Pure."""

from __future__ import annotations

from binascii import crc_hqx
from itertools import count
from typing import Any

from esteio.limit.redis._address import Node
from esteio.limit.redis._errors import Trouble
from esteio.limit.redis._script import raw

__all__ = ["SLOTS", "SlotMap", "slot"]

SLOTS = 16_384


def slot(name: str) -> int:
    """The slot of a key: the CRC16 of its hash tag, or of all of it (Redis Cluster specification)."""
    key = raw(name)
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1) if begin >= 0 else -1
    return crc_hqx(key[begin + 1 : end] if end > begin + 1 else key, 0) % SLOTS


class SlotMap:
    """The node of every slot."""

    def __init__(self, answer: Any, asked: Node) -> None:
        self._owners: list[Node | None] = [None] * SLOTS
        try:
            for first, last, primary, *_ in answer:
                node = (primary[0].decode() or asked[0], int(primary[1]))
                self._owners[first : last + 1] = [node] * (last + 1 - first)
        except (TypeError, ValueError, AttributeError) as error:
            raise Trouble("corrupt", f"CLUSTER SLOTS says {answer!r:.80}") from error
        self.nodes = {node for node in self._owners if node is not None}
        if not self.nodes:
            raise Trouble("moved", "no node has any slots")

    def owner(self, name: str) -> Node | None:
        """The node of a key; None when its slot is nobody's."""
        return self._owners[slot(name)]

    def key_on(self, node: Node, prefix: str) -> str:
        """A key that begins with `prefix` and belongs to `node`; the same for everybody with the same map."""
        if node not in self.nodes:
            return prefix
        return next(key for key in (f"{prefix}{{{n}}}" for n in count()) if self.owner(key) == node)
