"""Hand a complaint in over the bus: `python over_nats.py access.json complaint.json KEY`.

`access.json` is what `amends access channel credentials CHANNEL --json` prints. Prints
the receipt. No answer means unknown: run it again with the same key.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import nats
import nats.errors


async def handed_in(access: dict[str, str], complaint: bytes, key: str) -> bytes:
    client = await nats.connect(
        access["nats_url"],
        nkeys_seed_str=access["seed"],
        inbox_prefix=access["inbox_prefix"],
    )
    try:
        while True:
            try:
                answer = await client.request(
                    access["ask"],
                    complaint,
                    timeout=10,
                    headers={"Idempotency-Key": key},
                )
            except nats.errors.NoRespondersError:  # amends is away, or starts again
                await asyncio.sleep(1)
                continue
            return answer.data
    finally:
        await client.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("access", type=Path)
    parser.add_argument("complaint", type=Path)
    parser.add_argument("key")
    given = parser.parse_args()
    access = json.loads(given.access.read_text(encoding="utf-8"))
    answer = asyncio.run(handed_in(access, given.complaint.read_bytes(), given.key))
    print(answer.decode())
    sys.exit(json.loads(answer)["status"] >= 400)


if __name__ == "__main__":
    main()
