"""What is left of particulars before anybody said what they need them for."""

from services.intake.domain.masking import masked

PARTICULARS = {
    "contact": {
        "name": "王芳",
        "email": "wang.fang@example.org",
        "phone": "+86 138 1234 5521",
        "customer_no": "K-1",
    },
    "order_no": "JD-2026-000123456",
    "product": {"serial": "SN-99887766"},
    "attachments": ["王芳的发票.pdf", "a.jpg"],
}


def test_enough_is_left_to_tell_one_from_another() -> None:
    assert masked(PARTICULARS) == {
        "contact": {
            "name": "王•••",
            "email": "w•••@example.org",
            "phone": "••••5521",
            "customer_no": "••••",
        },
        "order_no": "••••3456",
        "product": {"serial": "••••7766"},
        "attachments": ["••••.pdf", "••••"],
    }


def test_what_was_given_stays_as_it_is() -> None:
    before = repr(PARTICULARS)
    masked(PARTICULARS)
    assert repr(PARTICULARS) == before
