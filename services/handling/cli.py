"""What `amends audit replay` has done by processes of its own: one partition each."""

from contextlib import closing

from services.handling.application.replaying import Part, replay_part
from services.handling.persistence.case_order import in_case_order
from services.kernel.store.database import open_database


def replay_partition(url: str, schema: str, partition: int, position: int) -> Part:
    """Replay one partition of the record at this address up to a position."""
    with closing(open_database(url, schema=schema, read_only=True)) as database:
        return replay_part(in_case_order(database, partition, upto=position))
