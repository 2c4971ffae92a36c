"""From a slot to the client: waits for the first record and writes the answer that it begins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from ingress import sse
from ingress.errors import identity_lines
from ingress.guards import IncomingRequest
from ingress.json_array import ArrayAnswer
from ingress.replies import Slot
from ingress.seen import Seen
from ingress.wire import SLICE, Answer
from schemas.claims import Claim
from schemas.clock import Clock
from schemas.envelopes import EVENT_STREAM, JSON, error_body
from schemas.errors import BodyLost, Interrupted
from schemas.faultpoints import reach
from schemas.replies import Head
from schemas.spool import Spool

SPILL = (
    1 << 20
)  # bytes of a plain answer that are held for its Content-Length; beyond, it is chunked
# Types of answers whose lines come one by one.
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/stream+")
# Upstream headers that are about its connection or body, or that we write ourselves.
_OURS = frozenset(
    [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",
        "set-cookie",
        "sluice-model",
        "sluice-provider",
        "sluice-request-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    ]
)
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


async def first_record(slot: Slot) -> Head:
    """The head of the answer; raises the slot's error if there comes none."""
    while slot.head is None:
        if slot.error is not None:
            raise slot.error
        await slot.wait()
    reach("ingress.first_reply")
    return slot.head


async def stream(slot: Slot, request: IncomingRequest, config: Delivery, clock: Clock) -> Answer:
    """Deliver an event stream."""
    assert slot.head is not None
    slot.written = True
    answer = _answer(request, slot.head, b"", sse.LINES)
    first = slot.take()
    await answer.begin(request.stream, config.write_timeout, first)
    reach("ingress.mid_stream")
    seen = Seen(request.dialect, first)
    await sse.relay(slot, answer, seen, config.ping_interval, clock)
    return answer


async def plain(slot: Slot, request: IncomingRequest, config: Delivery) -> Answer:
    """Deliver a plain answer: in one piece with its length, or chunked if it is a large one.

    A chunked one that fails after its beginning breaks the connection, so that it cannot be taken
    for whole.
    """
    assert slot.head is not None
    spill = 0 if slot.head.content_type.startswith(_LINES) else SPILL
    chunkable = request.version == "1.1" and not request.stream.head_only
    while not slot.ended and not (chunkable and slot.size > spill):
        if slot.error is not None:
            raise slot.error
        await slot.wait()
    slot.written = True
    if slot.ended:
        return await _whole(slot, request, config)
    answer = _answer(request, slot.head, b"")
    await answer.begin(request.stream, config.write_timeout, slot.take())
    while not slot.ended:
        if slot.error is not None:
            answer.abandon()
            return answer
        await slot.wait()
        if slot.pieces and not slot.ended:
            await answer.write(slot.take())
            reach("ingress.mid_stream")
    if slot.failed:
        answer.abandon()
    else:
        await answer.end(slot.take())
    return answer


async def finished(slot: Slot, request: IncomingRequest, config: Delivery) -> Answer:
    """Deliver an answer that has ended, in one piece: a stream as its events."""
    assert slot.head is not None
    slot.written = True
    if not is_stream(slot.head):
        return await _whole(slot, request, config)
    return await _sent(_answer(request, slot.head, slot.take(), sse.LINES), request, config)


async def _whole(slot: Slot, request: IncomingRequest, config: Delivery) -> Answer:
    head = slot.head
    assert head is not None
    if head.claim is not None:
        return await _from_file(head, head.claim, request, config)
    if slot.failed and slot.records > 1:
        # It failed after pieces of an answer that nobody has seen: only the failure counts.
        head = Head(Interrupted.status, "application/json", head.provider, head.model)
        slot.pieces = slot.pieces[-1:] or [error_body(request.dialect, Interrupted())]
    return await _sent(_answer(request, head, slot.take()), request, config)


async def _from_file(
    head: Head, claim: Claim, request: IncomingRequest, config: Delivery
) -> Answer:
    """An answer that was too large for the log; BodyLost. Nobody asks for its file a second time."""
    if config.spool is None:
        raise BodyLost("The answer is in a folder: set SPOOL_DIR here, too.")
    try:
        stored = await config.spool.verified(claim)
        answer = _answer(request, head, b"")
        await answer.send_pieces(
            request.stream, config.write_timeout, stored.size, config.spool.pieces(stored)
        )
    finally:
        config.spool.remove(claim.dataref)
    return answer


async def _sent(answer: Answer, request: IncomingRequest, config: Delivery) -> Answer:
    if len(answer.content) > SLICE and not request.stream.head_only:
        await answer.send_slowly(request.stream, config.write_timeout)
    return answer


class Delivery(msgspec.Struct, frozen=True):
    """The times that delivery keeps, in seconds, and where large answers stand."""

    write_timeout: float
    ping_interval: float
    spool: Spool | None = None


def _answer(request: IncomingRequest, head: Head, content: bytes, more: bytes = b"") -> Answer:
    """An answer with the headers of `head`, connected to the request's stream."""
    array = request.json_array and is_stream(head)
    content_type = JSON if array else head.content_type
    lines = _fixed_lines(content_type, head.provider, head.model) + identity_lines(request)
    if head.http_headers:
        lines += _upstream_lines(head.http_headers)
    made = ArrayAnswer if array else Answer
    answer = made(head.status, lines + more, content)
    stream: Any = request.stream
    stream.respond(answer)
    request.responded = True
    return answer


@lru_cache(maxsize=1024)
def _fixed_lines(content_type: str, provider: str, model: str) -> bytes:
    text = f"content-type: {_clean(content_type)}\r\n"
    if provider:
        text += f"sluice-provider: {_clean(provider)}\r\n"
    if model:
        text += f"sluice-model: {_clean(model)}\r\n"
    return text.encode("latin-1", "replace")


def _upstream_lines(raw: bytes) -> bytes:
    try:
        headers = _decode_headers(raw)
    except msgspec.DecodeError:
        return b""  # they are an extra; the answer is good without them
    lines = [
        f"{_clean(name)}: {_clean(value)}\r\n"
        for name, value in headers.items()
        if name.lower() not in _OURS and name.isascii() and _TOKEN.isdisjoint(name)
    ]
    return "".join(lines).encode("latin-1", "replace")


_TOKEN = frozenset(' \t:"(),/;<=>?@[\\]{}')
_CONTROLS = dict.fromkeys((*range(32), 127))


def _clean(value: str) -> str:
    """Without control characters, which would end the header."""
    return value.translate(_CONTROLS)


def is_stream(head: Head) -> bool:
    """Whether the answer is a stream of events."""
    return head.content_type.startswith(EVENT_STREAM)
