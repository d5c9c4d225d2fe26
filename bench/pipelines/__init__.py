"""Other ways from a submission on the bus to analytics, as yardsticks for ours."""
