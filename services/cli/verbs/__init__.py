"""What may be typed: each verb with its flags; what it does is imported when it runs."""
