"""What calling a provider takes; `sluice/settings.py` fills it in and documents each field."""

from __future__ import annotations

from msgspec import Struct


class TransportConfig(Struct, frozen=True):
    """Times are seconds, sizes bytes."""

    connect_timeout: float = 3.0
    response_header_timeout: float = 600.0  # until the response's headers
    stream_idle_timeout: float = 120.0  # silence inside a body
    max_response: int = 64 << 20
