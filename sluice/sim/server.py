"""The simulated provider's HTTP server."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec import Struct

from schemas.envelopes import EVENT_STREAM, JSON, openai_error
from schemas.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    RateLimited,
    Unauthorized,
    UpstreamError,
)
from sluice.sim import answers
from sluice.sim.ask import Ask, read
from sluice.sim.calls import Calls
from sluice.sim.script import LISTED, Script, UnknownModel, parse

_MAX_BODY = 128 << 20
_MALFORMED = b'data: {"id":"chatcmpl-sim", "choices":[{"index":0,"delta":{"content":\n\n'
_ERRORS: dict[int, type[GatewayError]] = {
    401: Unauthorized,
    404: NotFound,
    429: RateLimited,
}
_encode = msgspec.json.Encoder().encode


class SimConfig(Struct, frozen=True):
    """Where the simulated provider listens."""

    host: str = "127.0.0.1"
    port: int = 8089  # 0: a free one
    shutdown_timeout: float = 1.0  # seconds for answers under way when it is stopped


async def run(config: SimConfig, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serves until `stop` is set; `ready` is called once, with `http://host:port`."""
    application = web.Application(client_max_size=_MAX_BODY)
    _Server().add_routes(application)
    runner = web.AppRunner(
        application,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=config.shutdown_timeout,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port, backlog=1024)
        await site.start()
        host, port = runner.addresses[0][:2]
        ready(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()


class _Server:
    def __init__(self) -> None:
        self._calls = Calls()

    def add_routes(self, application: web.Application) -> None:
        application.router.add_post("/v1/chat/completions", self._chat)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/calls", self._report)
        application.router.add_delete("/calls", self._forget)

    async def _models(self, request: web.Request) -> web.Response:
        data = [
            {"id": model, "object": "model", "created": answers.CREATED, "owned_by": "sluice-sim"}
            for model in LISTED
        ]
        return _json(200, _encode({"object": "list", "data": data}))

    async def _report(self, request: web.Request) -> web.Response:
        return _json(200, _encode(self._calls.report()))

    async def _forget(self, request: web.Request) -> web.Response:
        self._calls.clear()
        return web.Response(status=204)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            ask = read(body, request.headers.get("x-sim-key"))
            script = parse(ask.model)
        except UnknownModel as error:
            text = f"The model `{ask.model}` does not exist: {error}."
            return _error(404, ModelNotFound(text, param="model"))
        except InvalidRequest as error:
            return _error(400, error)
        request_id = request.headers.get("x-client-request-id")
        self._calls.begin(ask.model, ask.key, request_id)
        if script.flaky and self._calls.attempt(ask.digest) > script.flaky:
            script = msgspec.structs.replace(script, fault=None)
        whole = False
        try:
            response = await _Exchange(request, ask, script).answer()
            whole = True
        finally:
            self._calls.open -= 1
            if whole:
                self._calls.answered += 1
            else:
                self._calls.abandoned += 1
        return response


class _Exchange:
    """One call under way."""

    def __init__(self, request: web.Request, ask: Ask, script: Script) -> None:
        self._request = request
        self._ask = ask
        self._script = script
        self._said = answers.answer(ask, script)

    async def answer(self) -> web.StreamResponse:
        script = self._script
        if script.fault == "hang":
            await asyncio.Event().wait()
        if script.fault == "refuse":
            return self._reset(web.Response())
        if script.fault == "status":
            return _refusal(script)
        if self._ask.stream:
            return await self._stream()
        return await self._plain()

    async def _plain(self) -> web.StreamResponse:
        script = self._script
        if script.delay:
            await asyncio.sleep(script.delay)
        body = answers.plain(self._ask, self._said)
        match script.fault:
            case "error":
                return _json(200, _provider_error())
            case "malformed":
                return _json(200, body[:-1] + b",}")
            case "truncate":
                return _json(200, body[: len(body) // 2])
            case "cut" | "stall":
                response = web.StreamResponse(headers={"Content-Type": JSON})
                response.content_length = len(body)
                await response.prepare(self._request)
                await response.write(body[: len(body) // 2])
                return await self._break(response)
            case _:
                return _json(200, body)

    async def _stream(self) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-cache"}
        )
        await response.prepare(self._request)
        script, ask, said = self._script, self._ask, self._said
        breaks = script.fault is not None and script.fault != "no-done"
        for data in answers.opening(ask, said):
            await response.write(data)
        for number, data in enumerate(answers.events(ask, said)):
            if breaks and number == script.number:
                return await self._break(response)
            if script.delay:
                await asyncio.sleep(script.delay)
            await response.write(data)
        if breaks:  # at or behind the end: before the finish reason
            return await self._break(response)
        ending = b"".join(answers.closing(ask, said))
        await response.write(ending if script.fault == "no-done" else ending + answers.DONE)
        return response

    async def _break(self, response: web.StreamResponse) -> web.StreamResponse:
        """The fault, after what was sent."""
        match self._script.fault:
            case "cut":
                return self._reset(response)
            case "stall":
                await asyncio.Event().wait()
            case "malformed":
                await response.write(_MALFORMED)
            case "error":
                await response.write(b"data: " + _provider_error() + b"\n\n")
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


def _refusal(script: Script) -> web.Response:
    kind = _ERRORS.get(script.number) or (UpstreamError if script.number >= 500 else InvalidRequest)
    error = kind(f"The simulated provider was asked for status {script.number}.")
    headers = {"x-request-id": "req_sim"}
    if script.number in (429, 503):
        headers["Retry-After"] = str(script.retry_after)
        headers["x-ratelimit-remaining-requests"] = "0"
    return _error(script.number, error, headers)


def _provider_error() -> bytes:
    message = "The simulated provider was asked to fail."
    return _encode({"error": {"message": message, "type": "server_error", "code": 503}})


def _error(status: int, error: GatewayError, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=openai_error(error), content_type=JSON, headers=headers)


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type=JSON)
