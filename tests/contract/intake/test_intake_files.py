"""Files that were uploaded come with a complaint, once, or are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.support.intake import ANONYMOUS, CLERK, GOOD, Bench
from tests.support.intake_http import UUID_KEY, Door, door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from events.catalogue import ComplaintReceived
    from services.kernel.store.database import Database

OTHER_KEY, THIRD_KEY = (f"{UUID_KEY[:-1]}{number}" for number in (2, 3))


@pytest.fixture
def open_door(make_database: Callable[..., Database]) -> Iterator[Door]:
    with door(make_database) as made:
        yield made


def complaint(*uploads: object, **more: Any) -> dict[str, Any]:
    return {**GOOD, "attachments": [{"upload": str(each), **more} for each in uploads]}


def attached(bench: Bench) -> list[ComplaintReceived]:
    return [event.data for event in bench.events()]


def test_an_uploaded_file_belongs_to_the_complaint(open_door: Door) -> None:
    bench = open_door.bench
    upload = bench.uploaded(b"GIF89a\0 and more", name="leak.gif")
    answer = open_door.post(complaint(upload.upload_id, kind="photo"), key=UUID_KEY)
    assert answer.status_code == 201, answer.text
    (data,) = attached(bench)
    (ref,) = data.attachments
    file = bench.files.open(ref.document_id)
    assert (ref.kind, ref.digest, file.subject_id) == (
        "photo",
        file.digest,
        data.subject_id,
    )
    assert (file.name, file.media_type) == ("leak.gif", "image/gif")
    assert b"".join(file.content()) == b"GIF89a\0 and more"


def test_the_same_complaint_again_gets_the_same_answer(open_door: Door) -> None:
    upload = open_door.bench.uploaded(b"x")
    one = open_door.post(complaint(upload.upload_id), key=UUID_KEY)
    two = open_door.post(complaint(upload.upload_id), key=UUID_KEY)
    assert (one.status_code, two.status_code) == (201, 200)
    assert one.json() == two.json()


def test_an_upload_is_used_once(open_door: Door) -> None:
    upload = open_door.bench.uploaded(b"x")
    assert open_door.post(complaint(upload.upload_id), key=UUID_KEY).is_success
    answer = open_door.post(complaint(upload.upload_id), key=OTHER_KEY)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [
        "attachments[0].upload"
    ]


def test_an_upload_is_used_once_in_one_batch(open_door: Door) -> None:
    """What waits together is decided together; the others are kept."""
    bench = open_door.bench
    upload, other = bench.uploaded(b"x"), bench.uploaded(b"y")
    requests = [
        bench.request(complaint(each.upload_id), key=key, caller=ANONYMOUS)
        for each, key in ((upload, UUID_KEY), (upload, OTHER_KEY), (other, THIRD_KEY))
    ]
    answers = bench.file(*requests)
    assert [isinstance(each, Exception) for each in answers] == [False, True, False]
    assert len(bench.events()) == 2


@pytest.mark.parametrize("which", ["unknown", "foreign", "unfinished", "twice"])
def test_what_cannot_be_attached_is_named(open_door: Door, which: str) -> None:
    bench = open_door.bench
    uploads = bench.uploads
    good = bench.uploaded(b"good").upload_id
    bad = {
        "unknown": lambda: UUID(int=5),
        "foreign": lambda: bench.uploaded(b"x", owner=CLERK.actor).upload_id,
        "unfinished": lambda: (
            uploads.create(owner="anonymous", size=5, name="a").upload_id
        ),
        "twice": lambda: good,
    }[which]()
    answer = open_door.post(complaint(good, bad), key=UUID_KEY)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [
        "attachments[1].upload"
    ]
    assert bench.events() == []
    assert open_door.post(complaint(good), key=UUID_KEY).is_success  # still there


@pytest.mark.parametrize(
    ("attachment", "field"),
    [
        ({"upload": "../../etc/passwd"}, "attachments[0].upload"),
        ({"upload": 7}, "attachments[0].upload"),
        ({"upload": str(UUID(int=1)), "kind": "statement"}, "attachments[0].kind"),
        ({"upload": str(UUID(int=1)), "name": "a"}, "attachments[0].name"),
        ({"name": "a", "media_type": "image/png"}, "attachments[0].content"),
        ("x", "attachments[0]"),
    ],
)
def test_a_wrong_attachment_names_its_field(
    open_door: Door, attachment: object, field: str
) -> None:
    answer = open_door.post({**GOOD, "attachments": [attachment]}, key=UUID_KEY)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_what_an_attachment_claims_to_be_is_not_believed(open_door: Door) -> None:
    inline = {
        "name": "photo.png",
        "media_type": "image/png",
        "content": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    }
    assert open_door.post({**GOOD, "attachments": [inline]}, key=UUID_KEY).is_success
    (data,) = attached(open_door.bench)
    kept = open_door.bench.vault.open(data.attachments[0].document_id)
    assert kept.media_type == "text/plain"
