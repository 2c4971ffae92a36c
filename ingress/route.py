"""What a route is; `ingress/routes.py` lists them all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from msgspec import Struct
from sanic.response import HTTPResponse

Handler = Callable[..., Awaitable[HTTPResponse | None]]
_PARAMETER = re.compile(r"<(\w+)(?::\w+)?>")


class Route(Struct, frozen=True):
    """A path that is answered. What stands in `<…>` is handed to the handler by that name, as it came."""

    path: str
    methods: tuple[str, ...]
    handler: Handler
    reads_body: bool = False  # the handler reads it, under its own limits

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: `/v1/models/{name}`."""
        return _PARAMETER.sub(r"{\1}", self.path)

    @property
    def parameters(self) -> list[str]:
        """The names in the path, in order."""
        return _PARAMETER.findall(self.path)
