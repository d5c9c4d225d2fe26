"""Intake's use cases: take complaints, file them, answer who asks about one."""
