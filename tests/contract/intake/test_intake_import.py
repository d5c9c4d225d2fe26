"""Importing a file: every row counted once, repeated without harm, nothing invented."""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
from collections import Counter
from zoneinfo import ZoneInfo

import httpx
import pytest

from events.vocabulary import Origin, Precision
from services.intake.cli.submitting import run_submit
from services.intake.domain.mapping import code_of
from services.intake.importing.running import Summary, load_mapping, run_import
from services.kernel.errors import (
    AmendsError,
    MalformedError,
    MisuseError,
    UnavailableError,
)
from tests.support.intake import GOOD
from tests.support.intake_http import door, operator

COLUMNS = [
    "Date received",
    "Product",
    "Sub-product",
    "Issue",
    "Sub-issue",
    "Consumer complaint narrative",
    "Company",
    "Submitted via",
    "Complaint ID",
]
ROW = dict(
    zip(
        COLUMNS,
        ["2011-12-30", "Mortgage", "", "Other", "", "", "Acme", "Fax", "1"],
        strict=True,
    )
)
CFPB = load_mapping("cfpb")


@pytest.fixture
def http(make_database):
    with door(make_database) as opened:
        yield opened


@pytest.fixture
def client(http):
    with operator(http) as made:
        yield made


def written(tmp_path, *rows, columns=COLUMNS):
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows([ROW | row for row in rows])
    return path


def test_rows_become_complaints_of_the_past(http, client, tmp_path):
    words = "My bank, =1+1,\n\nsays 'no' 字"
    path = written(tmp_path, {"Consumer complaint narrative": words})
    assert run_import(client, path, CFPB) == Summary(read=1, accepted=1)
    (event,) = http.bench.events()
    data = event.data
    assert http.bench.words(data.statement.document_id) == words
    assert (event.origin, event.channel) == (Origin.MIGRATION, "fax")
    assert event.occurred_precision is Precision.DAY
    assert event.occurred_at == dt.datetime(
        2011, 12, 30, tzinfo=ZoneInfo("America/New_York")
    )
    assert (data.product.model, data.product.supplier) == ("Mortgage", "Acme")
    assert data.category == "Other"
    assert data.particulars is None
    assert data.imported_from.file == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.imported_from.line == 2


def test_importing_again_adds_nothing(http, client, tmp_path):
    path = written(tmp_path, *({"Complaint ID": str(n)} for n in range(7)))
    assert run_import(client, path, CFPB, batch_size=3) == Summary(7, 7, 0, 0)
    assert run_import(client, path, CFPB, batch_size=3) == Summary(7, 0, 7, 0)
    path.write_text(f"Another file\n{path.read_text('utf-8')}", "utf-8")
    assert run_import(client, path, CFPB, batch_size=3) == Summary(7, 0, 7, 0)
    assert len({event.data.imported_from.batch for event in http.bench.events()}) == 1
    assert len(http.bench.events()) == 7


def test_a_dry_run_sends_nothing(http, tmp_path):
    path = written(tmp_path, {}, {"Date received": "soon"})
    assert run_import(None, path, CFPB) == Summary(2, 1, 0, 1)
    assert http.bench.events() == []


def test_rejected_rows_come_back_with_reasons_and_can_be_corrected(
    http, client, tmp_path
):
    rejects = tmp_path / "rejects.csv"
    path = written(
        tmp_path,
        {},
        {"Complaint ID": "2", "Submitted via": "Pigeon", "Company": "=cmd()"},
        {"Complaint ID": "3", "Consumer complaint narrative": "x" * 20_001},
        {"Complaint ID": "1", "Consumer complaint narrative": "Else."},
        {"Complaint ID": "5"},
    )
    done = run_import(client, path, CFPB, rejects=rejects, batch_size=2)
    assert done == Summary(5, 2, 0, 3)
    rows = list(csv.DictReader(io.StringIO(rejects.read_text("utf-8-sig"), newline="")))
    assert [(row["line"], row["reason"].split(":")[0]) for row in rows] == [
        ("3", "import.row"),
        ("4", "intake.invalid"),
        ("5", "intake.key_reused"),
    ]
    assert "Submitted via 'Pigeon' is no channel" in rows[0]["reason"]
    assert "Use one of Web, Web Referral," in rows[0]["reason"]
    assert len(rows[1]["reason"]) < 300
    changed = "Complaint ID '1' was received before with other contents"
    assert changed in rows[2]["reason"]
    assert sorted(done.reasons.values()) == [1, 1, 1]
    told = next(each for each in done.reasons if each.startswith("import.row"))
    assert told.startswith("import.row: Submitted via is no channel")
    assert "Pigeon" not in told
    assert rows[0]["Company"] == "'=cmd()"
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(
        rejects.read_text("utf-8-sig").replace("Pigeon", "Fax"), "utf-8"
    )
    again = tmp_path / "again.csv"
    assert run_import(client, corrected, CFPB, rejects=again) == Summary(3, 1, 0, 2)
    assert again.read_text("utf-8-sig").startswith("line,reason,Date received,")
    assert len(http.bench.events()) == 3


