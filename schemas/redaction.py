"""What of a body and of headers nobody shall see: rules by JSON path and by header name. Pure.

Paths are JSONPath's plain part: `$.user`, `$.messages[*].content`, `$.tools[0].key`, `$..password`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from schemas.exchange import Body, Exchange, decode, encode

REDACTED = "[REDACTED]"
# `.name`, `.*`, `..name`, `[*]`, `[0]`, `['name']`
_STEP = re.compile(r"(\.\.?)([\w-]+|\*)|\[(?:(\*)|(\d{1,9})|'([^']*)'|\"([^\"]*)\")\]")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Step(Struct, frozen=True):
    """One step down: a member, an element, all of them (None); `deep`: at any depth."""

    key: str | int | None
    deep: bool = False


Path = tuple[Step, ...]


def parsed(text: str) -> Path:
    """The steps of a path; ValueError if it is none."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} must begin with `$`")
    steps, at = [], 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is not understood from {text[at:]!r} on")
        dots, name, star, index, single, double = found.groups()
        key: str | int | None = next((each for each in (name, single, double) if each), None)
        if index is not None:
            key = int(index)
        elif star or name == "*":
            key = None
        steps.append(Step(key, dots == ".."))
        at = found.end()
    if not steps:
        raise ValueError(f"{text!r} names nothing")
    return tuple(steps)


class Redaction(Struct, frozen=True):
    """The rules. Header names are in lower case."""

    headers: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()

    def headers_of(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers with hidden values."""
        return {
            name: REDACTED if name.lower() in self.headers else value
            for name, value in headers.items()
        }

    def content_of(self, content: Raw) -> Raw | None:
        """JSON with hidden values, byte for byte what it was if there are none; None if it cannot be read."""
        try:
            found = [_decode(content)]
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return None
        hidden = [_hide(found, (Step(0), *path)) for path in self.paths]
        return Raw(_encode(found[0])) if any(hidden) else content

    def body(self, body: Body) -> Body:
        """The same of a body as it stands in the log; one that is no JSON is hidden as a whole."""
        if not self.paths or body.format == "claim":
            return body
        shown = self.content_of(body.body) if body.format == "json" else None
        if shown is not None:
            return Body(shown, body.format, body.content_type)
        return Body(Raw(_encode(REDACTED)), "text", body.content_type)


NOTHING = Redaction()
# Where credentials and sessions stand.
SECRET_HEADERS = (
    *("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"),
    *("cookie", "set-cookie", "x-auth-token", "x-access-token", "x-gomodel-key"),
)
STANDARD = Redaction(frozenset(SECRET_HEADERS))
_NOT_SHOWN = Body(Raw(_encode("[NOT STORED]")), "text", "text/plain")


def shown(exchange: Exchange, redaction: Redaction) -> Exchange:
    """The exchange as it may be shown: what is hidden is hidden, and bodies that are not stored are not
    shown, either."""
    answer, headers = exchange.response, exchange.http_headers
    if {"audit", "bodies"} & set(exchange.without):
        request, answer, headers = _NOT_SHOWN, answer and _NOT_SHOWN, UNSET
    else:
        request, answer = redaction.body(exchange.request), answer and redaction.body(answer)
        if headers is not UNSET:
            headers = redaction.headers_of(headers)
    return replace(exchange, request=request, response=answer, http_headers=headers)


def redacted(value: bytes, redaction: Redaction) -> bytes:
    """The same of a record's value; byte for byte what it was if nothing is hidden."""
    found = decode(value)
    changed = shown(found, redaction)
    return value if changed == found else encode(changed)


def _hide(node: Any, path: Path) -> bool:  # of JSON
    """Whether anything was there to be hidden below `node`."""
    step, rest = path[0], path[1:]
    found = False
    for parent, key in list(_places(node, step)):
        if not rest:
            parent[key] = REDACTED
            found = True
        else:
            found |= _hide(parent[key], rest)
    return found


def _places(node: Any, step: Step) -> Iterator[tuple[Any, Any]]:  # of JSON
    """Where a step leads to, each as its container and its key there."""
    waiting = [node]
    while waiting:
        at = waiting.pop()
        items = list(_items(at))
        yield from ((at, key) for key, _ in items if step.key is None or key == step.key)
        if step.deep:
            waiting.extend(value for _, value in items)


def _items(node: Any) -> Iterator[tuple[Any, Any]]:  # of JSON
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)
