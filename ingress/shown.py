"""What is shown of an exchange wherever exchanges are listed, in the log as in a store."""

from __future__ import annotations

from msgspec import Struct


class Shown(Struct, frozen=True, kw_only=True):
    """Members of `schemas.exchange.Exchange`, by their names there. Who reads more of it inherits these."""

    outcome: str
    created_at: str  # RFC 3339
    finished_at: str  # RFC 3339
    operation: str
    dialect: str
    stream: bool
    user_path: str
    status: int
    client: str | None = None
    request_model: str | None = None
    provider: str | None = None
    response_model: str | None = None
