"""One call of the simulated provider under way: it answers, or fails as its script says."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct

from aiohttp import web

from schemas.envelopes import EVENT_STREAM, JSON
from sluice.sim.answers import answer
from sluice.sim.ask import Ask, Refused
from sluice.sim.base import Dialect, Streaming
from sluice.sim.script import Script


class Exchange:
    """`answer` may be called once; it ends when the answer has gone out, or never."""

    def __init__(self, request: web.Request, dialect: Dialect, ask: Ask, script: Script) -> None:
        self._request = request
        self._dialect = dialect
        self._ask = ask
        self._script = script
        self._said = answer(ask, script)

    async def answer(self) -> web.StreamResponse:
        script = self._script
        if script.fault == "hang":
            await asyncio.Event().wait()
        if script.fault == "refuse":
            return self._reset(web.Response())
        if script.fault == "status":
            return self._refusal()
        if (refused := self._refused()) is not None:
            return refusal(self._dialect, refused)
        if self._ask.stream and isinstance(self._dialect, Streaming):
            return await self._stream(self._dialect)
        return await self._plain()

    def _refused(self) -> Refused | None:
        """What is wrong with the request."""
        script, talk = self._script, self._ask.talk
        if script.fault == "blocked":
            return Refused(400, "The prompt was filtered.", "prompt", "content_filter")
        if script.fault == "context" and talk.words > script.number:
            text = f"The model's context has {script.number} tokens; there are {talk.words}."
            return Refused(400, text, "messages", "context_length_exceeded")
        if script.no_prefill and talk.begun is not None:
            return Refused(400, "The conversation must end with a user message.", "messages")
        return None

    def _refusal(self) -> web.Response:
        script = self._script
        text = f"The simulated provider was asked for status {script.number}."
        headers = {"x-request-id": "req_sim"}
        if script.number in (429, 503):
            headers["x-ratelimit-remaining-requests"] = "0"
            if not script.bare:
                headers["Retry-After"] = str(script.retry_after)
        return refusal(self._dialect, Refused(script.number, text), headers)

    async def _plain(self) -> web.StreamResponse:
        script, headers = self._script, self._dialect.headers
        if script.delay:
            await asyncio.sleep(script.delay)
        body = self._dialect.plain(self._ask, self._said)
        match script.fault:
            case "error":
                body = self._dialect.failed(self._ask)
            case "malformed":
                body = body[:-1] + b",}"
            case "truncate":
                body = body[: len(body) // 2]
            case "cut" | "stall":
                response = web.StreamResponse(headers={"Content-Type": JSON, **headers})
                response.content_length = len(body)
                await response.prepare(self._request)
                await response.write(body[: len(body) // 2])
                return await self._break(response, b"")
            case _:
                pass
        return web.Response(body=body, content_type=JSON, headers=headers)

    async def _stream(self, dialect: Streaming) -> web.StreamResponse:
        head = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=head | dialect.headers)
        await response.prepare(self._request)
        script, stream = self._script, dialect.stream(self._ask, self._said)
        breaks = script.fault not in (None, "no-done", "context")
        await response.write(stream.opening())
        pieces = stream.content()
        for data in itertools.islice(pieces, script.number) if breaks else pieces:
            if script.delay:
                await asyncio.sleep(script.delay)
            await response.write(data)
        if breaks:  # at the end or before it, and always before the finish reason
            after = dialect.malformed if script.fault == "malformed" else stream.failure()
            return await self._break(response, after)
        ending = stream.closing()
        await response.write(ending if script.fault == "no-done" else ending + stream.end())
        return response

    async def _break(self, response: web.StreamResponse, after: bytes) -> web.StreamResponse:
        """The fault; `after` is what a malformed answer and one with an error end with."""
        match self._script.fault:
            case "cut":
                return self._reset(response)
            case "stall":
                await asyncio.Event().wait()
            case "malformed" | "error":
                await response.write(after)
            case _:  # truncate: nothing more
                pass
        return response

    def _reset(self, response: web.StreamResponse) -> web.StreamResponse:
        """Ends the connection by a TCP reset."""
        transport = self._request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return response


def refusal(
    dialect: Dialect, refused: Refused, headers: dict[str, str] | None = None
) -> web.Response:
    """An error answer."""
    return web.Response(
        status=refused.status,
        body=dialect.error(refused),
        content_type=JSON,
        headers=dialect.headers | (headers or {}),
    )
