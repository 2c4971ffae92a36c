"""The dialects that the simulated provider speaks, each from its requests to its events."""
