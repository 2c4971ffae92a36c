"""Kafka, Redis and a MongoDB-protocol server as local processes: `make services` (standard library only)."""
