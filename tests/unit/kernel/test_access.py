"""Credentials: unknown tokens are refused, the operator's way in is the owner's."""

import json
from pathlib import Path

import pytest

from services.kernel.access import (
    ANONYMOUS,
    OPERATOR,
    Credential,
    OperatorTokens,
    Runtime,
    new_token,
    read_runtime,
    remove_runtime,
    require_service,
    write_runtime,
)
from services.kernel.errors import ForbiddenError, UnauthenticatedError

TOKEN = "amends_" + "t" * 43  # as new_token() makes them
TOKENS = OperatorTokens({TOKEN: OPERATOR})


def test_no_header_is_a_stranger_and_the_token_is_the_operator() -> None:
    assert TOKENS.authenticate(None) == ANONYMOUS
    assert TOKENS.authenticate(f"Bearer {TOKEN}") == OPERATOR
    assert TOKENS.authenticate(f"bearer  {TOKEN} ") == OPERATOR


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer \xff",
    ],
)
def test_any_other_header_is_refused_rather_than_ignored(header: str) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        TOKENS.authenticate(header)
    assert TOKEN not in str(refused.value)


def test_without_any_token_nobody_is_the_operator() -> None:
    with pytest.raises(UnauthenticatedError):
        OperatorTokens({}).authenticate("Bearer ")


def test_channels_come_from_the_credential() -> None:
    shop = Credential("shop", "connector", channel="email")
    agent = Credential("zhou", "handler", department="service")
    may = {
        who.actor: [c for c in ("web", "email", "phone") if who.may_submit_on(c)]
        for who in (ANONYMOUS, shop, agent, OPERATOR)
    }
    assert may == {
        "anonymous": ["web"],
        "shop": ["email"],
        "zhou": ["web", "email", "phone"],
        "operator": ["web", "email", "phone"],
    }
    assert ANONYMOUS.anonymous
    assert not shop.anonymous


def test_a_service_road_is_closed_to_people() -> None:
    require_service(OPERATOR)
    with pytest.raises(ForbiddenError):
        require_service(Credential("zhou", "admin"))
    with pytest.raises(UnauthenticatedError):
        require_service(ANONYMOUS)


def test_tokens_are_long_and_never_repeat() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) == len("amends_") + 43 for token in made)


def test_the_runtime_file_is_its_owners_alone(tmp_path: Path) -> None:
    runtime = Runtime("http://127.0.0.1:8080", TOKEN, "nats://127.0.0.1:4222", 12)
    assert read_runtime(tmp_path) is None
    assert read_runtime(tmp_path / "no-folder") is None
    (tmp_path / "runtime.json").touch(mode=0o644)  # as an earlier run may have left it
    write_runtime(tmp_path, runtime)
    assert read_runtime(tmp_path) == runtime
    assert (tmp_path / "runtime.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["runtime.json"]
    assert TOKEN not in repr(runtime)
    remove_runtime(tmp_path)
    remove_runtime(tmp_path)
    assert read_runtime(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"url": "x"})])
def test_a_broken_runtime_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.json").write_text(text)
    assert read_runtime(tmp_path) is None


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_runtime(tmp_path, Runtime("u", TOKEN, "n", 1))
    assert list(tmp_path.iterdir()) == []
