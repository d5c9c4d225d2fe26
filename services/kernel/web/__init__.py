"""What every HTTP edge shares: strict reading, problems, health, metrics, the log."""
