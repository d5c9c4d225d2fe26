"""The tree is that of RFC 6962: public vectors, and every proof of small trees."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from services.kernel.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    consistency_proof,
    frontier_nodes,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from services.kernel.store.leaf import leaf_hash
from tests.support.trees import grown, root_by_definition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAVES = [leaf_hash(bytes([number])) for number in range(33)]

# From RFC 6962's reference implementation: the leaves, and the root of the first n.
REFERENCE = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (
        "5051525354555657",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
]


def test_roots_are_those_of_the_reference_implementation() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for body, root in REFERENCE:
        list(frontier.append(leaf_hash(bytes.fromhex(body))))
        assert frontier.root().hex() == root


def test_the_frontier_agrees_with_the_definition_and_resumes() -> None:
    for size in range(len(LEAVES) + 1):
        frontier, nodes = grown(LEAVES[:size])
        assert frontier.root() == root_by_definition(LEAVES[:size])
        kept = {level: nodes[level, idx] for level, idx in frontier_nodes(size)}
        assert Frontier(size, kept).root() == frontier.root()


def test_a_frontier_that_lacks_a_node_is_refused() -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier(3, {0: LEAVES[2]})


def test_every_inclusion_proof_of_small_trees_verifies_and_no_other_leaf_does() -> None:
    for size in range(1, 18):
        frontier, nodes = grown(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(index, size, lambda *at: nodes[at])  # noqa: B023 used at once
            check = partial(
                verify_inclusion, size=size, proof=proof, root=frontier.root()
            )
            check(index=index, leaf=LEAVES[index])
            with pytest.raises(ProofError):
                check(index=index, leaf=leaf_hash(b"another"))
            with pytest.raises(ProofError):
                verify_inclusion(
                    index=index,
                    size=size,
                    leaf=LEAVES[index],
                    proof=[*proof, LEAVES[0]],
                    root=frontier.root(),
                )


def test_every_consistency_proof_of_small_trees_verifies() -> None:
    for second in range(1, 18):
        frontier, nodes = grown(LEAVES[:second])
        for first in range(1, second + 1):
            proof = consistency_proof(first, second, lambda *at: nodes[at])  # noqa: B023 used at once
            check = partial(
                verify_consistency,
                first=first,
                second=second,
                second_root=frontier.root(),
                proof=proof,
            )
            check(first_root=root_by_definition(LEAVES[:first]))
            with pytest.raises(ProofError):
                check(first_root=leaf_hash(b"another history"))


def test_a_smaller_size_than_the_proof_is_of_is_refused() -> None:
    two = root_by_definition(LEAVES[:2])
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(index=0, size=1, leaf=LEAVES[0], proof=[LEAVES[1]], root=two)
    three = root_by_definition(LEAVES[:3])
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(
            first=1,
            second=2,
            first_root=LEAVES[0],
            second_root=three,
            proof=[LEAVES[1], LEAVES[2]],
        )


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, lambda *_: b"")


@pytest.mark.parametrize(("first", "second"), [(0, 4), (5, 4), (0, 0)])
def test_there_is_no_proof_from_nothing_or_backwards(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(first, second, lambda *_: b"")


def _hash(text: str) -> bytes:
    return base64.b64decode(text)


def _inclusion(vector: dict[str, Any]) -> None:
    verify_inclusion(
        index=vector["leafIdx"],
        size=vector["treeSize"],
        leaf=_hash(vector["leafHash"]),
        proof=[_hash(item) for item in vector["proof"] or ()],
        root=_hash(vector["root"]),
    )


def _consistency(vector: dict[str, Any]) -> None:
    verify_consistency(
        first=vector["size1"],
        second=vector["size2"],
        first_root=_hash(vector["root1"]),
        second_root=_hash(vector["root2"]),
        proof=[_hash(item) for item in vector["proof"] or ()],
    )


def _accepts(check: Callable[[dict[str, Any]], None], vector: dict[str, Any]) -> bool:
    try:
        check(vector)
    except ProofError:
        return False
    return True


def test_all_196_public_vectors_are_judged_as_they_say(real_data: Path) -> None:
    """12 good proofs and 184 bad ones of transparency-dev/merkle."""
    folder = real_data / "badinput" / "merkle" / "testdata"
    wrong, seen = [], 0
    for name, check in (("inclusion", _inclusion), ("consistency", _consistency)):
        for path in sorted((folder / name).rglob("*.json")):
            vector = json.loads(path.read_bytes())
            seen += 1
            if _accepts(check, vector) == vector["wantErr"]:
                wrong.append(str(path.relative_to(folder)))
    assert (seen, wrong) == (196, [])
