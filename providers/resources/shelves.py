"""Which instances keep files or batches, and how each is spoken to."""

from __future__ import annotations

from collections.abc import Sequence

from providers.base import Target
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.resources import lines
from providers.resources.anthropic import AnthropicShelf, Dialects
from providers.resources.asked import Asked, Resource
from providers.resources.openai import OpenAIShelf
from providers.resources.shelf import Resolve, Shelf
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


def chosen(shelves: Sequence[Shelf], asked: Asked, resolve: Resolve) -> Shelf:
    """The one to which something new goes: the only one, or that of a batch's models; InvalidRequest if
    nothing says which."""
    if len(shelves) == 1:
        return shelves[0]
    instance = None
    if asked.resource == "batches":
        instance = lines.instance_of(lines.parse(asked.request.body), resolve)
    for made in shelves:
        if made.target.instance == instance:
            return made
    if instance is not None:
        raise InvalidRequest(
            f"There are no batches at the provider {instance!r}.", param="requests[0].body.model"
        )
    names = ", ".join(made.target.instance for made in shelves)
    raise InvalidRequest(
        "provider is required when multiple providers are configured; pass ?provider=<name>"
        f" with one of {names}.",
        param="provider",
    )
