"""What people who sign in can be, and what only tokens are."""

from services.handling.main import default_policy, places, roles


def test_a_channel_and_an_import_are_programs_and_no_person() -> None:
    policy = default_policy()
    assert roles(policy) - places(policy).roles == {"channel", "migration"}
