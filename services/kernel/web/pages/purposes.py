"""What documents are read for, in words: asked where they are shown, told to auditors."""

from typing import Final

from services.kernel.i18n import msgid

SHOWING: Final = {
    "contact_customer": msgid("To reach the customer"),
    "verify_identity": msgid("To make sure who is asking"),
    "check_order": msgid("To find order or shipment"),
    "carry_out": msgid("To carry out a remedy"),
    "outside_body": msgid("To answer an outside body"),
}
"""Why particulars are shown in full."""
SETTLING: Final = {
    "repair": msgid("To find and repair the cause"),
    "decide": msgid("To decide whether it may go"),
    "inquiry": msgid("Because somebody asked about it"),
}
"""Why a message in quarantine is opened."""
VERIFYING: Final = {
    "called_on_file": msgid("I called the number on file"),
    "wrote_on_file": msgid("I wrote to the address on file"),
    "knew_details": msgid("They knew what only the customer knows of the case"),
    "showed_document": msgid("They showed a document of theirs, in person"),
}
"""How it was made sure that whoever asks for a new access code is the customer."""
PURPOSES: Final = {
    "case_work": msgid("To handle the case"),
    "audit": msgid("To audit"),
    "own_words": msgid("To read their own words"),
    "data_request": msgid("To tell somebody what we hold about them"),
    **SHOWING,
    **SETTLING,
    **VERIFYING,
}
