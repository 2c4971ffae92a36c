"""From a frame to a handler and back to bytes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine
from typing import Any

from schemas.tasks import Tasks
from sluice.broker.admin import Admin
from sluice.broker.apis import API_VERSIONS, APIS, FETCH, PRODUCE, Api
from sluice.broker.catalog import Catalog
from sluice.broker.errors import Code, KafkaError
from sluice.broker.fetch import Answer, Collector, parse_fetch
from sluice.broker.longpoll import LongPoll
from sluice.broker.lookup import Lookup
from sluice.broker.membership import Membership
from sluice.broker.offsets import Offsets
from sluice.broker.produce import Produce
from sluice.broker.syncer import Syncer
from sluice.broker.wire import I32, Malformed, Message, Reader, encode

_HEAD = struct.Struct(">hhih")
_MAX_CLIENT = 255  # characters of a client id that are kept
_COMPACT_API = struct.Struct(">hhhb")

Reply = Message | asyncio.Future[Message] | Coroutine[Any, Any, Message]
Handler = Callable[[Message, int, str], Reply]  # request, version, client id
Served = Answer | bytearray | asyncio.Future[bytearray] | LongPoll | None


class Dispatch:
    """Serves one frame after the other, for all connections."""

    def __init__(
        self,
        catalog: Catalog,
        collector: Collector,
        tasks: Tasks,
        handlers: dict[str, Handler],
    ) -> None:
        self.catalog = catalog
        self.collector = collector
        self.tasks = tasks
        self.handlers = handlers
        self.produce = Produce(catalog, catalog.store.syncer)

    def serve(self, frame: memoryview, done: Callable[[Answer | None], None]) -> Served:
        """The response, begun with room for its size; a future of it; or None for no response.

        A fetch that has to wait is a LongPoll that calls `done`. Raises Malformed, struct.error or
        UnicodeDecodeError for what Kafka closes the connection for, too.
        """
        key, version, correlation, size = _HEAD.unpack_from(frame)
        pos = _HEAD.size + max(size, 0)
        out = bytearray(8)
        I32.pack_into(out, 4, correlation)
        if key == API_VERSIONS:
            return api_versions(out, version)
        api = APIS.get(key)
        if api is None or not api.low <= version <= api.high or pos > len(frame):
            raise Malformed(f"API {key} version {version}")
        if key == PRODUCE:
            return self.produce.serve(frame, pos, version, out)
        if key == FETCH:
            return self._fetch(frame, pos, version, out, done)
        client = str(frame[_HEAD.size : pos][:_MAX_CLIENT], "utf-8", "replace")
        return self._call(api, Reader(frame, pos), version, client, out)

    def _fetch(
        self,
        frame: memoryview,
        pos: int,
        version: int,
        out: bytearray,
        done: Callable[[Answer | None], None],
    ) -> Answer | LongPoll:
        request = parse_fetch(frame, pos, version, self.catalog)
        answer = self.collector.collect(request)
        if not answer.cold and (
            answer.urgent or answer.size >= request.min_bytes or not request.max_wait
        ):
            answer.chunks.insert(0, out)
            return answer

        def headed(late: Answer | None) -> None:
            if late is not None:
                late.chunks.insert(0, out)
            done(late)

        poll = LongPoll(self.collector, self.tasks, request, headed)
        poll.attempt(answer)
        return poll

    def _call(
        self, api: Api, reader: Reader, version: int, client: str, out: bytearray
    ) -> bytearray | asyncio.Future[bytearray]:
        request = reader.struct(api.request, version)
        try:
            reply = self.handlers[api.name](request, version, client)
        except KafkaError as exc:
            reply = {"error": exc.code, "member": request.get("member", "")}
        if isinstance(reply, Coroutine):
            reply = self.tasks.start(reply, name=f"broker-{api.name}")
        if isinstance(reply, dict):
            return encode(out, api.response, reply, version)
        if reply.done():
            return encode(out, api.response, reply.result(), version)
        return _encoded(reply, lambda message: encode(out, api.response, message, version))


def _encoded(
    reply: asyncio.Future[Message], encoder: Callable[[Message], bytearray]
) -> asyncio.Future[bytearray]:
    later: asyncio.Future[bytearray] = asyncio.get_running_loop().create_future()

    def finish(done: asyncio.Future[Message]) -> None:
        if later.done():
            return
        if done.cancelled():
            later.cancel()
        elif error := done.exception():
            later.set_exception(error)
        else:
            later.set_result(encoder(done.result()))

    reply.add_done_callback(finish)
    return later


def api_versions(out: bytearray, version: int) -> bytearray:
    """What is offered. A version that we do not know gets version 0 with an error (KIP-511)."""
    rows = [(key, api.advertised, api.high) for key, api in APIS.items()]
    if version == 3:
        out += b"\0\0" + bytes([len(rows) + 1])  # a compact array, no tagged fields
        for row in rows:
            out += _COMPACT_API.pack(*row, 0)
        return out + b"\0\0\0\0\0"
    error = Code.NONE
    if not 0 <= version <= 3:
        error, version = Code.UNSUPPORTED_VERSION, 0
        rows = [row for row in rows if row[0] == API_VERSIONS]
    apis = [{"key": key, "low": low, "high": high} for key, low, high in rows]
    return encode(out, APIS[API_VERSIONS].response, {"error": error, "apis": apis}, version)


def handlers(
    admin: Admin, lookup: Lookup, membership: Membership, offsets: Offsets, syncer: Syncer
) -> dict[str, Handler]:
    """One entry for each API that has no codec of its own."""

    async def commit(request: Message) -> Message:
        reply = offsets.commit(request)
        await syncer.flushed()
        return reply

    def delete_groups(request: Message) -> Message:
        return {"groups": [{"group": g, "error": offsets.delete(g)} for g in request["groups"]]}

    def describe_groups(request: Message) -> Message:
        return {"groups": [offsets.describe(name) for name in request["groups"]]}

    return {
        "list_offsets": lambda r, v, c: lookup.list_offsets(r),
        "metadata": lambda r, v, c: lookup.metadata(r, v),
        "find_coordinator": lambda r, v, c: lookup.find_coordinator(r),
        "init_producer_id": lambda r, v, c: lookup.producer_id(r),
        "offset_commit": lambda r, v, c: commit(r) if syncer.before_ack else offsets.commit(r),
        "offset_fetch": lambda r, v, c: offsets.fetch(r),
        "join_group": membership.join,
        "sync_group": lambda r, v, c: membership.sync(r),
        "heartbeat": lambda r, v, c: membership.heartbeat(r),
        "leave_group": lambda r, v, c: membership.leave(r, v),
        "describe_groups": lambda r, v, c: describe_groups(r),
        "list_groups": lambda r, v, c: {"groups": offsets.listing()},
        "delete_groups": lambda r, v, c: delete_groups(r),
        "create_topics": lambda r, v, c: admin.create_topics(r),
        "delete_topics": lambda r, v, c: admin.delete_topics(r),
        "delete_records": lambda r, v, c: admin.delete_records(r),
        "create_partitions": lambda r, v, c: admin.create_partitions(r),
        "describe_configs": lambda r, v, c: admin.describe_configs(r),
        "alter_configs": lambda r, v, c: admin.alter_configs(r),
        "incremental_alter_configs": lambda r, v, c: admin.incremental_alter_configs(r),
    }
