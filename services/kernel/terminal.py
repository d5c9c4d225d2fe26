"""Rows for people: aligned columns with every cell whole, on a terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

_GAP: Final = "  "


def print_rows(
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, str]],
    *,
    numbers: Container[str] = (),
    narrow: Callable[[Mapping[str, str]], str] | None = None,
) -> None:
    """Print `rows` under the headings `columns`, both by the column's name.

    Nothing is cut, folded or framed. In a pipe a row is a line and every column is
    there. On a terminal, columns that are empty in all rows are left out, and where
    the lines are longer than it is wide, each row becomes lines of its own: those that
    `narrow` makes of it, else one for each cell.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        columns = {
            name: heading
            for name, heading in columns.items()
            if any(row[name] for row in rows)
        }
    told: Iterable[str | Text]
    lines = [*_aligned([columns, *rows], columns, numbers)]
    if console.is_terminal and max(map(cell_len, lines)) > console.width:
        told = [*map(narrow, rows)] if narrow else _blocks(columns, rows)
    else:
        told = [Text(lines[0], style="bold"), *lines[1:]]
    for each in told:
        console.print(each, soft_wrap=True)


def _aligned(
    rows: Sequence[Mapping[str, str]],
    columns: Iterable[str],
    numbers: Container[str],
) -> Iterable[str]:
    """Give a line for each row; cells of `numbers` stand right in their column."""
    widths = {name: max(cell_len(row[name]) for row in rows) for name in columns}
    for row in rows:
        cells = []
        for name, width in widths.items():
            space = " " * (width - cell_len(row[name]))
            cells.append(space + row[name] if name in numbers else row[name] + space)
        yield _GAP.join(cells).rstrip()


def _blocks(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, str]]
) -> Iterable[Text]:
    """Give `heading  cell` for each cell that holds something, a gap between rows."""
    width = max(map(cell_len, columns.values()))
    for number, row in enumerate(rows):
        if number:
            yield Text()
        for name, heading in columns.items():
            if row[name]:
                label = heading + " " * (width - cell_len(heading)) + _GAP
                yield Text.assemble((label, "bold"), row[name])
