"""Writes the reference pages that the code knows best: `python -m tests.support.reference_pages`."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import typer

from services.cli import app
from services.handling.domain.refusals import FORBIDDEN
from services.handling.domain.refusals import REFUSALS as CASE_REFUSALS
from services.kernel import errors
from services.kernel.errors import AmendsError
from services.kernel.measures import MEASURES
from services.kernel.settings import settings_reference
from services.kernel.web.problems import STATUSES

ROOT: Final = Path(__file__).resolve().parents[2]

SETTINGS: Final = """\
# Settings

amends reads its settings from the environment, once, at start.
All faults are told at once, each with its remedy, and nothing starts until they are mended; a variable that begins with `AMENDS_` and is none of these is a fault too.
An empty value counts as none.

| variable | default | what it says | allowed |
|---|---|---|---|
"""

COMMANDS: Final = """\
# Commands

`amends VERB --help` says the same on the terminal.
Exit status: 0 done, 1 refused or found wrong, 2 misused.
A refusal is told on standard error: what to do, its [code](refusals.md), and each field at fault.

Verbs work on the installation in `AMENDS_DATA`: through the services that run there, or through ones started for the length of the verb.
Where there is no installation they refuse; only `submit`, `import`, `access token create`, `access user create` and `demo` make one, and say so.

What is printed for people is never cut.
In a pipe a row is a line, its columns aligned by spaces; on a terminal that is too narrow for a line each row becomes several.
Programs ask for `--json`.

`amends --install-completion` lets bash, zsh, fish and PowerShell complete verbs and options.
"""

REFUSALS: Final = """\
# Refusals

Every refusal has a code that never changes its meaning, and a sentence that says what to do.
Over HTTP it is an `application/problem+json`: `code`, `detail`, `errors` with `field`, `message` and `remedy` for each field at fault, and `correlation_id`, by which the log can be searched.
On the command line it is a line on standard error and exit status 1.
`…` stands for what the case at hand puts there.

| code | status | what to do |
|---|---|---|
"""


METRICS: Final = """\
# Figures of the services

Each process tells its figures at [`GET /metrics`](http.md#get-metrics), in the form of Prometheus; `amends top` shows them in a terminal, and `deploy/prometheus/alerts.yml` watches over them.
They hold no personal data: every label is a code of amends, of the policy or of a channel.
Asking costs a few reads of an index and two words with the broker for each durable, however long the history is; what does not answer within 2 s is left out and counted in `amends_figures_missing`.

A *follower* is whoever reads a record or a stream in its order:

| `follower` | `service` | what it does |
|---|---|---|
| `relay_INTAKE` | intake | publishes what intake recorded |
| `relay_CASES`, `relay_DEPARTMENTS` | handling | publishes what handling recorded, and each department's copies |
| `consumer` | handling | makes cases of complaints |
| `consumer` | intake | keeps what customers see of their case |
| `consumer`, `rows` | analytics | keeps the rows of figures; `rows` counts what lies behind a hole in them |
| `submissions` | intake | takes complaints in from the stream SUBMIT |
| `words` | intake, handling | keeps the index by which words are found |
| `sealer` | intake, handling, access | extends the ledger; on SQLite never behind |

The program of a department has figures of its own, `amends_feed_…`; one that reads by HTTP keeps its own position, and amends does not know it.
What the libraries tell of the process (`process_resident_memory_bytes`, `python_gc_…`) stands beside.

| figure | kind | labels | what it says |
|---|---|---|---|
"""


def metrics() -> str:
    return METRICS + "".join(
        f"| `{each.name}` | {each.kind} "
        f"| {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |\n"
        for each in MEASURES
    )


def settings() -> str:
    return SETTINGS + "".join(
        f"| `{row.variable}` | {f'`{row.default}`' if row.default else ''} "
        f"| {row.description} | {row.allowed} |\n"
        for row in settings_reference()
    )


def commands() -> str:
    return COMMANDS + "".join(_command(typer.main.get_command(app), ("amends",)))


def _command(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    """Describe a command, or each command of a group, from what `--help` is made of."""
    if below := getattr(command, "commands", None):
        for name in sorted(below):
            yield from _command(below[name], (*words, name))
        return
    context = command.context_class(command)
    usage = " ".join([*words, *command.collect_usage_pieces(context)])
    yield f"\n## {' '.join(words)}\n\n```text\n{usage}\n```\n\n{_prose(command.help)}"
    records = [parameter.get_help_record(context) for parameter in command.params]
    if records:
        yield "\n| | |\n|---|---|\n"
        for names, text in records:
            yield f"| `{names}` | {_prose(text).strip()} |\n"
    if command.epilog:
        yield f"\n```console\n$ {command.epilog.removeprefix('Example: ')}\n```\n"


def _prose(text: str | None) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", (text or "").strip()) + "\n"


def refusals() -> str:
    found: dict[str, tuple[str, set[str]]] = {}
    for path in sorted((ROOT / "services").rglob("*.py")):
        for code, family, detail in _refusals_of(ast.parse(path.read_text())):
            found.setdefault(code, (_status(family), set()))[1].add(detail)
    for code, detail in CASE_REFUSALS.items():
        family = "ForbiddenError" if code in FORBIDDEN else "RefusedError"
        found[code] = _status(family), {detail.format(allowed="…")}
    return REFUSALS + "".join(
        f"| `{code}` | {status} | {' · '.join(sorted(details))} |\n"
        for code, (status, details) in sorted(found.items())
    )


def _refusals_of(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Find calls of a family of errors with a code, a dotted constant, before all."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id=family) | ast.Attribute(attr=family),
                args=[ast.Constant(value=str(code)), said, *_],
            ) if family in FAMILIES and re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)+", code):
                yield code, family, _sentence(said)


FAMILIES: Final[dict[str, type[AmendsError]]] = {
    name: family
    for name, family in vars(errors).items()
    if isinstance(family, type) and issubclass(family, AmendsError)
}


def _status(family: str) -> str:
    statuses = (STATUSES.get(base) for base in FAMILIES[family].__mro__)
    found = next((status for status in statuses if status), "")
    return str(found or (500 if family == "AmendsError" else ""))


def _sentence(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            said = text
        case ast.JoinedStr(values=parts):
            said = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…"
                for part in parts
            )
        case _:
            said = "…"  # put together elsewhere
    return said.replace("|", "\\|")


PAGES: Final[dict[Path, Callable[[], str]]] = {
    ROOT / "docs/reference/settings.md": settings,
    ROOT / "docs/reference/metrics.md": metrics,
    ROOT / "docs/reference/cli.md": commands,
    ROOT / "docs/reference/refusals.md": refusals,
}

if __name__ == "__main__":
    for page, text in PAGES.items():
        page.write_text(text(), encoding="utf-8")
