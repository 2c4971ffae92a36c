"""A provider that answers with what was recorded: a POST with a recorded body gets its recorded answer."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
from aiohttp import web

from tests.recordings import Recording


class RecordedProvider:
    """Serves recordings on a loopback port of its own. Bodies are compared parsed.

    A body that was recorded without `stream_options` is found with them, too: a gateway asks for
    usage where the caller has not. Streams are sent in random pieces.
    """

    def __init__(self, recordings: Iterable[Recording], seed: int = 1) -> None:
        self._by_body: dict[bytes, Recording] = {}
        self._random = random.Random(seed)
        self.unknown: list[Any] = []  # bodies that nobody recorded
        self.base_url = ""
        for recording in recordings:
            self._by_body.setdefault(_canonical(recording.request), recording)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        without = {name: value for name, value in body.items() if name != "stream_options"}
        found = self._by_body.get(_canonical(body)) or self._by_body.get(_canonical(without))
        if found is None:
            self.unknown.append(body)
            return web.json_response({"error": {"message": "not recorded"}}, status=418)
        if not found.streamed:
            return web.Response(status=found.status, body=found.body(), headers=found.headers)
        response = web.StreamResponse(status=found.status, headers=found.headers)
        await response.prepare(request)
        for piece in cut(found.body(), self._random):
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    async def _models(self, request: web.Request) -> web.Response:
        models = {recording.request["model"] for recording in self._by_body.values()}
        data = [{"id": model, "object": "model", "created": 0} for model in sorted(models)]
        return web.json_response({"object": "list", "data": data})


@contextlib.asynccontextmanager
async def recorded_provider(recordings: Iterable[Recording]) -> AsyncIterator[RecordedProvider]:
    """Running; `base_url` is what an instance is configured with."""
    provider = RecordedProvider(recordings)
    application = web.Application(client_max_size=64 << 20)
    application.router.add_post("/v1/chat/completions", provider._chat)
    application.router.add_get("/v1/models", provider._models)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield provider
    finally:
        await runner.cleanup()


def cut(body: bytes, random: random.Random, longest: int = 2000) -> Iterable[bytes]:
    """The body in pieces of random sizes."""
    start = 0
    while start < len(body):
        end = start + random.randint(1, longest)
        yield body[start:end]
        start = end


def _canonical(body: Any) -> bytes:
    return msgspec.json.encode(body, order="sorted")
