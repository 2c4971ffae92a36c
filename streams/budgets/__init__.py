"""Budgets and limits in a worker: reserved before a call, settled from its exchange."""
