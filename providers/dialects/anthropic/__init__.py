"""Anthropic Messages: https://platform.claude.com/docs/en/api/messages.

Two versions of the API are in use, `2023-06-01` and `2026-10-21`; the bodies that are written here
are valid in both but for the sampling parameters, which the newer one refuses. The version is a header
of the endpoint, or the caller's own where bytes pass through.
"""
