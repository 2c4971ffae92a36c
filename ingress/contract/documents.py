"""Both documents of one gateway, made when they are first asked for: nothing before costs anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # whoever makes routes may name this
    from ingress.route import Route
    from schemas.topics import Topics

_encode = msgspec.json.Encoder().encode


class Documents:
    """What `/openapi.json` and `/asyncapi.json` answer, as bytes."""

    def __init__(self, routes: Sequence[Route], base_path: str, topics: Topics) -> None:
        self._routes, self._base_path, self._topics = routes, base_path, topics

    @cached_property
    def openapi(self) -> bytes:
        """Of the routes that this gateway has."""
        from ingress.contract import openapi

        return _encode(openapi.document(self._routes, self._base_path))

    @cached_property
    def asyncapi(self) -> bytes:
        """Of the topics, under the names that they have here."""
        from ingress.contract import asyncapi

        return _encode(asyncapi.document(self._topics))
