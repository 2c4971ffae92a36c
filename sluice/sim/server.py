"""The simulated provider's HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Struct

from sluice.sim import listing
from sluice.sim.ask import Call, Refused
from sluice.sim.base import Dialect
from sluice.sim.batches import Batches
from sluice.sim.calls import MAX_SHOWN, Calls, Received
from sluice.sim.dialects.chat import Chat
from sluice.sim.dialects.completions import Completions
from sluice.sim.dialects.counting import Compact, CountTokens, GeminiCount, InputTokens
from sluice.sim.dialects.embeddings import Embeddings, GeminiEmbeddings
from sluice.sim.dialects.gemini import Gemini, GeminiArray
from sluice.sim.dialects.messages import Messages
from sluice.sim.dialects.responses import Responses
from sluice.sim.exchange import Exchange, refusal
from sluice.sim.files import Files, answer
from sluice.sim.kept import Kept
from sluice.sim.script import UnknownModel, parse

_MAX_BODY = 128 << 20
_PATHS: dict[str, Dialect] = {
    "/v1/chat/completions": Chat(),
    "/v1/completions": Completions(),
    "/v1/responses": Responses(),
    "/v1/responses/input_tokens": InputTokens(),
    "/v1/responses/compact": Compact(),
    "/v1/embeddings": Embeddings(),
    "/v1/messages": Messages(),
    "/v1/messages/count_tokens": CountTokens(),
    # Gemini's other side: https://ai.google.dev/gemini-api/docs/openai
    "/v1beta/openai/chat/completions": Chat(),
    "/v1beta/openai/embeddings": Embeddings(),
}
_GEMINI: dict[str, Dialect] = {
    "generateContent": Gemini(),
    "streamGenerateContent": GeminiArray(),
    "countTokens": GeminiCount(),
    "embedContent": GeminiEmbeddings(batch=False),
    "batchEmbedContents": GeminiEmbeddings(batch=True),
}


class SimConfig(Struct, frozen=True):
    """Where the simulated provider listens."""

    host: str = "127.0.0.1"
    port: int = 8089  # 0: a free one
    shutdown_timeout: float = 1.0  # seconds for answers under way when it is stopped


async def run(config: SimConfig, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serves until `stop` is set; `ready` is called once, with `http://host:port`."""
    server = _Server()
    application = web.Application(client_max_size=_MAX_BODY, middlewares=[server.keep()])
    server.add_routes(application)
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
        files = Files()
        self._kept = Kept()
        self._stores = (files, Batches(files, _PATHS), self._kept)

    def add_routes(self, application: web.Application) -> None:
        router = application.router
        for path in _PATHS:
            router.add_post(path, self._fixed)
        router.add_post("/v1beta/models/{model:[^:]+}:{method}", self._gemini)
        for path, handler in (
            ("/v1/models", self._models),
            ("/v1/models/{model}", self._model),
            ("/v1beta/openai/models", self._models),
            ("/v1beta/models", self._gemini_models),
            ("/v1beta/models/{model}", self._gemini_model),
            ("/calls", self._report),
            ("/calls/received", self._received),
        ):
            router.add_get(path, handler)
        router.add_delete("/calls", self._forget)
        for store in self._stores:
            store.add_routes(application)

    def keep(self) -> Middleware:
        """Remembers every request but those about requests."""

        @web.middleware
        async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith("/calls"):
                body = (await request.read())[:MAX_SHOWN].decode(errors="replace")
                headers = {name.lower(): value for name, value in request.headers.items()}
                self._calls.keep(
                    Received(request.method, request.path, request.query_string, headers, body)
                )
            return await handler(request)

        return keep

    async def _models(self, request: web.Request) -> web.Response:
        if "anthropic-version" in request.headers:
            return answer(listing.anthropic_list())
        return answer(listing.openai_list())

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if "anthropic-version" in request.headers:
            return answer(listing.anthropic(name))
        return answer(listing.openai(name))

    async def _gemini_models(self, request: web.Request) -> web.Response:
        return answer(listing.gemini_list())

    async def _gemini_model(self, request: web.Request) -> web.Response:
        return answer(listing.gemini(request.match_info["model"]))

    async def _report(self, request: web.Request) -> web.Response:
        return answer(self._calls.report())

    async def _received(self, request: web.Request) -> web.Response:
        return answer(self._calls.received(request.query.get("containing", "")))

    async def _forget(self, request: web.Request) -> web.Response:
        self._calls.clear()
        return web.Response(status=204)

    async def _fixed(self, request: web.Request) -> web.StreamResponse:
        """A path that always means one dialect."""
        call = Call(await request.read(), request.headers.get("x-sim-key"))
        return await self._answer(request, _PATHS[request.path], call)

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        """A path that names the model and what is wanted of it."""
        method = request.match_info["method"]
        dialect = _GEMINI.get(method)
        if dialect is None:
            return refusal(Gemini(), Refused(404, f"Method {method[:100]!r} is not found."))
        stream = method == "streamGenerateContent" and request.query.get("alt") == "sse"
        key, model = request.headers.get("x-sim-key"), request.match_info["model"]
        call = Call(await request.read(), key, model, stream)
        return await self._answer(request, dialect, call)

    async def _answer(
        self, request: web.Request, dialect: Dialect, call: Call
    ) -> web.StreamResponse:
        try:
            if isinstance(dialect, Responses):
                call = self._kept.continued(call)
            ask = dialect.read(call)
            script = parse(ask.talk.script or ask.model)
        except UnknownModel as error:
            text = f"The model `{ask.model}` does not exist: {error}."
            return refusal(dialect, Refused(404, text, "model", "model_not_found"))
        except Refused as error:
            return refusal(dialect, error)
        request_id = request.headers.get("x-client-request-id")
        self._calls.begin(ask.model, ask.talk.key, request_id)
        counted = script.flaky or script.flap
        if counted and not script.fails(self._calls.attempt(ask.talk.digest)):
            script = msgspec.structs.replace(script, fault=None)
        if isinstance(dialect, Responses):
            self._kept.keep(call, ask, script)
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
