"""Hold what amends has stored, sent and counted against the oracle."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from nats.js.api import ConsumerConfig, DeliverPolicy

from bench.processes import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.measuring import Run
    from bench.oracle import Oracle
    from bench.processes import Amends

_CASE: Final = """
    SELECT s.channel || '/' || s.key, s.case_id FROM submission AS s"""
_SILENCE: Final = 3.0  # seconds after which a stream has nothing more


def check(run: Run, amends: Amends, oracle: Oracle) -> None:
    """Compare rows, positions, states, figures, streams, rejects, ledger and rebuild."""
    run.say("checking")
    keys = {case: key for key, case in amends.rows("intake/store", _CASE)}
    run.agree("cases", sorted(keys.values()), sorted(oracle.cases))
    _events(run, amends, oracle, keys)
    _rejected(run, amends, oracle)
    _sealed(run, amends, oracle)
    _states(run, amends, oracle, keys)
    _figures(run, amends, oracle)
    asyncio.run(_streams(run, amends, oracle))
    amends.verb("audit", "verify")  # exits 1 where anything does not fit
    run.agree("ledger", found=True, expected=True)
    _rebuilt(run, amends)


def _events(
    run: Run, amends: Amends, oracle: Oracle, keys: Mapping[bytes, str]
) -> None:
    """Every event once, each case's in order, positions without a gap."""
    stored = amends.rows(
        "handling/store",
        "SELECT position, case_id, version, type FROM stored_events ORDER BY position",
    )
    run.agree("positions", [row[0] for row in stored], list(range(1, len(stored) + 1)))
    histories: dict[str, list[str]] = {}
    for _, case, version, type_ in stored:
        history = histories.setdefault(keys[case], [])
        history.append(type_)
        run.agree("versions", version, len(history))
    expected = {key: case.events for key, case in oracle.cases.items()}
    run.agree("events", histories, expected)
    received = amends.rows("intake/store", "SELECT position FROM stored_events")
    run.agree("received", sorted(received), [(n,) for n in range(1, len(expected) + 1)])


def _rejected(run: Run, amends: Amends, oracle: Oracle) -> None:
    query = "SELECT code, COUNT(*) FROM refused_at_door GROUP BY code"
    run.agree(
        "rejected", dict(amends.rows("intake/store", query)), dict(oracle.rejected)
    )


def _sealed(run: Run, amends: Amends, oracle: Oracle) -> None:
    query = "SELECT COUNT(*) FROM vault_document WHERE kind IN "
    query += "('statement', 'particulars', 'desired_outcome')"
    found = amends.rows("intake/store", query)[0][0]
    run.agree("documents", found, oracle.documents())
    subjects = amends.rows(
        "intake/store", "SELECT COUNT(DISTINCT subject_id) FROM blind_mark"
    )
    run.agree("people", subjects[0][0], oracle.people)


def _states(
    run: Run, amends: Amends, oracle: Oracle, keys: Mapping[bytes, str]
) -> None:
    """In the queue, for the customer, and in the rows of figures."""
    queue = {
        keys[case]: (state, department, version)
        for case, state, department, version in amends.rows(
            "handling/store",
            "SELECT case_id, state, department, version FROM work_list",
        )
    }
    expected = {
        key: (case.state, case.department, len(case.events))
        for key, case in oracle.cases.items()
    }
    run.agree("queue", queue, expected)
    standing = amends.rows("intake/store", "SELECT case_id, state FROM standing")
    states = {key: case.state for key, case in oracle.cases.items()}
    run.agree("status", {keys[case]: state for case, state in standing}, states)
    facts = amends.rows(
        "analytics/facts",
        "SELECT case_id, state, channel, root_cause FROM complaint_row"
        " WHERE to_position IS NULL",
    )
    known = {key: (c.state, c.channel, c.cause) for key, c in oracle.cases.items()}
    run.agree("rows", {keys[case]: tuple(rest) for case, *rest in facts}, known)


def _figures(run: Run, amends: Amends, oracle: Oracle) -> None:
    with amends.client("analytics") as client:
        path = "/api/analytics/frequency"
        for dimension in ("channel", "category"):
            answer = client.get(path, params={"group_by": dimension})
            rows = answer.raise_for_status().json()["rows"]
            found = {row[dimension]: row["count"] for row in rows}
            run.agree(dimension, found, dict(oracle.count(dimension)))
        answer = client.get("/api/analytics/root-causes", params={"basis": "found"})
        rows = answer.raise_for_status().json()["rows"]
    causes = {cause: count for cause, count in oracle.count("cause").items() if cause}
    found = {row["cause"]: row["count"] for row in rows if row["cause"] in causes}
    run.agree("causes", found, causes)


async def _streams(run: Run, amends: Amends, oracle: Oracle) -> None:
    """Every event once on CASES, every complaint once on INTAKE, every copy once."""
    client = await amends.connect()
    try:
        intake = await _ids(client, "INTAKE")
        run.agree("INTAKE", sorted(intake.values()), [1] * len(oracle.cases))
        cases = await _ids(client, "CASES")
        events = sum(oracle.events().values())
        run.agree("CASES", sorted(cases.values()), [1] * events)
        copies = await _ids(client, "DEPARTMENTS")
        run.agree("copies", set(copies.values()), {1} if copies else set())
        given = Counter(
            subject.split(".")[2]
            for subject, _ in copies
            if subject.endswith(".DepartmentAssigned")
        )
        departments = oracle.count("department")
        departments.pop(None, None)
        run.agree("assigned", dict(given), dict(departments))
    finally:
        await client.close()


async def _ids(client: Any, stream: str) -> Counter[tuple[str, str]]:
    """Count what a stream holds by subject (of a department's copy) and event id."""
    js = client.jetstream()
    expected = (await js.stream_info(stream)).state.messages
    config = ConsumerConfig(headers_only=True, deliver_policy=DeliverPolicy.ALL)
    found: Counter[tuple[str, str]] = Counter()
    messages = await js.subscribe(
        "", stream=stream, ordered_consumer=True, config=config
    )
    for _ in range(expected):
        message = await messages.next_msg(timeout=PATIENCE)
        found[message.subject, message.headers["ce-id"]] += 1
    await messages.unsubscribe()
    return found


def _rebuilt(run: Run, amends: Amends) -> None:
    """Have the rows made anew from the log: they must be the same."""
    query = "SELECT * FROM complaint_row ORDER BY case_id, from_position"
    before = amends.rows("analytics/facts", query)
    with amends.client("analytics") as client:
        client.post("/api/analytics/rebuild").raise_for_status()
        ends = time.monotonic() + PATIENCE
        while True:
            progress = client.get("/api/analytics/rebuild").raise_for_status().json()
            if progress["state"] != "running" or time.monotonic() > ends:
                break
            time.sleep(0.2)
    run.agree("rebuild", progress["state"], "done")
    run.agree("rebuilt rows", amends.rows("analytics/facts", query), before)
