"""Figures over HTTP as JSON."""
