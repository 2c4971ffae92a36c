"""Calls that no caller asked for: to compare an answer, to ask a model that judges, to embed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from providers.retelling import Listener, words
from schemas.bodies import Envelope
from schemas.clock import Clock
from schemas.errors import GatewayError, UpstreamError
from schemas.ids import new_id
from schemas.replies import Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from streams.caches.embedders.base import EmbedderError
from streams.caches.flight import Flight
from streams.stages import Call, Handler

SECONDS = 600.0  # that a call may take
USER_PATH = "/"
_encode = msgspec.json.Encoder().encode


class Spent(Struct):
    """What these calls have cost."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0  # USD


Price = Callable[[str, str, int, int], float | None]


class Backstage:
    """Asks the providers behind the caches, by the same routes as everybody."""

    def __init__(self, price: Price, clock: Clock) -> None:
        self.handler: Handler  # what stands behind the caches
        self._price = price
        self._clock = clock
        self.spent = Spent()

    async def fly(self, call: Call) -> Flight:
        """The answer to a request as if nothing were kept; its `end` says whether there is one."""
        chat = call.request.operation == "chat"
        flight = Flight(call, Listener(call.request) if chat else None, self._clock)
        async with asyncio.timeout(SECONDS), aclosing(self.handler(flight.call)) as replies:
            async for reply in replies:
                flight.add(reply)
        if isinstance(flight.end, Completed):
            self._note(flight, flight.end.usage)
        return flight

    def _note(self, flight: Flight, usage: Usage | None) -> None:
        self.spent.calls += 1
        if usage is None or flight.started is None:
            return
        given, made = usage.input_tokens, usage.output_tokens
        self.spent.input_tokens += given
        self.spent.output_tokens += made
        cost = self._price(flight.started.provider, flight.started.model, given, made)
        self.spent.cost += cost or 0.0

    async def complete(self, model: str, prompt: str) -> str:
        """The answer of a model to a prompt; GatewayError."""
        messages = [{"role": "user", "content": prompt}]
        request = self._request({"model": model, "messages": messages})
        flight = await self.fly(Call(request, Envelope(model)))
        return words(request.dialect, _whole(flight))

    async def embed(self, model: str, body: bytes) -> bytes:
        """A body of embeddings; EmbedderError."""
        request = replace(self._request({}), operation="embeddings", body=body)
        try:
            return _whole(await self.fly(Call(request, Envelope(model))))
        except (GatewayError, TimeoutError) as error:
            raise EmbedderError(f"{model}: {error!r}") from error

    def _request(self, body: dict[str, object]) -> Request:
        now = self._clock.time()
        return Request(
            request_id=new_id(int(now * 1000)),
            body=_encode(body),
            source="/sluice/semantic-cache",
            user_path=USER_PATH,
            created=now,
        )


def _whole(flight: Flight) -> bytes:
    if isinstance(flight.end, Failed):
        raise flight.end.error
    if flight.end is None or not flight.understood:
        raise UpstreamError("The answer cannot be read.")
    return flight.body
