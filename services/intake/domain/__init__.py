"""What a complaint must hold when it arrives, and the numbers that are given for it."""
