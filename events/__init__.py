"""The published language of amends: the only definition of an event."""
