"""`amends backup`, `restore`, `reconcile`: what they print, and what they start."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from services.backup.broker import beside_running, started_alone
from services.backup.reconciling import Reconciled, look, mend, put_right
from services.backup.recovery import keep_left
from services.backup.restoring import Restore
from services.backup.taking import take
from services.cli.client import running_here, with_services
from services.cli.erasing import erase_again
from services.cli.printing import REFUSED, show
from services.handling.main import default_policy
from services.kernel.clock import system_clock
from services.kernel.errors import AmendsError, RefusedError
from services.kernel.folder import DataFolder
from services.kernel.logs import configure
from services.kernel.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from services.backup.reconciling import Finding
    from services.backup.recovery import Recovered
    from services.backup.restoring import Plan, Restored
    from services.kernel.settings import Settings

    Told = Callable[[str, int, int], None]


def backup(target: Path, keys: Path | None, *, as_json: bool) -> None:
    """Take a backup, and say what is in it."""
    settings = load_settings()
    with _bar() as told:
        taken = take(settings, target, keys, now=system_clock(), progress=told)
    found = {
        "backup": str(target),
        "keys": None if keys is None else str(keys),
        **_plain(taken.manifest),
    }
    human = [f"Backed up to {target}: {_size(taken.manifest)}, verified."]
    human += _reach(taken.manifest)
    if taken.keys is not None:
        human.append(f"The keys are in {keys}: keep them apart, and for days only.")
    else:
        human.append("No keys: without a backup of theirs no word can be read again.")
    if taken.manifest["objects"] != "folder":
        human.append(f"Files stay in {taken.manifest['objects']}: keep versions there.")
    show(found, as_json=as_json, human="\n".join(human))


def verify(target: Path, keys: Path | None, *, as_json: bool) -> None:
    """Compare a backup with its digests; exit status 1 where one differs."""
    settings = load_settings()
    with (
        _restore(settings, target, keys, replace=False, staging=False) as restoring,
        _bar() as told,
    ):
        plan = restoring.plan(told)
    human = [*_reach(plan.backup), *plan.faults]
    human.append(
        "It is damaged." if plan.faults else "Every file is as it was written."
    )
    found = {"ok": not plan.faults, "faults": plan.faults, **plan.backup}
    show(found, as_json=as_json, human="\n".join(human))
    if plan.faults:
        sys.exit(REFUSED)


def restore(
    source: Path,
    keys: Path | None,
    *,
    replace: bool,
    staging: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Look, then put the backup back, then erase again who had been erased."""
    settings = load_settings()
    configure(settings.log_format, "warning")
    _require_stopped(settings)
    with _restore(
        settings, source, keys, replace=replace, staging=staging
    ) as restoring:
        with _bar() as told:
            plan = restoring.plan(told)
        if dry_run:
            _foretell(restoring, plan, as_json=as_json)
            return
        restoring.require_ready(plan)
        restoring.folder.make()
        departments = tuple(default_policy().departments)
        with restoring.folder.held(), _bar() as told:
            done = asyncio.run(restoring.run(plan, departments, told))
    erased = (
        with_services(lambda client, _: erase_again(client, done.register))
        if done.register
        else 0
    )
    show(
        _planned(plan) | {"recovered": _recovered(done.recovered), "erased": erased},
        as_json=as_json,
        human="\n".join(_restored(done, erased)),
    )


def _foretell(restoring: Restore, plan: Plan, *, as_json: bool) -> None:
    """Say what would be done; exit status 1 where it would be refused."""
    refused: AmendsError | None = None
    try:
        restoring.require_place(plan)
    except RefusedError as error:
        refused = error
    found = _planned(plan)
    lines = _plan(plan)
    if refused is not None:
        found |= {"ok": False, "refused": refused.code}
        lines.append(f"It would be refused: {refused.detail} [{refused.code}]")
    show(found, as_json=as_json, human="\n".join([*lines, "Nothing was changed."]))
    if plan.faults or refused is not None:
        sys.exit(REFUSED)


def reconcile(*, dry_run: bool, as_json: bool) -> None:
    """Compare and mend; exit status 1 where a dry run found something."""
    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.require()
    folder.require_whole()
    configure(settings.log_format, "warning")
    running = running_here(settings)
    departments = tuple(default_policy().departments)
    recovered: Sequence[Recovered] = ()

    async def work() -> Reconciled:
        nonlocal recovered
        reached = (
            beside_running(settings, folder)
            if running
            else started_alone(settings, folder, departments)
        )
        async with reached as client:
            found = await look(client, settings, folder)
            if dry_run or found.sound:
                return found
            if not found.needs_recovery:
                return await mend(client, settings, folder, departments, found)
            if running:
                raise RefusedError(
                    "reconcile.stop_first",
                    "The streams have events that the records lack: stop amends, then"
                    " run this again.",
                )
            recovered = await put_right(
                client,
                settings,
                folder,
                departments,
                before_streams=lambda parts: keep_left(folder, parts),
            )
            return found

    with contextlib.ExitStack() as held:
        if not running:
            held.enter_context(folder.held())
        found = asyncio.run(work())
    told = {
        "sound": found.sound,
        "changed": not (dry_run or found.sound),
        "streams": [_stream(each) for each in found.findings],
        "recovered": _recovered(recovered),
    }
    human = [_line(each) for each in found.findings]
    human += _recovered_lines(recovered)
    if not (dry_run or found.sound or running):
        human.append("The streams are filled again at the next start.")
    show(told, as_json=as_json, human="\n".join(human))
    if dry_run and not found.sound:
        sys.exit(REFUSED)


