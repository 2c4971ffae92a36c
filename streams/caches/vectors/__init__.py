"""Stores of vectors, one a file. Their client libraries are imported when one is opened."""
