"""The Merkle tree of RFC 6962, pure: hashes, a growing frontier, proofs and their checks.

A node `(level, index)` is complete when all 2**level leaves under it exist; only
complete nodes are ever kept, and none of them changes when the tree grows.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    NodeReader = Callable[[int, int], bytes]
    """Gives the hash of the complete node at `(level, index)`."""

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofError(ValueError):
    """A proof does not show what it claims."""


class Node(NamedTuple):
    level: int  # 0: a leaf
    idx: int  # from the left within the level
    hash: bytes


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def frontier_nodes(size: int) -> list[tuple[int, int]]:
    """List the complete nodes that cover `size` leaves, as (level, index), low to high.

    They are one for each set bit of `size`: all that growing the tree needs.
    """
    return [
        (level, (size >> level) - 1)
        for level in range(size.bit_length())
        if size >> level & 1
    ]


class Frontier:
    """The right edge of a tree: adds leaves without reading anything left of it."""

    def __init__(self, size: int = 0, nodes: Mapping[int, bytes] | None = None) -> None:
        """`nodes` holds, by level, the hashes of `frontier_nodes(size)`."""
        self.size = size
        self._nodes = dict(nodes or {})
        if set(self._nodes) != {level for level, _ in frontier_nodes(size)}:
            message = f"these are not the frontier's nodes of a tree of {size}"
            raise ValueError(message)

    def append(self, leaf: bytes) -> Iterator[Node]:
        """Add one leaf; yields each node that became complete, the leaf first.

        Exhaust the iterator: the leaf counts once all its nodes were given.
        """
        level, index, value = 0, self.size, leaf
        yield Node(level, index, value)
        while index & 1:
            value = node_hash(self._nodes.pop(level), value)
            level, index = level + 1, index >> 1
            yield Node(level, index, value)
        self._nodes[level] = value
        self.size += 1

    def root(self) -> bytes:
        root: bytes | None = None
        for level in sorted(self._nodes):
            node = self._nodes[level]
            root = node if root is None else node_hash(node, root)
        return EMPTY_ROOT if root is None else root


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Make the audit path that shows leaf `index` in the tree of `size` leaves.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        message = f"there is no leaf {index} among {size}"
        raise ValueError(message)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, node))
            end = middle
        else:
            path.append(_subtree(start, middle, node))
            start = middle
    return path[::-1]


def consistency_proof(first: int, second: int, node: NodeReader) -> list[bytes]:
    """Make the proof that the tree of `second` leaves begins with that of `first`.

    Raises ValueError unless 0 < first <= second: nothing is proved of an empty tree.
    """
    if not 0 < first <= second:
        message = f"no consistency proof from {first} to {second} leaves"
        raise ValueError(message)
    path: list[bytes] = []
    start, end = 0, second
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_subtree(middle, end, node))
            end = middle
        else:
            path.append(_subtree(start, middle, node))
            start = middle
    if start > 0:  # otherwise the first tree is a node that the verifier has: its root
        path.append(_subtree(start, end, node))
    return path[::-1]


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check an audit path (RFC 9162, 2.1.3.2); raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("the leaf lies outside the tree")
    _check_lengths([leaf, *proof])
    value = leaf
    for item, on_the_left in zip(
        proof, _sides(index, size - 1, len(proof)), strict=True
    ):
        value = node_hash(item, value) if on_the_left else node_hash(value, item)
    if value != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(
    *,
    first: int,
    second: int,
    first_root: bytes,
    second_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """Check that a tree only grew (RFC 9162, 2.1.4.2); raises ProofError."""
    if not 0 < first <= second:
        raise ProofError("nothing is proved of an empty tree, and a tree never shrinks")
    if first == second:
        if proof or first_root != second_root:
            raise ProofError("trees of one size must have one root and no proof")
        return
    # A first tree that is one complete node is not repeated in the proof.
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not proof:
        raise ProofError("the proof is empty")
    _check_lengths(path)
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for item, on_the_left in zip(
        path[1:], _sides(node, last, len(path) - 1), strict=True
    ):
        if on_the_left:
            old = node_hash(item, old)
        new = node_hash(item, new) if on_the_left else node_hash(new, item)
    if old != first_root:
        raise ProofError("the proof leads to another first root")
    if new != second_root:
        raise ProofError("the proof leads to another second root")


def _sides(node: int, last: int, length: int) -> list[bool]:
    """Say of each hash of a path whether it stands left of what it joins.

    `node` is where the path begins, `last` the last index of that level.
    """
    sides = []
    for _ in range(length):
        if last == 0:
            raise ProofError("the proof is too long")
        on_the_left = bool(node & 1) or node == last
        sides.append(on_the_left)
        while on_the_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    return sides


def _check_lengths(hashes: Sequence[bytes]) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise ProofError("a hash has a wrong length")


def _split(size: int) -> int:
    """Give the largest power of two below `size` (> 1): where RFC 6962 divides."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(start: int, end: int, node: NodeReader) -> bytes:
    """Hash the leaves `start` to `end`, where `start` is aligned as RFC 6962 divides."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(size)
    return node_hash(_subtree(start, middle, node), _subtree(middle, end, node))
