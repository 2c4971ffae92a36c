"""Vectors for texts: two dialects, both ways, by a small middle of their own."""
