"""Answers that need no call: what they are kept in, and when a kept one may answer."""
