"""Files and batches: one request of a caller, as many calls of providers as it takes, one exchange."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from providers.base import Target, UpstreamRequest
from providers.failure import translated
from providers.resources import shelves
from providers.resources.asked import MAX_PAGE, Asked, parse
from providers.resources.shelf import Item, Object, Shelf
from providers.transport import Transport
from schemas.clock import Clock, rfc3339
from schemas.envelopes import JSON
from schemas.errors import Conflict, GatewayError, InvalidRequest, NotFound
from schemas.exchange import Attempt
from schemas.files import KEEPER
from schemas.replies import Completed, Failed, Started
from schemas.requests import Relay, Request
from streams.stages import Call, Handler, Replies
from streams.stages.own import Own, listed

MAX_PAGES = 100  # of one provider, looked through for a cursor

_encode = msgspec.json.Encoder().encode


class Instances(Protocol):
    """Who knows the instances; `sluice` hands one in."""

    def instance(self, name: str) -> Target: ...

    def keeping(self, *routes: str) -> Sequence[Target]:
        """Those that have one of the routes, sorted by name."""
        ...

    def resolve(self, model: str, user_path: str) -> Target: ...


class _Refused(Exception):
    """A provider said no."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed


class Resources:
    """A Handler for them; everything else goes to the one that it stands before."""

    def __init__(
        self,
        handler: Handler,
        instances: Instances,
        transport: Transport,
        clock: Clock,
        own: Own | None = None,  # what the gateway keeps itself, if it does
    ) -> None:
        self._handler = handler
        self._instances = instances
        self._transport = transport
        self._clock = clock
        self._own = own

    def __call__(self, call: Call) -> Replies:
        if call.request.operation in ("files", "batches"):
            return self._answered(call)
        return self._handler(call)

    async def _answered(self, call: Call) -> Replies:
        try:
            work = _Work(parse(call.request), call, self._transport, self._clock, self._own)
            found = await work.answer(self._instances)
        except GatewayError as error:
            yield Failed(error, error.status)
            return
        except _Refused as refused:
            yield refused.failed
            return
        if isinstance(found, Request):
            call.request = found
            async with aclosing(self._handler(call)) as replies:
                async for reply in replies:
                    yield reply
            return
        yield Started(200, found.content_type, found.provider, "")
        yield Completed(found.body)


class _Told(Struct, frozen=True):
    body: bytes
    provider: str = ""
    content_type: str = JSON


