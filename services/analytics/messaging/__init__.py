"""Where events of cases come from: the stream CASES, and handling's log behind it."""
