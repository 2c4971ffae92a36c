"""Kafka, Redis, a MongoDB-protocol server, PostgreSQL and Weaviate as local processes: `make services` (standard library only)."""
