"""The hash of a stored event, kept beside it: a leaf of RFC 6962."""

from hashlib import sha256


def leaf_hash(body: bytes) -> bytes:
    """Give SHA-256(0x00 ‖ body); the prefix tells leaves from inner nodes."""
    return sha256(b"\x00" + body).digest()
