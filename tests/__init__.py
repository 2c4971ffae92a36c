"""A package, so that `tests.services` is found whatever else is installed under that name."""
