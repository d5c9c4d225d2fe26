"""What people call the roles that amends starts with.

A policy with roles of its own is read as well: a code without words stands for itself.
"""

from typing import Final

from services.kernel.i18n import msgid

ROLES: Final = {
    "admin": msgid("Administrator"),
    "agent": msgid("Front office agent"),
    "appeal_reviewer": msgid("Appeal reviewer"),
    "auditor": msgid("Auditor"),
    "channel": msgid("Channel system"),
    "complainant": msgid("Complainant"),
    "department_handler": msgid("Department handler"),
    "department_head": msgid("Department head"),
    "general_manager": msgid("General manager"),
    "gm_office": msgid("General manager's office"),
    "manager": msgid("Manager"),
    "migration": msgid("Import"),
    "operator": msgid("Operator"),
    "privacy_officer": msgid("Privacy officer"),
    "quality": msgid("Quality control"),
}
