"""The ingress over a real broker, with a worker that does what a test tells it."""
