"""Which features are on, by the names of GoModel's settings: what its dashboard asks."""

from __future__ import annotations

from sluice.settings import budgets, caching, guardrails, routing, semantic, work
from sluice.settings.loading import Settings


def switches(settings: Settings) -> dict[str, str]:
    """`on` or `off`; of the fallbacks their mode. No address, and no secret."""
    exact, alike = settings[caching.SIMPLE_ENABLED], settings[semantic.ENABLED]
    found = {
        "LOGGING_ENABLED": settings[work.LOGGING_ENABLED],
        "USAGE_ENABLED": True,
        "BUDGETS_ENABLED": settings[budgets.ENABLED],
        "GUARDRAILS_ENABLED": settings[guardrails.ENABLED],
        "CACHE_ENABLED": exact or alike,
        "REDIS_URL": settings[work.REDIS_URL] is not None,
        "SEMANTIC_CACHE_ENABLED": alike,
    }
    return {
        "FEATURE_FALLBACK_MODE": settings[routing.FALLBACK_MODE],
        **{name: "on" if value else "off" for name, value in found.items()},
    }
