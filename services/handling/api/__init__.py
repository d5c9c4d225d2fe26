"""Handling over HTTP: cases and their queue; who may come in."""
