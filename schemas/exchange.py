"""The exchange: one finished request with its answer, as it stands in `llm.exchanges`. Documented for
analysts in docs/exchanges.md."""

from __future__ import annotations

import base64
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.claims import Claim
from schemas.costs import Cost
from schemas.guardrails import Verdict
from schemas.requests import RELAYED, Position, Request
from schemas.usage import Usage

SCHEMA_VERSION = 1
# `rejected`: refused by the gateway itself before any provider was asked.
Outcome = Literal["completed", "failed", "cancelled", "expired", "rejected"]
# What is not done with an exchange, by its workflow or its key: it is no entry of the audit log, its bodies
# are not stored, no budget is charged, its usage is in no sum.
Without = Literal["audit", "bodies", "budget", "usage"]
OUTCOME_TYPE: dict[Outcome, bytes] = {
    "completed": b"llm.exchange.completed",
    "failed": b"llm.exchange.failed",
    "cancelled": b"llm.exchange.cancelled",
    "expired": b"llm.exchange.expired",
    "rejected": b"llm.exchange.rejected",
}
OUTCOME_TYPES = frozenset(OUTCOME_TYPE.values())
# Rejected by an ingress: no request stands in the log, so it is nobody's outcome.
REFUSED_TYPE = b"llm.exchange.refused"
SHOWN_TYPES = OUTCOME_TYPES | {REFUSED_TYPE}
REDELIVERED_TYPE = b"llm.exchange.redelivered"  # no exchange: counts a redelivery before it runs


class Body(Struct, frozen=True, omit_defaults=True):
    """A body: JSON as it was sent, anything else as a JSON string (`text`, or `base64` if not UTF-8).

    Of one that was too large for the log only the claim check is there: an object with its `dataref`,
    `size` and `digest`.
    """

    body: Raw
    format: Literal["json", "text", "base64", "claim"] = "json"
    content_type: str = "application/json"

    @property
    def claim(self) -> Claim | None:
        """Where the body was, if it was too large for the log."""
        return msgspec.json.decode(self.body, type=Claim) if self.format == "claim" else None

    def content(self) -> bytes:
        """The bytes as they were sent; none of what a claim check stands for."""
        if self.format == "claim":
            return b""
        if self.format == "json":
            return bytes(self.body)
        text = msgspec.json.decode(self.body, type=str)
        return text.encode() if self.format == "text" else base64.b64decode(text)


class ErrorInfo(Struct, frozen=True):
    """What the caller was told of a failure."""

    code: str
    type: str
    message: str


class Attempt(Struct, frozen=True, omit_defaults=True):
    """One call of a provider."""

    provider: str
    model: str
    started_at: str  # RFC 3339
    duration: float  # seconds
    status: int | None = None  # HTTP; None if there was no answer
    error: str | None = None  # code
    # What one that failed has used, as far as it said so. It is part of no other count.
    usage: Usage | None = None
    resumed: str | None = None  # how it took over a stream that another had begun: splice, continue


class Cached(Struct, frozen=True, omit_defaults=True):
    """What the caches were to a request. All but a miss and a bypass are hits: no call was made for it."""

    result: Literal["exact", "semantic", "coalesced", "miss", "bypass"]
    key: str | None = None  # of the entry
    age: float | None = None  # seconds since the answer was made
    saved: Usage | None = None  # what the call that was not made would have used
    saved_cost: int | None = None  # and cost, nano-dollars
    seconds: float | None = None  # how long the call had taken whose answer is given again
    similarity: float | None = None  # cosine of the two questions


class Timings(Struct, frozen=True, omit_defaults=True):
    """Seconds. `queued`: produced to taken up; `first_token` and `upstream` count from the call's start."""

    total: float
    queued: float = 0.0
    upstream: float | None = None
    first_token: float | None = None


class Exchange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request's one terminal outcome."""

    request_id: str
    outcome: Outcome
    created_at: str  # RFC 3339: when the request was produced
    finished_at: str  # RFC 3339
    operation: str
    dialect: str
    stream: bool
    source: str
    user_path: str
    request_model: str | None
    status: int  # HTTP status told to the caller
    delivery_attempt: int  # 1, more after crashes
    kafka: Position
    timings: Timings
    request: Body
    response: Body | None = None
    schema_version: int = SCHEMA_VERSION
    client: str | None = None
    client_ip: str | None = None
    client_request_id: str | None = None
    traceparent: str | None = None
    provider: str | None = None  # instance
    rule: str | None = None  # the routing rule that chose the candidates
    response_model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None  # None: a price that is needed is not known
    error: ErrorInfo | None = None
    attempts: tuple[Attempt, ...] = ()
    cache: Cached | None = None  # None: caching is off
    batch_id: str | None = None  # the batch of which it was a line, under this name
    custom_id: str | None = None
    repeats: str | None = None  # the request of the same idempotency key whose answer it was given
    workflow: str | None = None  # the version that said which features and guardrails apply
    guardrails: tuple[Verdict, ...] = ()  # what each of them said, in order
    http_headers: dict[str, str] | UnsetType = UNSET  # upstream headers that were passed on
    without: tuple[Without, ...] = ()
    keep: bool = False  # the answer can be asked for again by the request's id


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Exchange).decode


def encode(exchange: Exchange) -> bytes:
    """JSON."""
    return _encode(exchange)


def decode(value: bytes) -> Exchange:
    """The exchange in a record's value; msgspec.DecodeError if it is none."""
    return _decode(value)


def request_body(request: Request) -> Body:
    """The body of a request. All but relayed ones are known to be valid JSON."""
    if request.claim is not None:
        return claimed_body(request.claim, request.content_type)
    if request.operation in RELAYED:
        return any_body(request.body, request.content_type)
    return Body(Raw(request.body))


def claimed_body(claim: Claim, content_type: str) -> Body:
    """A body that was too large for the log."""
    return Body(Raw(_encode(claim)), "claim", content_type)


def any_body(body: bytes, content_type: str) -> Body:
    """A body of which nothing is known."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Body(Raw(_encode(base64.b64encode(body).decode())), "base64", content_type)
    if content_type.startswith("application/json") and _is_json(body):
        return Body(Raw(body), "json", content_type)
    return Body(Raw(_encode(text)), "text", content_type)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
