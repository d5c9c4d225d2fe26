"""A seeded run of the real services over a bus, a store and a clock that fail."""
