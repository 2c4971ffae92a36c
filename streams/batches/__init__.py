"""Batches run by the gateway: lines become requests of the batch lane, outcomes become files."""
