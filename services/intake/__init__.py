"""Receives complaints, keeps statements, issues receipts, tells customers their status."""
