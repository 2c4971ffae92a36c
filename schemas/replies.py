"""What a handler yields (`Reply`) and what stands on the reply topic (`ReplyRecord`).

An answer is `Started, Chunk*, (Completed | Failed)` and nothing else; `Failed` may come first.
The values of one request's records, concatenated, are the HTTP body.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas import claims, headers as h
from schemas.claims import Claim
from schemas.errors import GatewayError
from schemas.headers import Headers
from schemas.usage import Usage


class Started(Struct, frozen=True, tag="started"):
    """The answer began: everything that goes before its body."""

    status: int
    content_type: str
    provider: str  # the instance that answers
    model: str  # as the provider knows it
    http_headers: dict[str, str] = {}  # of the upstream, those worth passing on
    size: int | None = None  # bytes that will follow, where the provider says so beforehand
    claim: Claim | None = None  # where the body is if it is too large for the log: no Chunk follows


class Chunk(Struct, frozen=True, tag="chunk"):
    """A piece of the body in the client's dialect. Of a stream: whole events only."""

    data: bytes
    content: bool = True  # False: nothing in it that a reader would see (role-only, empty deltas)


class Completed(Struct, frozen=True, tag="completed"):
    """The answer is whole. `data` is the end of the body, held back until the outcome is recorded."""

    data: bytes = b""
    finish_reason: str | None = None
    usage: Usage | None = None
    response_model: str | None = None


class Failed(Struct, frozen=True, tag="failed"):
    """There is no answer, or no more of it. `body` is the error in the caller's dialect, the provider's
    own bytes if it speaks the same one; None: the gateway's words for `error`."""

    error: GatewayError
    status: int
    body: bytes | None = None
    event: bytes | None = None  # the same as the last event of a stream, if it came or goes in-band
    content_type: str = "application/json"
    usage: Usage | None = None
    response_model: str | None = None
    http_headers: dict[str, str] = {}


Reply = Started | Chunk | Completed | Failed

# `begun` is no piece of the answer and has the number -1: a worker has taken the request up. It is told
# only of requests whose answer is kept, to whoever asks how far they are.
Kind = Literal["begun", "started", "chunk", "completed", "failed"]
TYPES: dict[Kind, bytes] = {
    "begun": b"llm.reply.begun",
    "started": b"llm.reply.started",
    "chunk": b"llm.reply.chunk",
    "completed": b"llm.reply.completed",
    "failed": b"llm.reply.failed",
}
_KINDS: dict[bytes, Kind] = {value: kind for kind, value in TYPES.items()}


class Address(Struct, frozen=True):
    """Where an answer goes: EIP's Return Address in Spring's headers."""

    topic: str
    partition: int | None = None
    correlation_id: bytes | None = None


class Head(Struct, frozen=True):
    """What the first record of an answer carries beside its bytes."""

    status: int
    content_type: str
    provider: str = ""
    model: str = ""
    http_headers: bytes = b""  # JSON object, empty if none
    claim: Claim | None = None  # where the body is; the record has none, and is the only one


class ReplyRecord(Struct, frozen=True):
    """One record of `llm.replies`. `count` stands on the last one only: how many there are of this attempt."""

    kind: Kind
    attempt: int
    seq: int  # from 0; of `begun` -1
    value: bytes
    head: Head | None = None  # on seq 0
    count: int | None = None
    # An outcome that is told again: its bytes are those of the earlier attempt, from the first on.
    # A reader that has passed on n bytes of it goes on after the n-th.
    replay: bool = False

    @property
    def last(self) -> bool:
        return self.count is not None


def to_headers(record: ReplyRecord, correlation_id: bytes | None) -> Headers:
    """The record's Kafka headers."""
    found: Headers = [
        (h.CE_TYPE, TYPES[record.kind]),
        (h.ATTEMPT, b"%d" % record.attempt),
        (h.SEQ, b"%d" % record.seq),
    ]
    if record.count is not None:
        found.append((h.COUNT, b"%d" % record.count))
    if record.replay:
        found.append((h.REPLAY, b"1"))
    if correlation_id is not None:
        found.append((h.CORRELATION_ID, correlation_id))
    if (head := record.head) is not None:
        found.append((h.STATUS, b"%d" % head.status))
        found.append((h.CONTENT_TYPE, head.content_type.encode()))
        if head.provider:
            found.append((h.PROVIDER, head.provider.encode()))
            found.append((h.MODEL, head.model.encode()))
        if head.http_headers:
            found.append((h.HTTP_HEADERS, head.http_headers))
        if head.claim is not None:
            found += [(n, v.encode()) for n, v in claims.to_headers(head.claim) if v is not None]
    return found


def from_record(headers: tuple[tuple[str, bytes], ...], value: bytes | None) -> ReplyRecord:
    """The reply in a Kafka record; ValueError or KeyError if it is none."""
    found = h.first(headers)
    head = None
    if (status := found.get(h.STATUS)) is not None:
        head = Head(
            int(status),
            found[h.CONTENT_TYPE].decode(),
            found.get(h.PROVIDER, b"").decode(),
            found.get(h.MODEL, b"").decode(),
            found.get(h.HTTP_HEADERS, b""),
            claims.from_headers(found),
        )
    count = found.get(h.COUNT)
    return ReplyRecord(
        _KINDS[found[h.CE_TYPE]],
        int(found[h.ATTEMPT]),
        int(found[h.SEQ]),
        value or b"",
        head,
        None if count is None else int(count),
        h.REPLAY in found,
    )
