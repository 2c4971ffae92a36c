"""Kafka in, Kafka out: Faust processors from request to outcome."""
