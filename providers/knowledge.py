"""Asks the price list what it knows of models, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
import structlog

from providers.instances import Instance
from providers.vendors import VENDORS
from schemas.prices import Metadata

log = structlog.get_logger()

TIMEOUT = 60.0  # seconds
Known = dict[str, dict[str, Metadata]]  # instance to model to what is known of it
_decode = msgspec.json.Decoder(Known).decode


async def known_of(
    instances: Sequence[Instance], models: Mapping[str, Sequence[str]], now: float
) -> Known | None:
    """What is known of each instance's models; None if the price list could not be asked."""
    wanted = {
        instance.name: {
            "url": instance.endpoint.base_url,
            "vendor": VENDORS[instance.vendor].prices,
            "models": list(models[instance.name]),
        }
        for instance in instances
        if models.get(instance.name) and _may_have_prices(instance)
    }
    if not wanted:
        return {}
    query = msgspec.json.encode({"at": datetime.fromtimestamp(now, UTC), "wanted": wanted})
    try:
        async with asyncio.timeout(TIMEOUT):
            return _decode(await _asked(query))
    # uvloop has a RuntimeError for a process that has ended before it was told everything.
    except (OSError, TimeoutError, RuntimeError, msgspec.DecodeError) as error:
        log.warning("prices_not_known", error=str(error) or "timeout")
        return None


def _may_have_prices(instance: Instance) -> bool:
    """Nobody sells over plain HTTP: that is a server of one's own."""
    return urlsplit(instance.endpoint.base_url).scheme == "https"


async def _asked(query: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "providers.pricelist"), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        answer, complaint = await process.communicate(query)
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode != 0:
        raise OSError(complaint.decode(errors="replace").strip().rpartition("\n")[2])
    return answer