def test_a_broken_file_sends_nothing(http, client, tmp_path):
    path = written(tmp_path, {})
    path.write_text(path.read_text("utf-8") + '"never closed', "utf-8")
    with pytest.raises(MalformedError, match=r"import\.broken_csv"):
        run_import(client, path, CFPB)
    assert http.bench.events() == []


def test_an_unknown_outcome_is_asked_again(http, client, tmp_path):
    path = written(tmp_path, {}, {"Complaint ID": "2"})
    keep, calls = http.bench.record.keep, []

    def sometimes(filings):
        calls.append(len(filings))
        if len(calls) == 1:
            raise UnavailableError("intake.store_unavailable", "Again.")
        keep(filings)

    http.bench.record.keep = sometimes
    pauses = []
    done = run_import(client, path, CFPB, sleep=pauses.append)
    assert done.accepted + done.duplicates == 2
    assert len(http.bench.events()) == 2
    assert len(pauses) == 1


def test_an_intake_that_stays_away_is_told(tmp_path):
    def nobody(request):
        raise httpx.ConnectError("no", request=request)

    pauses = []
    away = httpx.Client(transport=httpx.MockTransport(nobody), base_url="http://t")
    with away, pytest.raises(UnavailableError, match=r"import\.intake_away"):
        run_import(away, written(tmp_path, {}), CFPB, sleep=pauses.append)
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(
    ("status", "code"), [(401, "import.intake_restarted"), (403, "import.refused")]
)
def test_an_import_that_is_refused_as_a_whole_ends(tmp_path, status, code):
    problem = {"code": "access.x", "detail": "No.", "status": status}
    refusing = httpx.MockTransport(lambda _: httpx.Response(status, json=problem))
    client = httpx.Client(transport=refusing, base_url="http://t")
    with client, pytest.raises(AmendsError) as refused:
        run_import(client, written(tmp_path, {}), CFPB)
    assert refused.value.code == code


def test_progress_ends_at_the_total(client, tmp_path):
    path = written(tmp_path, *({"Complaint ID": str(n)} for n in range(5)))
    told = []
    run_import(
        client, path, CFPB, batch_size=2, progress=lambda *done: told.append(done)
    )
    assert told[-1] == (5, 5)
    assert told == sorted(told)


@pytest.mark.real_data
def test_the_whole_file_agrees_with_counts_taken_from_it(http, client, real_data):
    """Issue 2, shown by 2: read 10221; again all duplicates, no new event."""
    path = real_data / "data/cfpb_complaints.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert run_import(client, path, CFPB) == Summary(10221, 10221, 0, 0)
    log = http.bench.store.log(0, 20_000)
    events = [json.loads(entry.body) for entry in log]
    assert len(events) == 10221
    for columns, of in [
        (["Company"], lambda data: data["product"]["supplier"]),
        (["Product", "Sub-product"], lambda data: data["product"]["model"]),
        (["Issue", "Sub-issue"], lambda data: data["category"]),
    ]:
        texts = Counter(tuple(row[column] for column in columns) for row in rows)
        codes = Counter(of(event["data"]) for event in events)
        assert sorted(codes.values()) == sorted(texts.values())
    assert Counter(event["occurred_at"][:4] for event in events) == Counter(
        row["Date received"][:4] for row in rows
    )
    suppliers = Counter(event["data"]["product"]["supplier"] for event in events)
    assert suppliers[code_of("EQUIFAX, INC.")] == 2320
    assert run_import(client, path, CFPB) == Summary(10221, 0, 10221, 0)
    assert http.bench.store.last_position() == log[-1].position


def test_one_complaint_by_hand(client):
    receipt = run_submit(client, GOOD, "k")
    assert run_submit(client, GOOD, "k") == receipt
    assert run_submit(client, GOOD) != receipt
    with pytest.raises(AmendsError) as refused:
        run_submit(client, {"channel": "web"})
    assert refused.value.code == "intake.invalid"
    assert {fault.field for fault in refused.value.errors} == {
        "statement",
        "contact.email",
    }


def test_a_mapping_of_one_s_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(CFPB.model_dump_json(), "utf-8")
    with pytest.raises(MalformedError, match=r"import\.mapping"):
        load_mapping(str(path))
    path.write_text('format = "x"', "utf-8")
    with pytest.raises(MalformedError) as refused:
        load_mapping(str(path))
    assert "zone" in {fault.field for fault in refused.value.errors}
    for unknown in ("nope", "../secret", ""):
        with pytest.raises(MisuseError, match=r"import\.unknown_format.* cfpb"):
            load_mapping(unknown)
    with pytest.raises(MisuseError, match=r"import\.no_mapping.*none\.toml.* cfpb"):
        load_mapping(str(tmp_path / "none.toml"))