class _Work:
    """One request under way."""

    def __init__(
        self, asked: Asked, call: Call, transport: Transport, clock: Clock, own: Own | None
    ) -> None:
        self._asked = asked
        self._call = call
        self._transport = transport
        self._clock = clock
        self._own = own

    async def answer(self, instances: Instances) -> _Told | Request:
        """GatewayError or _Refused if there is none; a relayed request is what remains to be done."""
        asked, own = self._asked, self._own
        routes = (f"openai_{asked.resource}", f"anthropic_{asked.resource}")
        if own is not None and own.takes(asked, lambda: bool(instances.keeping(*routes))):
            return _Told(await own.answer(asked), KEEPER)
        if asked.provider is not None:
            targets: Sequence[Target] = (instances.instance(asked.provider),)
        else:
            targets = instances.keeping(*routes)
        found = shelves.capable(targets, asked)

        def resolve(model: str) -> Target:
            return instances.resolve(model, self._call.request.user_path)

        self._resolve: Callable[[str], Target] = resolve
        if asked.verb == "create":
            return await self._create(shelves.chosen(found, asked, self._resolve))
        if asked.verb == "list":
            return await self._list(found)
        shelf, body = await self._find(found)
        if asked.verb == "content":
            return await self._content(shelf)
        if asked.verb == "results":
            return await self._results(shelf, body)
        return _Told(bytes(shelf.item(body).raw), shelf.target.instance)

    async def _create(self, shelf: Shelf) -> _Told:
        uploaded = None
        if (first := shelf.first(self._asked, self._resolve)) is not None:
            uploaded = await self._fetch(shelf, first)
        request = shelf.request(self._asked, self._resolve, uploaded)
        item = shelf.item(await self._fetch(shelf, request))
        return _Told(bytes(item.raw), shelf.target.instance)

    async def _find(self, found: Sequence[Shelf]) -> tuple[Shelf, bytes]:
        """Whoever has the object answers; ids say not whose they are. What changes something is asked of
        several only until one knows the id."""
        asked = self._asked
        if asked.verb in ("content", "results"):
            asked = replace(asked, verb="get")
        worst: _Refused | GatewayError | None = None
        for shelf in found:
            try:
                return shelf, await self._fetch(shelf, shelf.request(asked, self._resolve))
            except (_Refused, GatewayError) as error:
                if len(found) == 1:
                    raise
                # Whoever cannot say that it is not there may have it.
                if worst is None and not _is_missing(error):
                    worst = error
        if worst is not None:
            raise worst
        raise NotFound(f"No provider has the {_SINGULAR[asked.resource]} {asked.id[:100]!r}.")

    async def _content(self, shelf: Shelf) -> _Told | Request:
        """Bytes of any kind and size are handed on as they come."""
        content = shelf.request(self._asked, self._resolve)
        endpoint = shelf.target.endpoint
        headers = {
            name.lower(): value
            for name, value in content.headers.items()
            if name not in endpoint.headers and name != "Accept"
        }
        path = content.url.removeprefix(endpoint.base_url)
        if not path.startswith("/"):  # beside the base URL, where a relayed request does not get
            body = await self._fetch(shelf, content)
            return _Told(body, endpoint.instance, "application/octet-stream")
        return replace(
            self._call.request,
            operation="relay",
            relay=Relay(endpoint.instance, "GET", path),
            http_headers=headers,
            body=b"",
        )

    # -- lists

    async def _list(self, found: Sequence[Shelf]) -> _Told:
        own = self._own if self._asked.provider is None else None
        if len(found) == 1 and own is None:
            items, more = await self._page(found[0], self._asked)
            return _Told(listed(items, more=more), found[0].target.instance)
        limit, after = self._asked.limit, self._asked.query.get("after")
        merged: list[Item] = []
        passed = after is None
        async with aclosing(self._merged(found, own)) as newest:
            async for item in newest:
                if passed:
                    merged.append(item)
                passed = passed or item.id == after
                if len(merged) > limit:
                    break
        if not passed:
            raise InvalidRequest(f"There is no {after!r} in the list.", param="after")
        return _Told(listed(merged[:limit], more=len(merged) > limit))

    async def _merged(self, found: Sequence[Shelf], own: Own | None) -> AsyncGenerator[Item, None]:
        """The objects of all, newest first."""
        walks = [self._walk(shelf) for shelf in found]
        if own is not None:
            walks.append(own.items(self._asked))
        try:
            first = [(await anext(walk, None), walk) for walk in walks]
            heads = [(item, walk) for item, walk in first if item is not None]
            while heads:
                number = max(range(len(heads)), key=lambda at: heads[at][0].created_at)
                item, walk = heads[number]
                yield item
                following = await anext(walk, None)
                if following is None:
                    del heads[number]
                else:
                    heads[number] = (following, walk)
        finally:
            for walk in walks:
                await walk.aclose()

    async def _walk(self, shelf: Shelf) -> AsyncGenerator[Item, None]:
        """The objects of one, page by page."""
        query = {**self._asked.query, "limit": str(MAX_PAGE), "order": "desc"}
        if self._asked.resource == "batches":
            del query["order"]
        query.pop("after", None)
        for _ in range(MAX_PAGES):
            items, more = await self._page(shelf, replace(self._asked, query=query))
            for item in items:
                yield item
            if not more or not items:
                return
            query["after"] = items[-1].id

    async def _page(self, shelf: Shelf, asked: Asked) -> tuple[Sequence[Item], bool]:
        page = shelf.page(await self._fetch(shelf, shelf.request(asked, self._resolve)))
        return page.items, page.more

    # -- results

    async def _results(self, shelf: Shelf, body: bytes) -> _Told:
        outputs = shelf.outputs(self._asked, body)
        if outputs is None:
            raise Conflict("The batch has no results yet: ask again when it has ended.")
        rows: list[Object] = []
        for output in outputs:
            content = await self._fetch(shelf, output)
            for line in content.splitlines():
                if line.strip():
                    rows.append({"index": len(rows), **shelf.result(line)})
        told = {
            "object": "list",
            "batch_id": self._asked.id,
            "provider": shelf.target.instance,
            "data": rows,
        }
        return _Told(_encode(told), shelf.target.instance)

    # -- calls

    async def _fetch(self, shelf: Shelf, request: UpstreamRequest) -> bytes:
        """The whole body of a good answer; _Refused if it is another, GatewayError if there is none."""
        begun, started_at = self._clock.monotonic(), rfc3339(self._clock.time())
        status: int | None = None
        error: str | None = None
        if self._call.upstream_started is None:
            self._call.upstream_started = begun
        try:
            async with self._transport.send(request) as response:
                status = response.status
                body = b"".join([data async for data in response])
                if 200 <= status < 300:
                    return body
                failed = translated(status, response.headers, body, self._asked.request.dialect)
                error = failed.error.code
                raise _Refused(failed)
        except GatewayError as failure:
            error = failure.code
            raise
        finally:
            duration = round(self._clock.monotonic() - begun, 6)
            instance = shelf.target.instance
            self._call.attempts.append(Attempt(instance, "", started_at, duration, status, error))


_SINGULAR = {"files": "file", "batches": "batch"}


def _is_missing(error: _Refused | GatewayError) -> bool:
    return isinstance(error, _Refused) and error.failed.status == NotFound.status