@contextlib.contextmanager
def _restore(
    settings: Settings, source: Path, keys: Path | None, *, replace: bool, staging: bool
) -> Iterator[Restore]:
    restoring = Restore(settings, source, keys, replace=replace, staging=staging)
    with contextlib.closing(restoring):
        yield restoring


def _require_stopped(settings: Settings) -> None:
    if running_here(settings):
        raise RefusedError(
            "restore.running", "amends is running here: stop it, then try again."
        )


@contextlib.contextmanager
def _bar() -> Iterator[Told]:
    """Show on a terminal how far each step is."""
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks: dict[str, Any] = {}

        def told(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=done, total=total)

        yield told


def _plain(manifest: dict[str, Any]) -> dict[str, Any]:
    files = manifest["files"]
    rest = {name: value for name, value in manifest.items() if name != "files"}
    return rest | {"files": len(files), "bytes": sum(each["bytes"] for each in files)}


def _size(manifest: dict[str, Any]) -> str:
    files = manifest["files"]
    total = sum(each["bytes"] for each in files)
    return f"{len(files)} files, {total / 1_000_000:.1f} MB"


def _reach(manifest: dict[str, Any]) -> list[str]:
    """Say what is backed up, and how far each record reaches."""
    whose = f"{manifest['tenant']}, {manifest['database']}, amends {manifest['amends']}"
    return [
        f"Taken {manifest['taken_at']} of {whose}:",
        *(
            f"  {name}: {about['events']} events, to position {about['position']}"
            for name, about in manifest["records"].items()
        ),
    ]


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "ok": not plan.faults,
        "backup": plan.backup,
        "keys": plan.keys,
        "replaces": plan.replaces,
        "staging": plan.staging,
        "faults": plan.faults,
    }


def _plan(plan: Plan) -> list[str]:
    keys = {
        "given": "from the backup of the keys",
        "kept": "those of the folder stay",
        "none": "none: no word could be read",
    }
    return [
        *_reach(plan.backup),
        f"As: {_kind(plan)}",
        f"Replaces what is there: {'yes, with --replace' if plan.replaces else 'no'}",
        f"Keys: {keys[plan.keys]}",
        *plan.faults,
    ]


def _kind(plan: Plan) -> str:
    return (
        "staging: a copy to try things on, which sends nothing"
        if plan.staging
        else "live"
    )


def _restored(done: Restored, erased: int) -> list[str]:
    taken = done.plan.backup["taken_at"]
    lines = [f"Restored the backup of {taken} as {_kind(done.plan)}."]
    lines += _recovered_lines(done.recovered)
    if erased:
        lines.append(f"Erased again: {erased}.")
    if not done.plan.staging:
        lines.append(
            "Lost is what had not been published when the old record was lost, and of"
            " recovered events what lay beside them: words, files, keys of requests."
        )
    lines.append("Users, tokens and sign-ins are those of the backup.")
    lines.append("Start it with `amends up`; the streams are filled again then.")
    return lines


def _recovered(parts: Sequence[Recovered]) -> list[dict[str, Any]]:
    return [
        {"record": each.record, "events": each.events, "left": len(each.left)}
        for each in parts
    ]


def _recovered_lines(parts: Sequence[Recovered]) -> list[str]:
    lines = [
        f"Recovered from the streams: {each.record}, {each.events} events"
        for each in parts
    ]
    left = sum(len(each.left) for each in parts)
    if left:
        lines.append(
            f"{left} published events fit the record no more: their bytes are in"
            " not-recovered.ndjson of the data folder."
        )
    return lines


def _stream(finding: Finding) -> dict[str, Any]:
    return {
        "record": finding.record,
        "stream": finding.stream.value,
        "action": finding.action,
        "there": finding.there,
        "messages": finding.messages,
        "missing": finding.missing,
        "behind": finding.behind,
        "others": finding.others,
        "fuller": finding.fuller,
        "strangers": len(finding.strangers),
    }


def _line(finding: Finding) -> str:
    told = {
        "none": "as the record says",
        "remove_strangers": "strangers are removed",
        "fill_again": "emptied, to be filled again",
        "recover_first": "the record is recovered from it, then it is filled again",
    }
    counts = ", ".join(
        f"{value} {name}"
        for name, value in (
            ("missing", finding.missing),
            ("not published yet", finding.behind),
            ("of another history", finding.others),
            ("of nobody", len(finding.strangers)),
        )
        if value
    )
    there = f"{finding.messages} messages" if finding.there else "is not there"
    rest = f", {counts}" if counts else ""
    return f"{finding.stream.value}: {there}{rest}: {told[finding.action]}"
