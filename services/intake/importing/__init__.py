"""Imports files of other systems: reads, maps, sends; for the command and the page."""
