"""HTTP in, JSON and SSE out."""
