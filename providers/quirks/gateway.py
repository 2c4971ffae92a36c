"""What the gateway itself takes in a body and no provider knows."""

from __future__ import annotations

from providers.base import Members


def without_provider_hint(members: Members, model: str) -> Members:
    """`provider` as a string names an instance and was heard; as an object it is OpenRouter's own.

    https://openrouter.ai/docs/features/provider-routing
    """
    given = members.get("provider")
    if given is None or not bytes(given).startswith(b'"'):
        return members
    return {name: value for name, value in members.items() if name != "provider"}
