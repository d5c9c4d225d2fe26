"""The record: one database a service, its event store and the one thread that writes."""
