"""A stream that broke off, and another one that goes on where it stopped."""
