"""The desk with a million cases in its queue, beside the same with a thousand.

A thousand complaints are handed in; in a copy of the data folder the rows of the queue
are multiplied by SQL. Two amends serve them side by side, and each page asked for must
show as many open cases as there are.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import httpx

from bench.erasure.running import Amends, until
from bench.workload import Workload
from services.kernel.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measuring import Run

PAGES: Final = {"desk": "/desk", "queue": "/desk/cases", "due": "/desk/cases?sort=due"}
ASKED: Final = 10
SMALL: Final = 1_000
GREAT: Final = 1_000_000
QUICK: Final = (100, 2_000)
_LOGIN: Final = "bench"
_PASSWORD: Final = "a long enough password"  # noqa: S105 of nobody
_FORM: Final = re.compile(r'name="csrf"[^>]*value="([^"]+)"')
_OTHER: Final = {
    "case_id": "randomblob(16)",
    "receipt_no": "printf('%016d', 1000000000 + abs(random()) % 8000000000 * 1000000"
    " + seen.n)",
    "subject_id": "randomblob(16)",
    "received_at": "received_at - seen.n * 1000000",
    "next_due": "next_due - seen.n * 1000000",
    "unit_due": "unit_due - seen.n * 1000000",
}
"""What differs from row to row; the other columns are copied."""


def measure(run: Run) -> None:
    small, great = QUICK if run.quick else (SMALL, GREAT)
    first = Amends(run.folder / "small")
    run.say("handing in")
    with first.running() as client:
        _hand_in(run, client, small)
    second = Amends(run.folder / "great")
    shutil.copytree(first.data, second.data)
    run.say("multiplying the queue")
    cases = {small: first, great: second}
    _multiply(second.data / "handling" / "store.sqlite", great)
    with ExitStack() as running:
        clients = {
            count: _signed_in(running.enter_context(amends.running()))
            for count, amends in cases.items()
        }
        for count, client in clients.items():
            page = client.get("/desk").raise_for_status().text
            shown = re.sub(r"(?<=\d)[,\u00a0\u202f](?=\d)", "", page)
            run.agree(f"open cases of {count}", f">{count}<" in shown, expected=True)
        for name, path in PAGES.items():
            found = run.turns(
                {f"{n}": _asking(client, path) for n, client in clients.items()}
            )
            of_small, of_great = found[f"{small}"], found[f"{great}"]
            run.ratio(f"pages/{name}", of_great, of_small)
            took = [1e3 / rate for rate in of_great]
            run.figure(f"pages/{name}_ms", took, unit="ms", better="lower")


def _hand_in(run: Run, client: httpx.Client, count: int) -> None:
    workload = Workload(run.seed, system_clock() - timedelta(hours=1))
    lines = b"".join(
        json.dumps(
            {"channel": each.channel, "idempotency_key": each.key, **each.document}
        ).encode()
        + b"\n"
        for each in workload.messages(count)
    )
    headers = {"Content-Type": "application/x-ndjson"}
    client.post("/api/intake/complaints:batch", content=lines, headers=headers)
    until(lambda: _recorded(client) == count, "the cases are there")
    person = {"login": _LOGIN, "name": _LOGIN, "role": "agent"}
    place = {"department": "front-office", "password": _PASSWORD}
    client.post("/api/handling/users", json=person | place).raise_for_status()


def _recorded(client: httpx.Client) -> int:
    found: int = client.get("/api/progress").json()["handling"]["recorded"]
    return found


def _multiply(store: Path, count: int) -> None:
    """Have so many cases in the queue: copies of those that are there."""
    with closing(sqlite3.connect(store)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(work_list)")]
        (known,) = database.execute("SELECT COUNT(*) FROM work_list").fetchone()
        wanted = ", ".join(_OTHER.get(column, column) for column in columns)
        database.execute("PRAGMA synchronous = OFF")
        database.execute(
            f"WITH RECURSIVE seen (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seen"  # noqa: S608 our own names
            f" WHERE n < {-(-(count - known) // known)})"
            f" INSERT OR IGNORE INTO work_list ({', '.join(columns)})"
            f" SELECT {wanted} FROM seen, (SELECT * FROM work_list LIMIT {known})"
            f" LIMIT {count - known}"
        )
        database.commit()


def _signed_in(operator: httpx.Client) -> httpx.Client:
    """Sign in as a browser does."""
    browser = httpx.Client(
        base_url=operator.base_url, timeout=120, trust_env=False, follow_redirects=True
    )
    found = _FORM.search(browser.get("/access/login").text)
    if found is None:
        raise RuntimeError("there is no form to sign in with")
    form = {"login": _LOGIN, "password": _PASSWORD, "csrf": found[1]}
    browser.post("/access/login", data=form).raise_for_status()
    return browser


def _asking(client: httpx.Client, path: str) -> Callable[[], float]:
    def ask() -> float:
        begun = time.perf_counter()
        for _ in range(ASKED):
            client.get(path).raise_for_status()
        return ASKED / (time.perf_counter() - begun)

    return ask
