"""Requests: the client's body as it came, and the few things that we act on."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from schemas import headers as h
from schemas.clock import from_rfc3339, rfc3339, within_calendar
from schemas.errors import InvalidRequest
from schemas.headers import Headers
from schemas.replies import Address

SCHEMA_VERSION = 1
Operation = Literal["chat"]
Dialect = Literal["openai_chat"]
TYPES: dict[bytes, Operation] = {b"llm.request.chat": "chat"}
_TYPE_OF: dict[Operation, bytes] = {operation: ce_type for ce_type, operation in TYPES.items()}
INGRESS_SOURCE = (
    "/sluice/ingress/"  # ce_source of our own ingress; ids under it are unique by themselves
)
MAX_ID_CHARS = 256
# As Kafka has it. A longer name cannot even be asked for: it would end a producer's metadata for good.
_TOPIC_NAME = re.compile(rb"[A-Za-z0-9._-]{1,249}")


class Position(Struct, frozen=True):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int


class ChatBody(Struct):
    """The fields of a chat request on which the gateway acts; everything else stays in the bytes."""

    model: str
    messages: list[Raw]
    stream: bool | None = None
    stream_options: Raw = Raw()


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


_chat = msgspec.json.Decoder(ChatBody)


def parse_chat(body: bytes) -> ChatBody:
    """The envelope of a chat body; InvalidRequest says what is wrong with it and where."""
    try:
        if not body.isascii():
            body.decode()  # msgspec skips over strings that it does not need without looking at them
        chat = _chat.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start}.") from error
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error
    if not chat.model.strip():
        raise InvalidRequest("`model` must not be empty.", param="model")
    if not chat.messages:
        raise InvalidRequest("`messages` must hold at least one message.", param="messages")
    return chat


def _invalid(text: str) -> InvalidRequest:
    """msgspec's sentence ("Expected `str`, got `int` - at `$.model`") in the caller's terms."""
    reason, _, path = text.partition(" - at `$")
    param = path.strip("`").lstrip(".").split("[")[0].split(".")[0] or None
    if param is None and "missing required field" in reason:
        param = reason.rsplit("`", 2)[-2]
        return InvalidRequest(f"`{param}` is required.", param=param)
    if param is None:
        return InvalidRequest("The body must be a JSON object.")
    return InvalidRequest(f"`{param}`: {reason[0].lower()}{reason[1:]}.", param=param)


def to_headers(request: Request) -> Headers:
    """Kafka headers of a request that our ingress produces."""
    found: Headers = [
        (h.CE_SPECVERSION, b"1.0"),
        (h.CE_ID, request.request_id.encode()),
        (h.CE_TYPE, _TYPE_OF[request.operation]),
        (h.CE_SOURCE, request.source.encode()),
        (h.CE_TIME, rfc3339(request.created).encode()),
        (h.CONTENT_TYPE, b"application/json"),
        (h.SCHEMA_VERSION, b"%d" % SCHEMA_VERSION),
        (h.USER_PATH, request.user_path.encode()),
    ]
    if request.deadline is not None:
        found.append((h.CE_EXPIRYTIME, rfc3339(request.deadline).encode()))
    if (to := request.reply_to) is not None:
        found.append((h.REPLY_TOPIC, to.topic.encode()))
        if to.partition is not None:
            found.append((h.REPLY_PARTITION, to.partition.to_bytes(4, "big")))
    for name, value in (
        (h.CLIENT, request.client),
        (h.CLIENT_IP, request.client_ip),
        (h.CLIENT_REQUEST_ID, request.client_request_id),
        (h.TRACEPARENT, request.traceparent),
    ):
        if value is not None:
            found.append((name, value.encode()))
    return found


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
    record's own in epoch seconds. The body is not looked at beyond being there: see `parse_chat`.
    """
    reply_to = None
    try:
        reply_to = _reply_to(headers)
        _check_version(headers.get(h.SCHEMA_VERSION, b"1"))
        if value is None:
            raise ValueError("the record has no value; a request's value is its JSON body")
        ce_type = headers.get(h.CE_TYPE, b"llm.request.chat")
        if ce_type not in TYPES:
            raise ValueError(
                f"unknown ce_type {ce_type.decode()!r}; known: {', '.join(t.decode() for t in TYPES)}"
            )
        dialect = _text(headers, h.DIALECT) or "openai_chat"
        if dialect != "openai_chat":
            raise ValueError(f"unknown {h.DIALECT} {dialect!r}; known: openai_chat")
        source = _text(headers, h.CE_SOURCE) or "/kafka"
        created, deadline = _text(headers, h.CE_TIME), _text(headers, h.CE_EXPIRYTIME)
        return Request(
            request_id=_request_id(headers, source, position),
            body=value,
            operation=TYPES[ce_type],
            source=source,
            user_path=_text(headers, h.USER_PATH) or "/kafka",
            client=_text(headers, h.CLIENT),
            client_ip=_text(headers, h.CLIENT_IP),
            client_request_id=_text(headers, h.CLIENT_REQUEST_ID),
            created=from_rfc3339(created) if created else within_calendar(timestamp),
            deadline=from_rfc3339(deadline) if deadline else None,
            reply_to=reply_to,
            traceparent=_text(headers, h.TRACEPARENT),
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


def _text(headers: dict[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return value.decode() if value else None


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
        return _request_id(headers, _text(headers, h.CE_SOURCE) or "/kafka", position)
    except ValueError:
        return f"{position.topic}-{position.partition}-{position.offset}"


def _request_id(headers: dict[str, bytes], source: str, position: Position) -> str:
    """Ours as they are; a direct producer's scoped by its source; without any, the record's position."""
    if moved := _text(headers, h.REQUEST_ID):
        return moved
    given = _text(headers, h.CE_ID)
    if given is None:
        return f"{position.topic}-{position.partition}-{position.offset}"
    if len(given) > MAX_ID_CHARS or len(source) > MAX_ID_CHARS:
        raise ValueError(f"ce_id and ce_source may have {MAX_ID_CHARS} characters each")
    return given if source.startswith(INGRESS_SOURCE) else f"{source}/{given}"


__all__ = [
    "INGRESS_SOURCE",
    "ChatBody",
    "Malformed",
    "Position",
    "Request",
    "from_record",
    "parse_chat",
    "request_id_of",
    "to_headers",
]
