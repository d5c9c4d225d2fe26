"""The record that the bench makes is one: lives in order, each of its own."""

from collections import defaultdict
from itertools import islice

from bench.record import bodies
from events import codec


def test_every_case_of_every_copy_is_its_own_and_in_order():
    versions, receipts = defaultdict(list), []
    for case, version, name, body in islice(bodies(3), 5_000):
        assert codec.peek(body)[:3] == (case, version, name)
        versions[case].append(version)
        if version == 1:
            receipts.append(codec.decode(body).data.receipt_no)
    assert all(each == [*range(1, len(each) + 1)] for each in versions.values())
    assert len(set(receipts)) == len(receipts) == len(versions) > 300


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    one, again, other = (list(islice(bodies(seed), 50)) for seed in (1, 1, 2))
    assert one == again != other
