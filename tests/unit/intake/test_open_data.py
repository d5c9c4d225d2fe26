"""Cities' and insurers' real files: every count equals one taken without our code."""

import datetime as dt
import json
from collections import Counter

import httpx
import pytest

from services.intake.domain.submission import Submission
from services.intake.importing.running import Summary, load_mapping, run_import
from tests.support.open_data_counts import LAYOUTS, counts

pytestmark = pytest.mark.real_data

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_whole_file_is_read_as_a_recount_says(real_data, name):
    layout = LAYOUTS[name]
    file = real_data / "data" / layout.file
    wanted = counts(layout, file)
    rows, complaints = wanted["rows"]["all"], wanted["complaints"]["all"]
    kept = {}

    def taken(line):
        del line["imported_from"]
        before = kept.setdefault(line["idempotency_key"], line)
        assert before == line
        return 201 if before is line else 200

    def take(request):
        if request.method == "PUT":  # what is said of the run
            return httpx.Response(200)
        lines = map(json.loads, request.content.splitlines())
        told = [json.dumps({"status": taken(line)}) for line in lines]
        return httpx.Response(200, content="\n".join(told))

    with httpx.Client(
        transport=httpx.MockTransport(take), base_url="http://t"
    ) as client:
        done = run_import(client, file, load_mapping(name))
        again = run_import(client, file, load_mapping(name))
    assert done == Summary(rows, complaints, 0, 0, rows - complaints)
    assert again == Summary(rows, 0, complaints, 0, rows - complaints)
    sent = list(kept.values())
    assert len({each.pop("idempotency_key") for each in sent}) == complaints
    given = [Submission.parse(each, now=NOW) for each in sent]
    assert Counter(each.channel or "" for each in given) == wanted["channel"]
    instants = Counter(f"{each.occurred_at:%Y-%m-%dT%H:%M:%S}" for each in given)
    assert instants == wanted["instant"]
    precision = "instant" if "%S" in layout.written else "day"
    assert {each.occurred_precision for each in given} == {precision}
    for of, words in (
        (lambda each: each.category, "category"),
        (lambda each: each.product and each.product.model, "model"),
        (lambda each: each.product and each.product.supplier, "supplier"),
    ):
        codes = Counter(of(each) for each in given)
        assert sorted(codes.values()) == sorted(wanted[words].values())
