"""Which instances keep files or batches, and how each is spoken to."""

from __future__ import annotations

from collections.abc import Sequence

from providers.base import Target
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.resources.anthropic import AnthropicShelf, Dialects
from providers.resources.asked import Asked, Resource
from providers.resources.openai import OpenAIShelf
from providers.resources.shelf import Shelf
from schemas.errors import InvalidRequest


def shelf(target: Target, resource: Resource) -> Shelf | None:
    """None if the instance keeps none."""
    routes = target.endpoint.routes
    if f"openai_{resource}" in routes:
        return OpenAIShelf(target)
    if f"anthropic_{resource}" in routes and "anthropic" in UPSTREAMS:
        return AnthropicShelf(target, Dialects(CLIENTS, UPSTREAMS["anthropic"]))
    return None


def capable(targets: Sequence[Target], asked: Asked) -> list[Shelf]:
    """Those of the instances that keep what is asked for; InvalidRequest if there is none."""
    found = [made for target in targets if (made := shelf(target, asked.resource)) is not None]
    if not found:
        whose = f"the provider {asked.provider!r}" if asked.provider else "any configured provider"
        raise InvalidRequest(f"There are no {asked.resource} at {whose}.", param="provider")
    return found


def only(shelves: Sequence[Shelf]) -> Shelf:
    """The one to which something new goes; InvalidRequest if there are several."""
    if len(shelves) > 1:
        names = ", ".join(made.target.instance for made in shelves)
        raise InvalidRequest(
            "provider is required when multiple providers are configured; pass ?provider=<name>"
            f" with one of {names}.",
            param="provider",
        )
    return shelves[0]
