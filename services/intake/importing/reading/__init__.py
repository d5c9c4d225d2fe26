"""Reads tables of strangers: CSV, XLSX and lines of JSON, strictly, in bounded memory."""
