"""Responses that the simulated provider has kept: shown, continued, deleted; the oldest are forgotten.

https://platform.openai.com/docs/api-reference/responses/get and the pages beside it.
"""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import Raw, Struct
from msgspec.structs import replace

from sluice.sim.answers import answer as say
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import encode
from sluice.sim.dialects.responses_items import Object, ending, items, response
from sluice.sim.files import answer, missing
from sluice.sim.script import Script

_MAX_BYTES = 16 << 20


class _Response(Struct, frozen=True):
    body: bytes
    input: list[Raw]  # its own
    turns: list[Raw]  # of the whole conversation, its output included

    @property
    def size(self) -> int:
        return len(self.body) + sum(len(bytes(item)) for item in (*self.input, *self.turns))


class _Asked(Struct):
    previous_response_id: str | None = None
    input: Raw = Raw(b"null")
    store: bool | None = None


_asked = msgspec.json.Decoder(_Asked).decode
_items = msgspec.json.Decoder(list[Raw]).decode


class Kept:
    """All of them, by their ids."""

    def __init__(self) -> None:
        self._responses: dict[str, _Response] = {}
        self._size = 0

    def add_routes(self, application: web.Application) -> None:
        path = "/v1/responses/{id}"
        application.router.add_get(path, self._get)
        application.router.add_delete(path, self._delete)
        application.router.add_get(f"{path}/input_items", self._input)

    def continued(self, call: Call) -> Call:
        """The request with what went before; Refused if it continues what is not kept."""
        try:
            asked = _asked(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return call  # the dialect says what is wrong with it
        name = asked.previous_response_id
        if name is None:
            return call
        if (before := self._responses.get(name)) is None:
            text = f"Previous response with id '{name[:100]}' not found."
            raise Refused(400, text, "previous_response_id", "previous_response_not_found")
        return replace(call, before=tuple(before.turns))

    def keep(self, call: Call, ask: Ask, script: Script) -> None:
        """What will be answered, unless it is not to be stored, or not to be answered."""
        asked = _asked(call.body)
        if asked.store is False or script.fault is not None:
            return
        said = say(ask, script)
        output = items(ask, said)
        own = _as_items(asked.input)
        found: Object = response(ask, said, ending(said), output)
        kept = _Response(encode(found), own, [*call.before, *own, *map(_raw, output)])
        name = str(found["id"])
        self._forget(name)
        self._responses[name] = kept
        self._size += kept.size
        while self._size > _MAX_BYTES:
            self._forget(next(iter(self._responses)))

    def _forget(self, name: str) -> bool:
        found = self._responses.pop(name, None)
        self._size -= found.size if found else 0
        return found is not None

    async def _get(self, request: web.Request) -> web.Response:
        found = self._responses.get(request.match_info["id"])
        return _unknown(request) if found is None else answer(Raw(found.body))

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if not self._forget(name):
            return _unknown(request)
        return answer({"id": name, "object": "response", "deleted": True})

    async def _input(self, request: web.Request) -> web.Response:
        found = self._responses.get(request.match_info["id"])
        if found is None:
            return _unknown(request)
        return answer({"object": "list", "data": found.input, "has_more": False})


def _as_items(given: Raw) -> list[Raw]:
    if bytes(given).startswith(b"["):
        return _items(given)
    return [_raw({"type": "message", "role": "user", "content": given})]


def _raw(item: object) -> Raw:
    return Raw(encode(item))


def _unknown(request: web.Request) -> web.Response:
    return missing(f"Response with id '{request.match_info['id'][:100]}' not found.")
