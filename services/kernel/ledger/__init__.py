"""Proof that history was not changed: a Merkle tree over the log, signed as it grows."""
