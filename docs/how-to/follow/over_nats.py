"""Keep a department's events from the bus: `python over_nats.py access.json kept.sqlite`.

`access.json` is the answer of `POST /api/handling/departments/{code}/credentials`.
An event is acknowledged after the commit; one that comes twice is kept once. What was
in hand when the program died comes again after what is new: `position` is the order.
"""

import argparse
import asyncio
import json
import sqlite3
from pathlib import Path

import nats
import nats.errors

PAGE = 100


async def follow(access: dict[str, str], kept: sqlite3.Connection) -> None:
    client = await nats.connect(
        access["nats_url"],
        nkeys_seed_str=access["seed"],
        inbox_prefix=access["inbox_prefix"],
        max_reconnect_attempts=-1,
    )
    feed = await client.jetstream(prefix=access["api_prefix"]).pull_subscribe_bind(
        durable=access["durable"],
        stream=access["stream"],
        inbox_prefix=f"{access['inbox_prefix']}.".encode(),
    )
    while True:
        try:
            messages = await feed.fetch(PAGE, timeout=5)
        except TimeoutError:
            continue
        except nats.errors.Error:  # the broker is away, or starts again
            await asyncio.sleep(1)
            continue
        with kept:
            kept.executemany(
                "INSERT OR IGNORE INTO events (event_id, position, event)"
                " VALUES (?, ?, ?)",
                [
                    (
                        message.headers["ce-id"],
                        int(message.headers["Amends-Position"]),
                        message.data.decode(),
                    )
                    for message in messages
                ],
            )
        for message in messages:
            await message.ack()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("access", type=Path)
    parser.add_argument("kept")
    given = parser.parse_args()
    access = json.loads(given.access.read_text(encoding="utf-8"))
    kept = sqlite3.connect(given.kept)
    kept.execute(
        "CREATE TABLE IF NOT EXISTS events"
        " (event_id TEXT PRIMARY KEY, position INTEGER, event TEXT)"
    )
    asyncio.run(follow(access, kept))


if __name__ == "__main__":
    main()
