"""Complaints filed in batches end as if each had come alone, whoever was faster."""

import datetime as dt
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from services.intake.application.registering import Receipt
from services.intake.ports import TakenError
from services.kernel.store.database import open_database
from tests.support.intake import GOOD, NOW, bench

CONTACTS = [
    {"email": "ada@example.org"},
    {"email": "ada@example.org", "phone": "+442079460958"},
    {"phone": "+442079460958", "customer_no": "C7"},
    {"customer_no": "C7", "email": "bob@example.org"},
    {"customer_no": "C8", "phone": "+442079460958"},
    {"customer_no": "C8"},
    {"email": "bob@example.org"},
]

complaints = st.tuples(
    st.integers(0, 5),  # its key: some come twice
    st.sampled_from(["It leaks.", "It leaks.", "It burns."]),
    st.sampled_from(CONTACTS),
)
batches = st.lists(st.lists(complaints, min_size=1, max_size=6), max_size=5)


class Outcome:
    """What can be seen from outside, with random ids left out."""

    def __init__(self, made, answers):
        self.answers = [
            (answer.receipt_no, answer.access_code, answer.case_id, answer.repeated)
            if isinstance(answer, Receipt)
            else answer.code
            for answer in answers
        ]
        events = made.events()
        people = {}
        self.history = [
            (
                event.case_id,
                event.data.receipt_no,
                people.setdefault(event.data.subject_id, len(people)),
                made.words(event.data.statement.document_id),
                made.words(event.data.particulars.document_id),
            )
            for event in events
        ]

    def __eq__(self, other):
        return (self.answers, self.history) == (other.answers, other.history)

    __hash__ = None

    def __repr__(self):
        return f"{self.answers}\n{self.history}"


def outcome(folder, given_batches, *, beaten_at=()):
    """File batches on an empty database; `beaten_at` are commits that a rival spoils."""
    folder.mkdir()
    opened = []

    def make(name, *, secure_delete=False):
        database = open_database(
            f"sqlite:///{folder / name}.sqlite",
            schema=name,
            secure_delete=secure_delete,
        )
        opened.append(database)
        return database

    made = bench(make)
    made.record.secret, made.record.access_secret = bytes(32), bytes(range(32))
    keep, commits = made.record.keep, []

    def kept(filings):
        commits.append(len(filings))
        if len(commits) in beaten_at and len(filings) > 1:
            raise TakenError
        keep(filings)

    made.record.keep = kept
    answers = []
    try:
        for number, batch in enumerate(given_batches):
            made.moments.append(NOW + dt.timedelta(seconds=number))
            requests = [
                made.request(
                    GOOD | {"statement": words, "contact": contact}, key=f"k{key}"
                )
                for key, words, contact in batch
            ]
            answers += made.file(*requests)
        return Outcome(made, answers)
    finally:
        for database in opened:
            with closing(database):
                pass


@given(given_batches=batches, beaten_at=st.sets(st.integers(1, 8), max_size=4))
def test_a_batch_ends_as_if_each_had_come_alone(
    tmp_path_factory, given_batches, beaten_at
):
    folder = tmp_path_factory.mktemp("batches")
    together = outcome(folder / "together", given_batches)
    alone = [[one] for batch in given_batches for one in batch]
    assert outcome(folder / "alone", alone) == together
    assert outcome(folder / "beaten", given_batches, beaten_at=beaten_at) == together
