"""The broker: its server as a child, the connection to it, and what must exist in it."""
