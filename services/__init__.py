"""The services of amends and what they share."""
