"""Handling on the bus: what comes in, what goes out, to services and departments."""
