"""What handling does: take over complaints, show cases, carry out commands."""
