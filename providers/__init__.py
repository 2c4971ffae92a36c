"""Calling providers: pure wire dialects, vendors as rows, instances from settings, one transport."""
