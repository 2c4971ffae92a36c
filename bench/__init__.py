"""What the gateway costs, measured (README.md)."""
