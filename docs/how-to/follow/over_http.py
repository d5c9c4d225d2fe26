"""Keep a department's events over HTTP: `python over_http.py URL kept.sqlite`.

The token is in `FEED_TOKEN`. Events and cursor are one commit. Needs nothing
but Python.
"""

import argparse
import json
import os
import sqlite3
import sys
import time
from http import HTTPStatus
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

WAIT = 30


def read(address: str, token: str, cursor: str | None) -> dict:
    query = {"wait": WAIT} | ({"after": cursor} if cursor else {})
    request = Request(f"{address}/api/handling/feed?{urlencode(query)}")
    request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=2 * WAIT) as answer:
        return json.load(answer)


def keep(kept: sqlite3.Connection, page: dict) -> None:
    with kept:
        kept.executemany(
            "INSERT OR IGNORE INTO events (event_id, event) VALUES (?, ?)",
            [(event["event_id"], json.dumps(event)) for event in page["events"]],
        )
        kept.execute("REPLACE INTO place (id, cursor) VALUES (1, ?)", [page["cursor"]])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("kept")
    given = parser.parse_args()
    token = os.environ.get("FEED_TOKEN") or parser.error("set FEED_TOKEN")
    kept = sqlite3.connect(given.kept)
    kept.execute(
        "CREATE TABLE IF NOT EXISTS events"
        " (position INTEGER PRIMARY KEY, event_id TEXT UNIQUE, event TEXT)"
    )
    kept.execute(
        "CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, cursor TEXT)"
    )
    found = kept.execute("SELECT cursor FROM place").fetchone()
    cursor = found[0] if found else None
    while True:
        try:
            page = read(given.url, token, cursor)
        except HTTPError as refused:
            if (
                refused.code == HTTPStatus.CONFLICT
            ):  # the record was restored: begin again
                cursor = None
            elif refused.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                sys.exit(refused.read().decode())
            time.sleep(1)
        except (OSError, HTTPException):  # amends is away, or starts again
            time.sleep(1)
        else:
            keep(kept, page)
            cursor = page["cursor"]


if __name__ == "__main__":
    main()
