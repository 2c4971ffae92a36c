"""Kafka in, stores out: every exchange once."""
