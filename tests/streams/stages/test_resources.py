"""Files and batches over several providers: merged, found, handed on, each call noted."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers.base import Endpoint, Route, Target
from providers.config import TransportConfig
from providers.dialogue import converse
from providers.transport import Transport
from schemas.batch_folder import BatchFolder
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import InvalidRequest
from schemas.files import Files, StoredFile, file_id
from schemas.metrics import Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Relay, Request
from streams.stages import Call
from streams.stages.call import Caller
from streams.stages.own import Own
from streams.stages.resources import Resources


class Provider:
    """Keeps files and batches as OpenAI does."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.base_url = f"http://127.0.0.1:{port}/{name}/v1"
        self.files: list[dict[str, Any]] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.down = False

    @property
    def target(self) -> Target:
        routes = {
            f"openai_{resource}": Route(f"{self.base_url}/{resource}")
            for resource in ("files", "batches")
        }
        return Target(
            Endpoint(
                instance=self.name,
                routes=routes,
                base_url=self.base_url,
                models_url="",
                headers={"Authorization": f"Bearer {self.name}"},
            ),
            "",
        )

    def keep(self, *numbers: int) -> None:
        self.files = [
            {"id": f"file-{self.name}-{number}", "object": "file", "created_at": number}
            for number in sorted(numbers, reverse=True)
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(f"/{self.name}/v1")
        self.asked.append(f"{request.method} {path}")
        assert request.headers["Authorization"] == f"Bearer {self.name}"
        if self.down:
            return web.json_response({"error": {"message": "down"}}, status=500)
        if path == "/files" and request.method == "GET":
            return self._page(request)
        if path == "/files":
            return web.json_response({"id": "file-new", "created_at": 9, "purpose": "batch"})
        if path.endswith("/content"):
            content = self.contents[path.split("/")[2]]
            return web.Response(body=content, content_type="image/png")
        kept: dict[str, Any] = {one["id"]: one for one in self.files} | self.batches
        found = kept.get(path.split("/")[2]) if path.count("/") > 1 else None
        if path == "/batches":
            return web.json_response({"id": "batch-new", "created_at": 9})
        if found is None:
            return web.json_response({"error": {"message": "no such", "code": None}}, status=404)
        if request.method == "DELETE":
            return web.json_response({"id": found["id"], "object": "file", "deleted": True})
        return web.json_response(found)

    def _page(self, request: web.Request) -> web.Response:
        names = [one["id"] for one in self.files]
        after = request.query.get("after")
        start = names.index(after) + 1 if after else 0
        # Fewer than asked for, so that a walk has several pages.
        page = self.files[start : start + 2]
        more = start + 2 < len(names)
        return web.json_response({"object": "list", "data": page, "has_more": more})


class Setting:
    """Two providers behind one handler."""

    def __init__(
        self, transport: Transport, east: Provider, west: Provider, own: Own | None = None
    ) -> None:
        self.east, self.west, self.transport = east, west, transport
        self.known: Sequence[Provider] = (east, west)
        caller = Caller(self, converse, transport, SystemClock(), Metrics())
        self._handler = Resources(caller, self, transport, SystemClock(), own)

    def instance(self, name: str) -> Target:
        for provider in (self.east, self.west):
            if provider.name == name:
                return provider.target
        raise InvalidRequest("No provider is configured under that name.")

    def allows(self, instance: str, model: str, user_path: str) -> bool:
        return True

    def keeping(self, *routes: str) -> Sequence[Target]:
        return [provider.target for provider in self.known]

    def resolve(self, model: str, user_path: str) -> Target:
        name, _, rest = model.partition("/")
        return Target(self.instance(name).endpoint, rest)

    async def ask(
        self, path: str, method: str = "GET", body: bytes = b"", **fields: Any
    ) -> tuple[Call, list[Reply]]:
        operation: Any = "batches" if path.startswith("/batches") else "files"
        relay = Relay(fields.pop("provider", ""), method, path)
        request = Request(
            request_id="r", body=body, operation=operation, relay=relay, user_path="/", **fields
        )
        call = Call(request, envelope(request))
        async with aclosing(self._handler(call)) as found:
            return call, [reply async for reply in found]

    async def told(self, path: str, method: str = "GET", **fields: Any) -> Any:
        _, (started, end) = await self.ask(path, method, **fields)
        assert isinstance(started, Started)
        assert isinstance(end, Completed), end
        return json.loads(end.data)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with AsyncExitStack() as stack:
        transport = Transport(TransportConfig())
        await transport.open()
        stack.push_async_callback(transport.close)
        made: dict[str, Provider] = {}

        async def handle(request: web.Request) -> web.StreamResponse:
            return await made[request.path.split("/")[1]].handle(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        made |= {name: Provider(name, port) for name in ("east", "west")}
        yield Setting(transport, made["east"], made["west"])


async def test_a_list_over_all(setting: Setting) -> None:
    """Newest first, each with its provider; the last id is a cursor that goes on, whoever it belongs to."""
    setting.east.keep(1, 4, 5, 8)
    setting.west.keep(2, 3, 6, 7, 9)
    seen: list[tuple[int, str]] = []
    query = ""
    while True:
        page = await setting.told(f"/files?limit=2{query}")
        seen += [(one["created_at"], one["provider"]) for one in page["data"]]
        assert page["last_id"] == page["data"][-1]["id"]
        if not page["has_more"]:
            break
        query = f"&after={page['last_id']}"

    assert [number for number, _ in seen] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert dict(seen)[8] == "east"
    assert dict(seen)[9] == "west"


async def test_a_list_with_those_of_the_gateway(setting: Setting, tmp_path: Path) -> None:
    """What it keeps itself stands among the others, and a cursor may be of that, too."""
    setting.east.keep(1, 4)
    setting.west.keep(2)
    files = Files(tmp_path, 0)
    mine = [
        files.keep(
            StoredFile(id=file_id(str(at)), filename="a", purpose="batch", bytes=0, created_at=at),
            [b"x"],
        ).id
        for at in (3, 5)
    ]
    own = Own(files, BatchFolder(tmp_path, 0), "auto", SystemClock())
    joint = Setting(setting.transport, setting.east, setting.west, own)
    first = await joint.told("/files?limit=3")
    rest = await joint.told(f"/files?limit=3&after={mine[0]}")

    assert [(one["created_at"], one["provider"]) for one in first["data"]] == [
        (5, "sluice"),
        (4, "east"),
        (3, "sluice"),
    ]
    assert [one["created_at"] for one in rest["data"]] == [2, 1]
    assert not rest["has_more"]


async def test_a_list_of_one(setting: Setting) -> None:
    """Where one is named, its own page is the answer, by its own cursor."""
    setting.east.keep(1, 2, 3)
    setting.west.keep(4)

    page = await setting.told("/files?provider=east&after=file-east-3")

    assert [one["id"] for one in page["data"]] == ["file-east-2", "file-east-1"]
    assert setting.west.asked == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=101", "after=nobody"])
async def test_a_list_that_cannot_be(setting: Setting, query: str) -> None:
    """A limit that is none and a cursor of nobody are the caller's mistakes."""
    _, (failed,) = await setting.ask(f"/files?{query}")

    assert isinstance(failed, Failed)
    assert failed.status == 400


async def test_a_list_hides_nobody(setting: Setting) -> None:
    """A provider that does not answer fails the list: without it the list would look whole."""
    setting.west.down = True

    call, (failed,) = await setting.ask("/files")

    assert isinstance(failed, Failed)
    assert failed.status == 500
    assert {attempt.status for attempt in call.attempts} == {200, 500}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_id_finds_its_provider(setting: Setting, method: str) -> None:
    """Each is asked until one knows it; every call is noted in the one exchange."""
    setting.west.keep(1)

    call, (started, end) = await setting.ask("/files/file-west-1", method)

    assert isinstance(started, Started)
    assert started.provider == "west"
    assert isinstance(end, Completed)
    assert json.loads(end.data)["provider"] == "west"
    assert [(one.provider, one.status) for one in call.attempts] == [("east", 404), ("west", 200)]


async def test_an_id_that_nobody_knows(setting: Setting) -> None:
    """404; but if one cannot say, its failure is told, since it may be there."""
    _, (missing,) = await setting.ask("/files/file-1")
    setting.east.down = True
    _, (unknown,) = await setting.ask("/files/file-1")

    assert isinstance(missing, Failed)
    assert isinstance(unknown, Failed)
    assert (missing.status, unknown.status) == (404, 500)


async def test_a_provider_that_is_down_hides_no_other(setting: Setting) -> None:
    """What another one keeps is found all the same."""
    setting.east.down = True
    setting.west.keep(1)

    assert (await setting.told("/files/file-west-1"))["provider"] == "west"


async def test_something_new_needs_a_provider(setting: Setting) -> None:
    """400 in GoModel's words if several could take it; named in any place it goes to that one alone."""
    _, (refused,) = await setting.ask("/files", "POST", b"x")
    made = await setting.told("/files?provider=west", "POST", body=b"x", content_type="a/b")
    by_header = await setting.told("/files", "POST", body=b"x", provider="west")
    setting.known = (setting.east,)
    alone = await setting.told("/files", "POST", body=b"x")

    assert isinstance(refused, Failed)
    assert refused.status == 400
    assert "provider is required when multiple providers" in refused.error.message
    assert (made["provider"], by_header["provider"], alone["provider"]) == ("west", "west", "east")


async def test_a_batch_of_requests(setting: Setting) -> None:
    """Inline requests are uploaded, then the batch is made: two calls, one exchange."""
    body = json.dumps(
        {
            "metadata": {"provider": "east"},
            "requests": [{"body": {"model": "east/m", "messages": []}}],
        }
    ).encode()

    call, (_, end) = await setting.ask("/batches", "POST", body)

    assert isinstance(end, Completed)
    assert json.loads(end.data)["id"] == "batch-new"
    assert setting.east.asked == ["POST /files", "POST /batches"]
    assert [one.status for one in call.attempts] == [200, 200]


async def test_content_is_handed_on(setting: Setting) -> None:
    """Found by its id, then streamed as it is, with its type."""
    setting.west.keep(1)
    setting.west.contents["file-west-1"] = b"\x00\xff"

    call, replies = await setting.ask("/files/file-west-1/content")

    started, *pieces, end = replies
    assert isinstance(started, Started)
    assert (started.content_type, started.provider) == ("image/png", "west")
    assert isinstance(end, Completed)
    assert b"".join(p.data for p in pieces if isinstance(p, Chunk)) + end.data == b"\x00\xff"
    assert call.streamed


async def test_results(setting: Setting) -> None:
    """Rows of the output and of the error file; 409 while there are none."""
    setting.west.batches = {
        "b": {
            "id": "b",
            "created_at": 1,
            "status": "completed",
            "output_file_id": "o",
            "error_file_id": "e",
        },
        "running": {"id": "running", "created_at": 1, "status": "in_progress"},
    }
    good = {"custom_id": "1", "response": {"status_code": 200, "body": {"id": "c"}}, "error": None}
    bad = {"custom_id": "2", "response": None, "error": {"code": "x", "message": "y"}}
    setting.west.contents = {
        "o": json.dumps(good).encode() + b"\n",
        "e": json.dumps(bad).encode(),
    }

    found = await setting.told("/batches/b/results")
    _, (waiting,) = await setting.ask("/batches/running/results")

    assert found["data"] == [
        {"index": 0, "custom_id": "1", "status_code": 200, "response": {"id": "c"}, "error": None},
        {
            "index": 1,
            "custom_id": "2",
            "status_code": None,
            "response": None,
            "error": bad["error"],
        },
    ]
    assert (found["batch_id"], found["provider"]) == ("b", "west")
    assert isinstance(waiting, Failed)
    assert waiting.status == 409


async def test_an_error_is_the_callers_dialects(setting: Setting) -> None:
    """What a provider refuses is told in the dialect of whoever asked."""
    _, (failed,) = await setting.ask("/files/x?provider=east", dialect="anthropic")

    assert isinstance(failed, Failed)
    assert json.loads(failed.body or b"")["error"]["type"] == "not_found_error"
