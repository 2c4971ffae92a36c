"""Which dialects one instance speaks, where its configuration says so and not its vendor's row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.base import Route
from providers.fields import BadVariable, listed
from providers.quirks.gateway import without_provider_hint
from providers.vendors.google import NATIVE
from providers.vendors.row import usual

# The words of docs/providers.md and, as everywhere else, the dialects' names.
_NAMES = {
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic",
    "gemini": "gemini",
}
_USUAL: Mapping[str, Route] = {
    **usual("openai_chat", "openai_responses", quirks=(without_provider_hint,)),
    **usual("anthropic"),
    "gemini": NATIVE["gemini"],
}
# What is there only beside a dialect.
_BESIDE = {
    "openai_count": "openai_responses",
    "openai_compact": "openai_responses",
    "anthropic_count": "anthropic",
    "gemini_count": "gemini",
}


def dialects(text: str, called: str) -> tuple[str, ...]:
    """A comma list, the first of which is what other dialects are translated to; BadVariable."""
    found = []
    for word in listed(text):
        name = _NAMES.get(word.lower(), word.lower())
        if name not in _USUAL:
            raise BadVariable(called, f"knows no {word[:40]!r}: there are {', '.join(_NAMES)}")
        if name not in found:
            found.append(name)
    if not found:
        raise BadVariable(called, f"names no dialect: there are {', '.join(_NAMES)}")
    return tuple(found)


def speaking(routes: Mapping[str, Route], names: Sequence[str], base_url: str) -> dict[str, Route]:
    """The routes of an instance that speaks these dialects and no other: where its vendor has one, it is
    that; else it is at its usual path behind the base URL."""
    spoken = {name: routes.get(name) or _behind(base_url, _USUAL[name]) for name in names}
    rest = {
        name: route
        for name, route in routes.items()
        if name not in _USUAL and _BESIDE.get(name, names[0]) in names
    }
    return {**spoken, **rest}


def _behind(base_url: str, route: Route) -> Route:
    stream_url = base_url + route.stream_url if route.stream_url else None
    return Route(base_url + route.url, stream_url, route.quirks)
