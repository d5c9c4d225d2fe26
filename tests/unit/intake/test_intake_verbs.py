"""The verbs `submit` and `import` as typed: flags, files, output, exit status."""

import csv
import hashlib
import json
import shlex
from importlib import resources

import httpx
import pytest
import typer
from typer.testing import CliRunner

from services.intake.cli import add_verbs
from services.kernel.errors import AmendsError, FieldError, RefusedError

RECEIPT = {
    "receipt_no": "4837291500627714",
    "access_code": "AAAA-BBBB-CCCC",
    "case_id": "0195f0a0-0000-8000-8000-000000000001",
    "status_url": "/api/intake/complaints/4837291500627714",
    "received_at": "2026-03-04T12:00:00.000000Z",
}
COLUMNS = (
    "Date received,Product,Sub-product,Issue,Sub-issue,Consumer complaint narrative,"
    "Company,Submitted via,Complaint ID\n"
)
ROW = "2011-12-30,Mortgage,,Other,,,Acme,{via},{number}\n"


class Desk:
    """Stands for intake: answers, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.waited = self.took_over = 0
        self.imports = []
        self.cases_known = True
        app = typer.Typer()
        app.callback()(lambda: None)
        transport = httpx.MockTransport(self.answer)
        self.client = httpx.Client(transport=transport, base_url="http://t")
        self.runs = True
        self.said = []
        add_verbs(app, self)
        self.app = app

    def session(self, work):
        return work(self.client)

    visit = session

    def glance(self, work):
        return work(self.client if self.runs else None)

    def departments(self):
        return "support", "external"

    def judge(self):
        """Refuse what ends with an appeal."""
        ahead = RefusedError(
            "case.history_ahead",
            "Ahead.",
            errors=[
                FieldError(
                    "facts.0.at",
                    "This fact lies in the future",
                    "give the date that the source states, or none",
                )
            ],
        )
        return lambda facts: ahead if len(facts) > 3 else None

    def answer(self, request):
        if request.method == "PUT":
            self.said.append((request.url.path, json.loads(request.content)))
            return httpx.Response(200)
        if request.url.path == "/api/intake/imports":
            return httpx.Response(200, json={"imports": self.imports})
        self.asked.append(request)
        match request.url.path.removeprefix("/api/"):
            case "handling/commands:batch":
                return httpx.Response(200, content=self.recorded(request))
            case "intake/complaints:check" | "intake/complaints:batch":
                return httpx.Response(200, content=self.taken(request))
        return self.submitted(request)

    def taken(self, request):
        """Take all; asked before, say that the second is known, the third another."""
        reused = {"code": "intake.key_reused", "detail": "Used."}
        foreseen = [{"status": 201}, {"status": 200}, {"status": 409} | reused]
        check = request.url.path.endswith(":check")
        return "\n".join(
            json.dumps(
                foreseen[n] if check else {"status": 201, "case_id": f"case-{n + 1}"}
            )
            for n, _ in enumerate(request.content.splitlines())
        )

    def submitted(self, request):
        document = json.loads(request.content)
        if document.get("channel") == "counter":
            fault = {
                "field": "channel",
                "message": "is not known",
                "remedy": "Use web.",
            }
            problem = {
                "code": "intake.invalid",
                "detail": "Correct.",
                "errors": [fault],
            }
            return httpx.Response(422, json=problem)
        if document.get("channel") == "fax":
            problem = {"code": "intake.store_unavailable", "detail": "Unknown."}
            return httpx.Response(503, json=problem)
        return httpx.Response(201, json=RECEIPT)

    def recorded(self, request):
        """Record the first history, know the second, refuse all others."""
        known = {"status": 404, "code": "handling.no_case"}
        refused = {"status": 409, "code": "case.history_begun", "detail": "Too late."}
        results = [{"status": 200, "repeated": n > 1} for n in (1, 2)]
        answers = [*results, refused] if self.cases_known else [*results, known]
        self.cases_known = True
        lines = request.content.splitlines()
        return "\n".join(json.dumps(answers[n]) for n in range(len(lines)))

    def settled(self, _client):
        self.waited += 1

    def taken_over(self, _client):
        self.took_over += 1

    def type(self, *words, stdin=None):
        return CliRunner().invoke(self.app, words, input=stdin)

    def sent(self):
        return json.loads(self.asked[-1].content)


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    rows = "".join(ROW.format(via="Web", number=number) for number in range(3))
    path.write_text(COLUMNS + rows, "utf-8")
    return path


def test_the_example_of_submit_is_received(desk):
    submit = typer.main.get_command(desk.app).commands["submit"]
    example = submit.epilog.removeprefix("Example: amends ")
    done = desk.type(*shlex.split(example))
    assert done.exit_code == 0, done.exception
    assert "4837 2915 0062 7714" in done.stdout


def test_flags_become_a_submission(desk):
    done = desk.type(
        *("submit", "--channel", "phone", "--statement", "It leaks.", "--name", "Ada"),
        *("--phone", "+44 20 7946 0958", "--model", "K-1", "--serial", "S"),
        *("--demand", "repair", "--demand", "improvement", "--key", "k", "--json"),
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == RECEIPT
    assert desk.sent() == {
        "channel": "phone",
        "statement": "It leaks.",
        "contact": {"name": "Ada", "phone": "+44 20 7946 0958"},
        "product": {"model": "K-1", "serial": "S"},
        "demand": ["repair", "improvement"],
    }
    assert desk.asked[-1].headers["idempotency-key"] == "k"


def test_a_receipt_for_people_can_be_read_aloud(desk):
    done = desk.type("submit", "--channel", "suggestion_box", "--statement", "x")
    assert "4837 2915 0062 7714" in done.stdout
    assert "AAAA-BBBB-CCCC" in done.stdout


def test_a_submission_from_a_file_or_standard_input(desk, tmp_path):
    path = tmp_path / "complaint.json"
    path.write_text('{"channel": "letter", "contact": {"name": "Ada"}}', "utf-8")
    given = ("--from", str(path), "--order-no", "7", "--statement", "It leaks.")
    assert desk.type("submit", *given).exit_code == 0
    assert desk.sent() == {
        "channel": "letter",
        "contact": {"name": "Ada"},
        "order_no": "7",
        "statement": "It leaks.",
    }
    boxed = {"channel": "suggestion_box", "statement": "It leaks."}
    desk.type("submit", "--from", "-", stdin=json.dumps(boxed))
    assert desk.sent() == boxed


@pytest.mark.parametrize(
    ("body", "code"),
    [("[]", "submit.no_object"), ('{"a":1,"a":2}', "json.refused"), ("{", "json.")],
)
def test_a_file_that_is_no_submission_sends_nothing(desk, body, code):
    done = desk.type("submit", "--from", "-", stdin=body)
    assert isinstance(done.exception, AmendsError)
    assert done.exception.code.startswith(code)
    assert desk.asked == []


def test_what_intake_would_refuse_is_refused_before_anything_is_started(desk):
    refused = desk.type("submit", "--channel", "pigeon").exception
    assert refused.code == "intake.invalid"
    assert {fault.field for fault in refused.errors} == {"--channel", "--statement"}
    assert desk.asked == []


def test_a_fault_of_a_flag_names_the_flag_and_one_of_a_file_its_field(desk):
    words = ("--channel", "phone", "--statement", "x", "--name", "Ada")
    (fault,) = desk.type("submit", *words).exception.errors
    assert fault.field == "--phone"
    assert fault.remedy == "On this channel, give --phone."
    (fault,) = desk.type("submit", *words, "--from", "-", stdin="{}").exception.errors
    assert fault.field == "contact.phone"
    (fault,) = desk.type(
        "submit", *words, "--phone", "1", "--demand", "x"
    ).exception.errors[-1:]
    assert fault.field == "--demand"


def test_a_refusal_of_intake_names_its_fields(desk):
    given = ("--channel", "counter", "--name", "Ada", "--statement", "x")
    refused = desk.type("submit", *given).exception
    assert refused.code == "intake.invalid"
    assert refused.errors[0].field == "channel"


def test_an_unknown_outcome_tells_the_key_to_use_again(desk):
    given = ("--channel", "fax", "--name", "Ada", "--statement", "x")
    refused = desk.type("submit", *given).exception
    key = desk.asked[-1].headers["idempotency-key"]
    assert f"--key {key}" in refused.detail


def test_an_import_sums_up_and_waits(desk, table):
    done = desk.type("import", str(table), "--format", "cfpb", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told.pop("source")["delimiter"] == ","
    batch = told.pop("batch")
    assert told == {
        "read": 3,
        "accepted": 3,
        "duplicates": 0,
        "rejected": 0,
    }
    assert desk.waited == 1
    (begun, about), (ended, whole) = desk.said
    assert begun == ended == f"/api/intake/imports/{batch}"
    assert about.items() < whole.items()
    assert about == {"file": whole["file"], "file_name": "rows.csv", "format": "cfpb"}
    assert (whole["read_rows"], whole["done"]) == (3, True)
    desk.type("import", str(table), "--format", "cfpb", "--no-wait")
    assert desk.waited == 1


def test_a_dry_run_needs_nobody(desk, table):
    desk.runs = False
    done = desk.type("import", str(table), "--format", "cfpb", "--dry-run")
    assert done.exit_code == 0
    assert "Nothing was sent" in done.stdout
    assert "amends is not running to be asked" in done.stdout
    assert desk.asked == desk.said == []


def test_a_dry_run_asks_what_was_received_before(desk, table, tmp_path):
    """One row is new, one known, one known with other contents: each is told."""
    rejects = tmp_path / "rejects.csv"
    given = ("import", str(table), "--format", "cfpb", "--dry-run")
    done = desk.type(*given, "--json", "--rejects", str(rejects))
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [told[name] for name in ("accepted", "duplicates", "rejected")] == [1, 1, 1]
    assert told.keys().isdisjoint({"batch", "duplicates_known"})
    assert [each.url.path for each in desk.asked] == ["/api/intake/complaints:check"]
    assert desk.said == []
    assert "Complaint ID '2' was received before" in rejects.read_text("utf-8")


def test_the_imports_are_listed(desk):
    assert desk.type("import", "--list").stdout == "Nothing was imported yet.\n"
    desk.imports = [
        {
            "batch": "20260101T000000Z-deadbeef", "file": "de" * 32,
            "begun_at": "2026-01-01T00:00:00.000000Z", "done_at": None,
            "actor": "operator", "cases": 1200, "revoked": revoked,
        } | ({"file_name": "shop.csv", "format": "shop"} if revoked else {})
        for revoked in (0, 7, 1200)
    ]  # fmt: skip
    listed = desk.type("import", "--list").stdout.splitlines()
    assert [line.split("  ")[0] for line in listed[1:]] == [
        "20260101T000000Z-deadbeef"
    ] * 3
    assert "dededededede" in listed[1]
    states = ("not finished", "7 revoked", "revoked")
    assert all(state in line for state, line in zip(states, listed[1:], strict=True))
    found = json.loads(desk.type("import", "--list", "--json").stdout)
    assert found == {"imports": desk.imports}


@pytest.mark.parametrize("words", [(), ("--list", "rows.csv")])
def test_an_import_is_of_a_file_or_asks_for_the_list(desk, words):
    assert desk.type("import", *words).exit_code == 2
    assert desk.asked == []


def test_a_table_from_standard_input(desk, table):
    done = desk.type(
        "import", "-", "--format", "cfpb", "--json", stdin=table.read_bytes()
    )
    assert json.loads(done.stdout)["accepted"] == 3


def test_rejected_rows_are_an_exit_status_of_their_own(desk, table, tmp_path):
    with table.open("a", encoding="utf-8") as file:
        file.write(ROW.format(via="Pigeon", number=9))
    rejects = tmp_path / "rejects.csv"
    told = desk.type("import", str(table), "--format", "cfpb")
    assert told.exit_code == 1
    assert "--rejects" in told.stdout
    reason = "import.row: Submitted via is no channel that the mapping file knows"
    assert f"1 × {reason}" in told.stdout  # noqa: RUF001 the sign, for people
    counted = json.loads(
        desk.type("import", str(table), "--format", "cfpb", "--json").stdout
    )
    assert counted["reasons"] == {reason: 1}
    kept = desk.type(
        "import", str(table), "--format", "cfpb", "--rejects", str(rejects)
    )
    assert kept.exit_code == 1
    assert str(rejects) in kept.stdout.replace("\n", "")
    assert len(rejects.read_text("utf-8").splitlines()) == 2


PAST = ",Date sent to company,Company response to consumer,Consumer disputed?"


@pytest.fixture
def past(tmp_path):
    path = tmp_path / "past.csv"
    rows = "".join(
        f"{ROW.format(via='Web', number=n).strip()},2011-12-2{n},Closed,\n"
        for n in (8, 9)
    )
    rows += f"{ROW.format(via='Web', number=7).strip()},2012-01-02,Closed,Yes\n"
    path.write_text(f"{COLUMNS.strip()}{PAST}\n{rows}", "utf-8")
    return path


def test_histories_follow_the_receipts_and_are_counted(desk, past):
    done = desk.type("import", str(past), "--format", "cfpb", "--history", "--json")
    assert done.exit_code == 1  # one was refused
    told = json.loads(done.stdout)
    assert told.pop("source")["kind"] == "csv"
    assert told.pop("batch") in desk.said[-1][0]
    assert desk.said[-1][1]["histories"] == 1
    assert told == {
        "read": 3,
        "accepted": 3,
        "duplicates": 0,
        "rejected": 0,
        "histories": {
            "recorded": 1,
            "duplicates": 1,
            "refused": 1,
            "contradictions": 2,
            "refusals": {"case.history_begun: Too late.": 1},
            "refused_lines": [{"line": 4, "why": "case.history_begun: Too late"}],
            "contradictory": [
                {"line": line, "what": "Date sent to company lies before Date received"}
                for line in (2, 3)
            ],
        },
    }
    assert (desk.took_over, desk.waited) == (1, 1)
    paths = [each.url.path for each in desk.asked]
    assert paths == ["/api/intake/complaints:batch", "/api/handling/commands:batch"]
    command = json.loads(desk.asked[-1].content.splitlines()[-1])
    assert [each["fact"] for each in command.pop("with")["facts"]] == [
        "assigned",
        "resolved",
        "appealed",
        "closed",
    ]
    assert command == {
        "case_id": "case-3",
        "command": "record-history",
        "idempotency_key": "history:case-3",
    }


def test_a_case_that_handling_does_not_have_yet_is_asked_for_again(
    desk, past, monkeypatch
):
    monkeypatch.setattr("services.intake.importing.sending.FIRST_PAUSE", 0)
    desk.cases_known = False
    done = desk.type("import", str(past), "--format", "cfpb", "--history")
    assert "refused             1" in done.stdout
    assert "    line 4: case.history_begun: Too late\n" in done.stdout
    assert "line 2: Date sent to company lies before" in done.stdout
    assert len(desk.asked) == 3


def test_a_history_that_is_refused_comes_back_with_its_row(desk, past, tmp_path):
    """It can be corrected and sent again as a row that is rejected can."""
    rejects = tmp_path / "rejects.csv"
    given = (
        "import",
        str(past),
        "--format",
        "cfpb",
        "--history",
        "--language",
        "zh-CN",
    )
    desk.type(*given, "--rejects", str(rejects))
    with rejects.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["行"], row["Complaint ID"]) == ("4", "7")
    assert row["原因"] == "case.history_begun: Too late"


def test_a_dry_run_tells_the_histories_that_would_be_refused(desk, past, tmp_path):
    desk.runs = False
    rejects = tmp_path / "rejects.csv"
    given = (
        "import",
        str(past),
        "--format",
        "cfpb",
        "--history",
        "--dry-run",
        "--json",
    )
    done = desk.type(*given, "--language", "zh-CN", "--rejects", str(rejects))
    assert done.exit_code == 1
    found = json.loads(done.stdout)["histories"]
    assert (found["recorded"], found["refused"]) == (2, 1)
    assert found["refused_lines"][0]["why"].startswith(
        "case.history_ahead: Date sent to company This fact lies in the future"
    )
    assert "Date sent to company 此事实发生在将来" in rejects.read_text("utf-8")


def test_a_dry_run_tells_the_contradictions_and_sends_nothing(desk, past):
    desk.runs = False
    done = desk.type(
        *("import", str(past), "--format", "cfpb", "--history", "--dry-run", "--json")
    )
    found = json.loads(done.stdout)["histories"]
    assert (found["recorded"], found["contradictions"]) == (2, 2)
    assert desk.asked == []


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_a_department_that_the_policy_does_not_have_sends_nothing(
    desk, past, tmp_path, how
):
    mapping = tmp_path / "own.toml"
    whole = (resources.files("services.intake") / "mappings/cfpb.toml").read_text()
    mapping.write_text(whole.replace('"external"', '"qualtiy"'), "utf-8")
    done = desk.type("import", str(past), "--format", str(mapping), "--history", *how)
    assert done.exception.code == "import.mapping"
    (fault,) = done.exception.errors
    assert fault.field == "history.facts.0.department"
    assert "'qualtiy'" in fault.message
    assert fault.remedy == "Use one of support, external."
    assert desk.asked == []


def test_words_that_the_mapping_does_not_know_are_told(desk, past):
    desk.runs = False
    rows = "".join(
        f"{ROW.format(via='Web', number=n).strip()},2011-12-31,{said}\n"
        for n, said in (
            (4, "Wholly new,No"),
            (5, "Wholly new,maybe"),
            (6, "In progress,N/A"),
        )
    )
    past.write_text(f"{COLUMNS.strip()}{PAST}\n{rows}", "utf-8")
    given = ("import", str(past), "--format", "cfpb", "--history", "--dry-run")
    found = json.loads(desk.type(*given, "--json").stdout)["histories"]
    response, disputed = "Company response to consumer", "Consumer disputed?"
    assert found["unknown_words"] == [
        {"column": response, "word": "Wholly new", "rows": 2},
        {"column": disputed, "word": "maybe", "rows": 1},
    ]
    told = desk.type(*given).stdout
    assert f"    {response}: 'Wholly new' (2)\n" in told
    assert f"    {disputed}: 'maybe' (1)\n" in told


def test_one_that_contradicts_itself_is_told_as_one(desk, past):
    lines = past.read_text("utf-8").splitlines(keepends=True)
    past.write_text("".join(lines[:2]), "utf-8")
    done = desk.type("import", str(past), "--format", "cfpb", "--history", "--dry-run")
    assert "  1 contradicts itself and is kept as stated:\n" in done.stdout


def test_without_a_history_in_the_mapping_there_is_none_to_take(desk, past, tmp_path):
    mapping = tmp_path / "own.toml"
    whole = resources.files("services.intake") / "mappings/cfpb.toml"
    mapping.write_text(whole.read_text("utf-8").partition("[[history")[0], "utf-8")
    done = desk.type("import", str(past), "--format", str(mapping), "--history")
    assert done.exception.code == "import.no_history"
    assert desk.asked == []


@pytest.fixture
def list_(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "Complaints 2026\nNo,Date,Channel,Description\n"
        "1,2026-01-31,phone,It \x1b[31mleaks\n2,2026-02-01,web,It hums\n",
        "utf-8",
    )
    return path


def test_a_list_without_a_mapping_is_read_by_the_names_of_its_columns(desk, list_):
    desk.runs = False
    shown = desk.type("import", str(list_), "--dry-run")
    assert shown.exit_code == 0, shown.stdout
    assert "header in line 2" in shown.stdout
    assert "occurred_on          Date\n" in shown.stdout
    assert "Line 3 would be:\n" in shown.stdout
    assert "  statement            It ·[31mleaks\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert desk.asked == []
    done = json.loads(desk.type("import", str(list_), "--json").stdout)
    assert done["accepted"] == 2
    assert done["columns"]["key"] == "No"


def test_what_is_in_doubt_is_asked_with_a_mapping_file_to_correct(
    desk, list_, tmp_path
):
    list_.write_text(list_.read_text("utf-8").replace("phone", "pigeon"), "utf-8")
    refused = desk.type("import", str(list_)).exception
    assert refused.code == "import.mapping_needed"
    assert 'key = "table:{No}"' in refused.detail
    assert desk.asked == []
    draft = tmp_path / "list.toml"
    told = desk.type("import", str(list_), "--write-mapping", str(draft))
    assert "'pigeon'" in told.stdout
    draft.write_text(
        draft.read_text("utf-8").replace('"pigeon" = ""', '"pigeon" = "letter"'),
        "utf-8",
    )
    done = desk.type("import", str(list_), "--format", str(draft), "--json")
    assert json.loads(done.stdout)["accepted"] == 2
    kept = desk.type("import", str(list_), "--write-mapping", str(draft)).exception
    assert kept.code == "import.mapping_unwritable"


def test_a_list_that_has_the_columns_of_a_format_is_not_guessed(desk, table):
    """Read by its columns the same complaints would have other keys."""
    refused = desk.type("import", str(table), "--dry-run").exception
    assert refused.code == "import.format_fits"
    assert "--format cfpb" in refused.detail
    assert desk.asked == []
    for format_, key in (("cfpb", "cfpb:2"), ("table", "table:2")):
        done = desk.type("import", str(table), "--format", format_)
        assert done.exit_code == 0, done.output
        last = desk.asked[-1].content.splitlines()[-1]
        assert json.loads(last)["idempotency_key"] == key


def test_a_word_that_is_left_out_is_counted(desk, list_, tmp_path):
    list_.write_text(list_.read_text("utf-8").replace("phone", "pigeon"), "utf-8")
    draft = tmp_path / "list.toml"
    desk.type("import", str(list_), "--write-mapping", str(draft))
    given = ("import", str(list_), "--format", str(draft))
    assert "channel pigeon is none of ours: left out" in desk.type(*given).stdout
    told = json.loads(desk.type(*given, "--dry-run", "--json").stdout)
    assert told["left_out"] == {"channel": {"pigeon": 1}}


def test_a_file_whose_import_was_revoked_says_how_to_count_it_again(desk, table):
    known = {
        "batch": "old",
        "begun_at": "2026-01-01T10:15:00.000000Z",
        "done_at": "2026-01-01T10:15:00.000000Z",
        "format": "cfpb",
        "cases": 3,
        "revoked": 3,
        "file": hashlib.sha256(table.read_bytes()).hexdigest(),
    }
    desk.imports = [known | {"batch": "again", "cases": 0, "revoked": 0}, known]
    done = desk.type("import", str(table), "--format", "cfpb")
    assert "imported as batch old on 2026-01-01 (cfpb, 3 complaints)." in done.stdout
    assert "3 of its complaints count in no figure" in done.stdout
    assert "amends import --reinstate old" in done.stdout
    listed = desk.type("import", "--list").stdout
    assert "nothing new" in listed
    assert "revoked" in listed
