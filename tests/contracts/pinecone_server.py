"""The part of Pinecone's documented data plane that we use, on loopback: /vectors/upsert, /query and
/vectors/delete of https://docs.pinecone.io/reference/api/2025-04/data-plane."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from aiohttp import web

KEY = "pc-key"
OPERATORS = {
    "$eq": lambda value, wanted: value == wanted,
    "$gt": lambda value, wanted: value > wanted,
    "$lte": lambda value, wanted: value <= wanted,
    "$in": lambda value, wanted: bool(
        set(value if isinstance(value, list) else [value]) & set(wanted)
    ),
}


def matches(metadata: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(
        OPERATORS[name](metadata[field], value)
        for field, conditions in wanted.items()
        for name, value in conditions.items()
    )


class PineconeServer:
    """One index. What is in it outlives a restart of the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spaces: dict[str, dict[str, dict[str, Any]]] = {}
        self.silent = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=4 << 20)
        for path, handler in (
            ("/vectors/upsert", self.upsert),
            ("/query", self.query),
            ("/vectors/delete", self.delete),
        ):
            app.router.add_post(path, self.checked(handler))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def checked(self, handler: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            if request.headers.get("Api-Key") != KEY:
                return web.json_response({"code": 16, "message": "Invalid API key"}, status=401)
            assert request.headers["X-Pinecone-API-Version"] == "2025-04"
            return handler(await request.json())

        return handle

    def upsert(self, body: dict[str, Any]) -> web.Response:
        space = self.spaces.setdefault(body["namespace"], {})
        for vector in body["vectors"]:
            others = [each["values"] for each in space.values()]
            if others and len(others[0]) != len(vector["values"]):
                return web.json_response({"code": 3, "message": "Vector dimension"}, status=400)
            space[vector["id"]] = vector
        return web.json_response({"upsertedCount": len(body["vectors"])})

    def query(self, body: dict[str, Any]) -> web.Response:
        space = self.spaces.get(body["namespace"], {})
        asked = np.array(body["vector"])
        if any(len(each["values"]) != len(asked) for each in space.values()):
            return web.json_response({"code": 3, "message": "Vector dimension"}, status=400)
        found = [
            {
                "id": each["id"],
                "score": float(
                    asked @ each["values"] / np.linalg.norm(asked) / np.linalg.norm(each["values"])
                ),
                "values": [],
                "metadata": each["metadata"],
            }
            for each in space.values()
            if matches(each["metadata"], body.get("filter", {}))
        ]
        found.sort(key=lambda each: -each["score"])
        return web.json_response(
            {
                "matches": found[: body["topK"]],
                "namespace": body["namespace"],
                "usage": {"readUnits": 1},
            }
        )

    def delete(self, body: dict[str, Any]) -> web.Response:
        space = self.spaces.get(body["namespace"])
        if space is None:
            return web.json_response({"code": 5, "message": "Namespace not found"}, status=404)
        if body.get("deleteAll"):
            del self.spaces[body["namespace"]]
        elif "ids" in body:
            for name in body["ids"]:
                space.pop(name, None)
        else:
            gone = [
                name for name, each in space.items() if matches(each["metadata"], body["filter"])
            ]
            for name in gone:
                del space[name]
        return web.json_response({})
