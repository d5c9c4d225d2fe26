"""Keep a copy of a whole installation, put it back, and bring the streams into line."""
