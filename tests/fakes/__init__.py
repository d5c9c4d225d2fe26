"""In-memory twins of what the program talks to."""
