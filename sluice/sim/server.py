"""The simulated provider's HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec import Struct

from schemas.envelopes import JSON
from sluice.sim.answers import CREATED
from sluice.sim.ask import Call, Refused
from sluice.sim.base import Dialect, encode
from sluice.sim.calls import Calls
from sluice.sim.dialects.chat import Chat
from sluice.sim.exchange import Exchange, refusal
from sluice.sim.script import LISTED, UnknownModel, parse

_MAX_BODY = 128 << 20
_PATHS: dict[str, Dialect] = {"/v1/chat/completions": Chat()}


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
        for path in _PATHS:
            application.router.add_post(path, self._fixed)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/calls", self._report)
        application.router.add_delete("/calls", self._forget)

    async def _models(self, request: web.Request) -> web.Response:
        data = [
            {"id": model, "object": "model", "created": CREATED, "owned_by": "sluice-sim"}
            for model in LISTED
        ]
        return _json(encode({"object": "list", "data": data}))

    async def _report(self, request: web.Request) -> web.Response:
        return _json(encode(self._calls.report()))

    async def _forget(self, request: web.Request) -> web.Response:
        self._calls.clear()
        return web.Response(status=204)

    async def _fixed(self, request: web.Request) -> web.StreamResponse:
        """A path that always means one dialect."""
        call = Call(await request.read(), request.headers.get("x-sim-key"))
        return await self._answer(request, _PATHS[request.path], call)

    async def _answer(
        self, request: web.Request, dialect: Dialect, call: Call
    ) -> web.StreamResponse:
        try:
            ask = dialect.read(call)
            script = parse(ask.talk.script or ask.model)
        except UnknownModel as error:
            text = f"The model `{ask.model}` does not exist: {error}."
            return refusal(dialect, Refused(404, text, "model", "model_not_found"))
        except Refused as error:
            return refusal(dialect, error)
        request_id = request.headers.get("x-client-request-id")
        self._calls.begin(ask.model, ask.talk.key, request_id)
        if script.flaky and self._calls.attempt(ask.talk.digest) > script.flaky:
            script = msgspec.structs.replace(script, fault=None)
        whole = False
        try:
            response = await Exchange(request, dialect, ask, script).answer()
            whole = True
        finally:
            self._calls.open -= 1
            if whole:
                self._calls.answered += 1
            else:
                self._calls.abandoned += 1
        return response


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=JSON)
