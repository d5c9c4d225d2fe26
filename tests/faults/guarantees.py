"""The table of guarantees, from what was printed: `python -m tests.faults.guarantees`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE: Final = Path("docs/explanation/guarantees.md")
BEGIN: Final = "<!-- from build/faults.json: python -m tests.faults.guarantees -->"
END: Final = "<!-- end of the table -->"
QUIET: Final = {"seed", "seconds"}


def rows(found: dict[str, Any]) -> Iterator[str]:
    """Write the table: what is promised, what was tried and found, by which command."""
    machine = found["machine"]
    yield (
        f"Commit `{found['commit']}`, size `{found['size']}`, seed {found['seed']}, on"
        f" {machine['cores']} cores ({machine['cpu']}), Python {machine['python']},"
        f" SQLite {machine['sqlite']}, nats-server {machine['nats-server']}."
    )
    yield ""
    yield "| | promise | figure | held | control | command |"
    yield "|---|---|---|---|---|---|"
    for each in found["promises"]:
        said = each["promise"].partition(": ")[2] or each["promise"]
        yield (
            f"| {each['name']} | {said[:1].upper()}{said[1:]} | {_figure(each)} |"
            f" {_held(each)} | {_control(each)} | `{each['command']}` |"
        )


def _figure(each: dict[str, Any]) -> str:
    """Give the line without its name, its seed and how long it took."""
    words = each["line"].split()[1:]
    kept = [word for word in words if word.partition("=")[0] not in QUIET]
    return f"`{' '.join(kept)}`"


def _held(each: dict[str, Any]) -> str:
    if each["skipped"]:
        return "skipped"
    return "yes" if each["held"] else "**no**"


def _control(each: dict[str, Any]) -> str:
    lost: bool | None = each["control_lost"]
    if lost is None:
        return "not run"
    return "lost, as it must" if lost else "**did not lose**"


def put_into(page: str, found: dict[str, Any]) -> str:
    """Replace what is between the two marks; the same figures change nothing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = "the page has no marks for the table"
        raise ValueError(message)
    table = "\n".join(rows(found))
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "found", type=Path, nargs="?", default=Path("build/faults.json")
    )
    read = parser.parse_args(given)
    found = json.loads(read.found.read_text(encoding="utf-8"))
    PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
