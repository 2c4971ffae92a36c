"""Exchanges to store, as the streams role records them."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.clock import rfc3339
from schemas.exchange import OUTCOME_TYPE, Attempt, Body, Exchange, Timings, encode, request_body
from schemas.headers import Headers
from schemas.requests import Position, Request
from schemas.usage import Usage
from sinks.document import Document, document

BEGIN = 1_767_225_600.0  # 2026-01-01T00:00:00Z
QUESTION = b'{"model":"sim-1","messages":[{"role":"user","content":"Hello"}]}'
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"sim-1","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Hello yourself"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)


def json_body(body: bytes) -> Body:
    """A body as an exchange keeps it."""
    return request_body(Request(request_id="r", body=body))


def request_id(number: int) -> str:
    return f"0198a000-0000-7000-8000-{number:012x}"


def exchange(number: int = 1, *, at: float = BEGIN, **changes: Any) -> Exchange:
    """A completed chat; `changes` are fields of Exchange."""
    fields: dict[str, Any] = {
        "request_id": request_id(number),
        "outcome": "completed",
        "created_at": rfc3339(at),
        "finished_at": rfc3339(at + 0.5),
        "operation": "chat",
        "dialect": "openai_chat",
        "stream": False,
        "source": "/sluice/ingress/host-0",
        "user_path": "/team/ann",
        "request_model": "sim-1",
        "status": 200,
        "delivery_attempt": 1,
        "kafka": Position("llm.requests", 3, 41 + number),
        "timings": Timings(total=0.5, queued=0.002, upstream=0.45, first_token=0.1),
        "request": json_body(QUESTION),
        "response": json_body(ANSWER),
        "client": "master",
        "client_ip": "127.0.0.1",
        "client_request_id": f"mine-{number}",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "provider": "sim",
        "response_model": "sim-1",
        "finish_reason": "stop",
        "usage": Usage(input_tokens=3, output_tokens=2),
        "attempts": (Attempt("sim", "sim-1", rfc3339(at + 0.01), 0.45, status=200),),
        "http_headers": {"x-request-id": "req_1"},
    }
    return Exchange(**fields | changes)


def sse(*chunks: Any, done: bool = True) -> Body:
    """A streamed answer of these chunks."""
    events = [f"data: {msgspec.json.encode(chunk).decode()}\n\n" for chunk in chunks]
    text = "".join(events) + ("data: [DONE]\n\n" if done else "")
    return Body(msgspec.Raw(msgspec.json.encode(text)), "text", "text/event-stream; charset=utf-8")


def record(found: Exchange) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of its record."""
    return (
        found.request_id.encode(),
        encode(found),
        [("ce_type", OUTCOME_TYPE[found.outcome]), ("content-type", b"application/json")],
    )


def documents(*numbers: int, at: float = BEGIN) -> list[Document]:
    """The documents of such exchanges."""
    found = (exchange(number, at=at) for number in numbers)
    return [document(each, bodies=True, body_limit=1 << 20) for each in found]


class HandClock:
    """Time that only the test moves."""

    def __init__(self, now: float = BEGIN) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now
