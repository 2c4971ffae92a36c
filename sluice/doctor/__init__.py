"""`sluice doctor`: looks at settings and every connection, and says what to mend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sluice.doctor.finding import Finding
from sluice.doctor.kafka import check_kafka
from sluice.doctor.providers import check_providers
from sluice.doctor.semantic import check_semantic_cache
from sluice.doctor.spool import check_spool
from sluice.doctor.stores import check_redis, check_store
from sluice.doctor.surroundings import check_data_dir, check_port, check_settings
from sluice.settings import Settings

TIMEOUT = 15.0  # seconds for one check
Check = Callable[[Settings], Awaitable[list[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in a fixed order. A check that hangs or breaks is a finding."""
    checks = (check_settings, check_data_dir, check_spool, check_port, check_kafka, check_store)
    checked = await asyncio.gather(
        *(
            _bounded(check, settings)
            for check in (*checks, check_redis, check_semantic_cache, check_providers)
        )
    )
    return [finding for findings in checked for finding in findings]


async def _bounded(check: Check, settings: Settings) -> list[Finding]:
    subject = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        async with asyncio.timeout(TIMEOUT):
            return await check(settings)
    except TimeoutError:
        mend = "Look for a firewall that drops packets, or for a server that hangs."
        return [Finding(subject, "wrong", f"no answer in {TIMEOUT:.0f} seconds", mend)]


__all__ = ["Finding", "examine"]
