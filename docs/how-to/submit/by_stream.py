"""Leave complaints on the bus: `python by_stream.py access.json complaints.ndjson`.

Each line is a complaint. The broker keeps them while amends is away; each is answered
with its receipt once it is committed, and its words are then wiped from the broker.
Prints the answers. The key of a line is made from its words: running it again hands
nothing in twice.
"""

import argparse
import asyncio
import hashlib
import json
from pathlib import Path

import nats


async def leave(access: dict[str, str], complaints: list[bytes]) -> None:
    client = await nats.connect(
        access["nats_url"],
        nkeys_seed_str=access["seed"],
        inbox_prefix=access["inbox_prefix"],
        max_reconnect_attempts=-1,
    )
    inbox = client.new_inbox()  # answers come nowhere else
    answers = await client.subscribe(inbox)
    for complaint in complaints:
        headers = {
            "Idempotency-Key": hashlib.sha256(complaint).hexdigest(),
            "Amends-Reply-To": inbox,
        }
        stored = await client.request(
            access["submit"], complaint, timeout=10, headers=headers
        )
        assert "seq" in json.loads(stored.data), stored.data  # the broker has it
    for _ in complaints:
        answer = await answers.next_msg(timeout=None)
        print(answer.data.decode(), flush=True)
    await client.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("access", type=Path)
    parser.add_argument("complaints", type=Path)
    given = parser.parse_args()
    asyncio.run(
        leave(
            json.loads(given.access.read_text(encoding="utf-8")),
            given.complaints.read_bytes().splitlines(),
        )
    )
