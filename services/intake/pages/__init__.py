"""Intake's pages: the complaint form and where it stands; imports, for administrators."""
