"""What is told of an operation beyond its route: by which name, what it takes, what it answers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.keys import Role

VERSION = "1.0.0"  # of both documents: what clients count on changes with the first number
JSON = "application/json"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
CSV = "text/csv"
TEXT = "text/plain"
BINARY = "application/octet-stream"
FORM = "multipart/form-data"

# In which form errors are told: RFC 9457, or the envelope of a dialect.
Errors = Literal["problem", "openai", "anthropic", "gemini", "any"]


class AnyOf(Struct, frozen=True):
    """One of several structs, which nothing in them tells apart."""

    types: tuple[object, ...]


class Told(Struct, frozen=True):
    """One answer. `type`: what its JSON is, None if it is no JSON; it may come in several media types."""

    status: int
    about: str
    type: object = None
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()  # beside those of every answer


class About(Struct, frozen=True, kw_only=True):
    """One operation."""

    id: str  # its name for those who generate clients
    tag: str
    answers: tuple[Told, ...]
    body: object = None  # what the JSON of the request is; None: it has no body
    body_media: str = JSON
    query: tuple[str, ...] = ()  # names in `contract/parameters.py`
    headers: tuple[str, ...] = ()  # the same
    role: Role | None = None  # that its key must have; None: any key
    public: bool = False  # it takes no key
    errors: Errors = "openai"
    summary: str = ""  # where what the handler says of itself is not enough
    optional_body: bool = False
