"""What of a request's body is given to aiohttp."""

from __future__ import annotations

import io
from typing import Any

from providers.base import UpstreamRequest

# aiohttp warns of larger bodies given as bytes; in pieces they let the loop breathe.
_LARGE = 1 << 20


def payload(request: UpstreamRequest) -> Any:
    """None if there is no body. Of a file, whose length the headers must tell, it is read as it goes."""
    if request.file is not None:
        return request.file.read()
    body = request.body
    return io.BytesIO(body) if len(body) > _LARGE else body or None
