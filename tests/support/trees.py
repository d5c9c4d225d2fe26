"""Merkle trees for tests: RFC 6962 written down once more, as slow as its definition."""

from hashlib import sha256

from services.kernel.ledger.merkle import Frontier


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, by recursion over the list; shares no code with ours."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = root_by_definition(leaves[:half]), root_by_definition(leaves[half:])
    return sha256(b"\x01" + left + right).digest()


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    """Grow a tree leaf by leaf; gives its frontier and all complete nodes."""
    frontier = Frontier()
    nodes = {
        (node.level, node.idx): node.hash
        for leaf in leaves
        for node in frontier.append(leaf)
    }
    return frontier, nodes
