"""Requests: the client's body as it came, and the few things that we act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from schemas import batch_lines, claims, headers as h
from schemas.batch_lines import BatchLine
from schemas.claims import Claim, Stored
from schemas.clock import from_rfc3339, rfc3339, within_calendar
from schemas.header_values import flag, http_headers, models, text
from schemas.headers import Headers
from schemas.replies import Address

SCHEMA_VERSION = 1
Operation = Literal["chat", "embeddings", "count_tokens", "compact", "relay", "files", "batches"]
# How the body is written, and so the answer and its errors.
Dialect = Literal["openai_chat", "openai_completions", "openai_responses", "anthropic", "gemini"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
TYPES: dict[bytes, Operation] = {
    b"llm.request.chat": "chat",
    b"llm.request.embeddings": "embeddings",
    b"llm.request.count-tokens": "count_tokens",
    b"llm.request.compact": "compact",
    # Any HTTP request that is handed on to one provider as it is: pass-through, files, batches.
    b"llm.request.relay": "relay",
    # What providers keep, in OpenAI's form: method and path as a relayed request has them; the
    # provider need not be named.
    b"llm.request.files": "files",
    b"llm.request.batches": "batches",
}
RELAYED: tuple[Operation, ...] = ("relay", "files", "batches")  # have a Relay, and any body
_TYPE_OF: dict[Operation, bytes] = {operation: ce_type for ce_type, operation in TYPES.items()}
INGRESS_SOURCE = (
    "/sluice/ingress/"  # ce_source of our own ingress; ids under it are unique by themselves
)
MAX_ID_CHARS = 256
# As Kafka has it. A longer name cannot even be asked for: it would end a producer's metadata for good.
_TOPIC_NAME = re.compile(rb"[A-Za-z0-9._-]{1,249}")
_METHOD = re.compile(r"[A-Z]{1,20}")
_PATH = re.compile(r"/[\x21-\x7e]*")
_encode = msgspec.json.Encoder().encode


class Position(Struct, frozen=True):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int


class Request(Struct, frozen=True, kw_only=True):
    """One request, as an ingress sends it and a worker gets it."""

    request_id: str
    body: bytes
    operation: Operation = "chat"
    dialect: Dialect = "openai_chat"
    source: str = "/kafka"
    user_path: str = "/kafka"
    client: str | None = None  # name of the key, never the key
    client_ip: str | None = None
    client_request_id: str | None = None
    created: float = 0.0  # epoch seconds
    deadline: float | None = None  # epoch seconds
    reply_to: Address | None = None
    traceparent: str | None = None
    # What a body does not say: Gemini's has the model and the stream in its path.
    model: str | None = None
    stream: bool | None = None
    relay: Relay | None = None
    content_type: str = "application/json"
    # Headers of the caller that reach the provider, names in lower case: betas and versions.
    http_headers: dict[str, str] = {}
    # Responses: what it continued before its input was made whole. Never in a record.
    continues: str | None = None
    drop_params: bool = False  # what a provider cannot be told may be left out
    cache: str | None = None  # what its caller says of caches: directives, as in HTTP
    without_bodies: bool = False  # neither of them is stored with its exchange
    keep: bool = False  # the answer is kept whole, to be fetched when nobody waits for it
    idempotency_key: str | None = None  # requests of one owner with an equal one make one call
    line: BatchLine | None = None  # of which batch it is a line
    # Of a new batch: patterns of what its key may ask for; empty: anything.
    models: tuple[str, ...] = ()
    claim: Claim | None = None  # where the body is if it is too large for a record; `body` is empty
    # The same on this machine, if it is sent from there. Never in a record.
    file: Stored | None = None


class Relay(Struct, frozen=True):
    """Where a relayed request goes: the HTTP request without its headers and body."""

    provider: str  # an instance or a vendor; of files and batches maybe empty
    method: str
    path: str  # behind the instance's base URL, with its query


def to_headers(request: Request) -> Headers:
    """Kafka headers of a request that our ingress produces."""
    found: Headers = [
        (h.CE_SPECVERSION, b"1.0"),
        (h.CE_ID, request.request_id.encode()),
        (h.CE_TYPE, _TYPE_OF[request.operation]),
        (h.CE_SOURCE, request.source.encode()),
        (h.CE_TIME, rfc3339(request.created).encode()),
        (h.CONTENT_TYPE, request.content_type.encode()),
        (h.SCHEMA_VERSION, b"%d" % SCHEMA_VERSION),
        (h.USER_PATH, request.user_path.encode()),
    ]
    if request.deadline is not None:
        found.append((h.CE_EXPIRYTIME, rfc3339(request.deadline).encode()))
    if (to := request.reply_to) is not None:
        found.append((h.REPLY_TOPIC, to.topic.encode()))
        if to.partition is not None:
            found.append((h.REPLY_PARTITION, to.partition.to_bytes(4, "big")))
    found.extend((name, value.encode()) for name, value in _optional(request) if value is not None)
    if request.models:
        found.append((h.MODELS, _encode(request.models)))
    if request.line is not None:
        found.extend(batch_lines.to_headers(request.line))
    return found


def _optional(request: Request) -> Iterator[tuple[str, str | None]]:
    yield h.CLIENT, request.client
    yield h.CLIENT_IP, request.client_ip
    yield h.CLIENT_REQUEST_ID, request.client_request_id
    yield h.TRACEPARENT, request.traceparent
    yield h.MODEL, request.model
    yield h.CACHE, request.cache
    yield h.IDEMPOTENCY_KEY, request.idempotency_key
    if request.dialect != "openai_chat":
        yield h.DIALECT, request.dialect
    if request.stream is not None:
        yield h.STREAM, "true" if request.stream else "false"
    for name, wanted in (
        (h.DROP_PARAMS, request.drop_params),
        (h.WITHOUT_BODIES, request.without_bodies),
        (h.KEEP, request.keep),
    ):
        if wanted:
            yield name, "true"
    if request.http_headers:
        yield h.HTTP_HEADERS, _encode(request.http_headers).decode()
    if (relay := request.relay) is not None:
        yield h.PROVIDER, relay.provider
        yield h.METHOD, relay.method
        yield h.PATH, relay.path
    if request.claim is not None:
        yield from claims.to_headers(request.claim)


class Malformed(Exception):
    """A record that is no request; the message is the reason that stands on the dead letter."""

    def __init__(self, reason: str, reply_to: Address | None = None) -> None:
        super().__init__(reason)
        self.reply_to = reply_to


def from_record(
    headers: dict[str, bytes], value: bytes | None, position: Position, timestamp: float
) -> Request:
    """The request in a record of `llm.requests`; Malformed if its headers make none.

    Every header is optional. `headers` holds the first value of each name, `timestamp` is the
    record's own in epoch seconds. The body is not looked at beyond being there: see `bodies`.
    """
    reply_to = None
    try:
        reply_to = _reply_to(headers)
        _check_version(headers.get(h.SCHEMA_VERSION, b"1"))
        claim = claims.from_headers(headers)
        if value is None and claim is None:
            raise ValueError("the record has no value; a request's value is its JSON body")
        ce_type = headers.get(h.CE_TYPE, b"llm.request.chat")
        if ce_type not in TYPES:
            raise ValueError(
                f"unknown ce_type {ce_type.decode()!r}; known: {', '.join(t.decode() for t in TYPES)}"
            )
        source = text(headers, h.CE_SOURCE) or "/kafka"
        created, deadline = text(headers, h.CE_TIME), text(headers, h.CE_EXPIRYTIME)
        return Request(
            request_id=_request_id(headers, source, position),
            body=b"" if value is None or claim is not None else value,
            operation=TYPES[ce_type],
            dialect=_dialect(headers),
            source=source,
            user_path=text(headers, h.USER_PATH) or "/kafka",
            client=text(headers, h.CLIENT),
            client_ip=text(headers, h.CLIENT_IP),
            client_request_id=text(headers, h.CLIENT_REQUEST_ID),
            created=from_rfc3339(created) if created else within_calendar(timestamp),
            deadline=from_rfc3339(deadline) if deadline else None,
            reply_to=reply_to,
            traceparent=text(headers, h.TRACEPARENT),
            model=text(headers, h.MODEL),
            stream=flag(headers, h.STREAM),
            relay=_relay(headers, TYPES[ce_type]),
            content_type=text(headers, h.CONTENT_TYPE) or "application/json",
            http_headers=http_headers(headers),
            drop_params=bool(flag(headers, h.DROP_PARAMS)),
            cache=text(headers, h.CACHE),
            keep=bool(flag(headers, h.KEEP)),
            without_bodies=bool(flag(headers, h.WITHOUT_BODIES)),
            idempotency_key=text(headers, h.IDEMPOTENCY_KEY),
            claim=claim,
            line=batch_lines.from_headers(headers),
            models=models(headers),
        )
    except UnicodeDecodeError as error:
        raise Malformed(f"a header is not UTF-8: {error.object[:40]!r}", reply_to) from error
    except ValueError as error:
        raise Malformed(str(error), reply_to) from error


def _check_version(value: bytes) -> None:
    if value == b"%d" % SCHEMA_VERSION:
        return
    version = h.integer(value)
    if version > SCHEMA_VERSION:
        raise ValueError(f"schema version {version} is newer than this worker's {SCHEMA_VERSION}")
    if version < 1:
        raise ValueError(f"there is no schema version {version}")


def _dialect(headers: dict[str, bytes]) -> Dialect:
    given = text(headers, h.DIALECT) or "openai_chat"
    for dialect in DIALECTS:
        if given == dialect:
            return dialect
    raise ValueError(f"unknown {h.DIALECT} {given!r}; known: {', '.join(DIALECTS)}")


def _relay(headers: dict[str, bytes], operation: Operation) -> Relay | None:
    if operation not in RELAYED:
        return None
    provider, path = text(headers, h.PROVIDER) or "", text(headers, h.PATH)
    if not path or (operation == "relay" and not provider):
        raise ValueError(f"a relayed request needs the headers {h.PROVIDER} and {h.PATH}")
    method = text(headers, h.METHOD) or "POST"
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{h.METHOD} is no HTTP method: {method[:20]!r}")
    if not _PATH.fullmatch(path):
        raise ValueError(f"{h.PATH} must begin with a slash and be a URL's path and query")
    return Relay(provider, method, path)


def _reply_to(headers: dict[str, bytes]) -> Address | None:
    topic = headers.get(h.REPLY_TOPIC)
    if not topic:
        return None
    if not _TOPIC_NAME.fullmatch(topic):
        raise ValueError(f"{h.REPLY_TOPIC} is no topic's name: {topic[:40]!r}")
    partition = headers.get(h.REPLY_PARTITION)
    return Address(
        topic.decode(),
        None if partition is None else h.integer(partition),
        headers.get(h.CORRELATION_ID),
    )


def request_id_of(headers: dict[str, bytes], position: Position) -> str:
    """The id under which a record is answered, even if it is no request."""
    try:
        return _request_id(headers, text(headers, h.CE_SOURCE) or "/kafka", position)
    except ValueError:
        return f"{position.topic}-{position.partition}-{position.offset}"


def _request_id(headers: dict[str, bytes], source: str, position: Position) -> str:
    """Ours as they are; a direct producer's scoped by its source; without any, the record's position."""
    if moved := text(headers, h.REQUEST_ID):
        return moved
    given = text(headers, h.CE_ID)
    if given is None:
        return f"{position.topic}-{position.partition}-{position.offset}"
    if len(given) > MAX_ID_CHARS or len(source) > MAX_ID_CHARS:
        raise ValueError(f"ce_id and ce_source may have {MAX_ID_CHARS} characters each")
    return given if source.startswith(INGRESS_SOURCE) else f"{source}/{given}"
