"""What it costs to have words found: texts, and the same intake with and without it."""
