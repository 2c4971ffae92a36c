"""Spans of a worker: one of the request that it takes up, below it one of each call of a provider.

Attributes are those of OpenTelemetry's GenAI and messaging conventions:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from providers.base import Target, UpstreamRequest
from providers.canonical.request import (
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from providers.dialogue import CLIENTS
from providers.retelling import Listener
from schemas.errors import GatewayError
from schemas.exchange import Exchange
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Request
from schemas.tracing import ABOUT, Attributes, Span, Tracer, Value
from schemas.usage import Usage
from streams.delivery import Delivery
from streams.stages import Call

# Bytes of an answer that are held for its words.
MAX_CONTENT = 1 << 20
_encode = msgspec.json.Encoder().encode


def process(tracer: Tracer | None, delivery: Delivery) -> Span | None:
    """A request in a worker's hands, from its start to the acknowledgement of its last reply. The logs
    of the task say from now on which request it is."""
    request, position = delivery.request, delivery.position
    ABOUT.set((request.request_id, request.traceparent))
    if tracer is None:
        return None
    return tracer.start(
        f"process {position.topic}",
        "consumer",
        request.traceparent,
        {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": position.topic,
            "messaging.destination.partition.id": str(position.partition),
            "messaging.kafka.offset": position.offset,
            "messaging.message.id": request.request_id,
            "sluice.request_id": request.request_id,
            "sluice.user_path": request.user_path,
            "sluice.operation": request.operation,
            "sluice.dialect": request.dialect,
        },
    )


def processed(span: Span | None, delivery: Delivery) -> None:
    """It is over; without an outcome the process ends, or another has brought it to one."""
    found = delivery.outcome
    if span is None:
        return
    if found is not None:
        span.set(_outcome(found))
    failed = found is not None and found.outcome != "completed"
    span.end(found.error.code if failed and found is not None and found.error else None)


def _outcome(exchange: Exchange) -> Attributes:
    told: dict[str, Value] = {
        "sluice.outcome": exchange.outcome,
        "sluice.attempts": len(exchange.attempts),
        "sluice.delivery_attempt": exchange.delivery_attempt,
        "sluice.queued": exchange.timings.queued,
        "http.response.status_code": exchange.status,
    }
    if exchange.cache is not None:
        told["sluice.cache"] = exchange.cache.result
    if exchange.rule is not None:
        told["sluice.rule"] = exchange.rule
    if exchange.cost is not None:
        told["sluice.cost_usd"] = exchange.cost.total / 1e9
    return told


class ProviderSpan:
    """One call of a provider."""

    def __init__(self, tracer: Tracer, call: Call, target: Target, sent: UpstreamRequest) -> None:
        self._tracer = tracer
        self._request = call.request
        self._terminal: Completed | Failed | None = None
        operation = call.request.operation
        where = urlsplit(sent.url)
        self._common: dict[str, Value] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": target.instance,
            "gen_ai.request.model": target.model,
            "server.address": where.hostname or "",
        }
        if where.port is not None:
            self._common["server.port"] = where.port
        parent = call.span.traceparent if call.span is not None else call.request.traceparent
        self.span = tracer.start(
            f"{operation} {target.model}".rstrip(), "client", parent, self._common
        )
        self.span.set(
            {
                "http.request.method": sent.method,
                "url.path": where.path,
                "gen_ai.request.stream": call.streamed,
                "sluice.attempt": len(call.attempts) + 1,
            }
        )
        self._content = tracer.content and call.request.operation == "chat"
        if self._content:
            self.span.set(messages(call.request))
        self._heard: list[bytes] = []
        self._size = 0
        self._media_type = ""

    def carried(self, sent: UpstreamRequest) -> UpstreamRequest:
        """The request with the trace in its headers."""
        return replace(sent, headers={**sent.headers, "traceparent": self.span.traceparent})

    def begun(self, media_type: str) -> None:
        """The answer is of this type."""
        self._media_type = media_type

    def note(self, reply: Reply) -> None:
        if isinstance(reply, Chunk):
            if self._content and self._size < MAX_CONTENT:
                self._heard.append(reply.data)
                self._size += len(reply.data)
        elif isinstance(reply, Completed | Failed):
            self._terminal = reply

    def end(self, status: int | None, duration: float, first: float | None) -> None:
        """`duration` and `first` (content, after the beginning) in seconds."""
        terminal = self._terminal
        told: dict[str, Value] = {}
        if status is not None:
            told["http.response.status_code"] = status
        if first is not None:
            told["gen_ai.response.time_to_first_chunk"] = first
        usage = terminal.usage if terminal is not None else None
        if usage is not None:
            told |= _counts(usage)
        if isinstance(terminal, Completed):
            told |= self._completed(terminal)
        self.span.set(told)
        # Neither whole nor failed: whoever read it has gone.
        error = None if isinstance(terminal, Completed) else "cancelled"
        if isinstance(terminal, Failed):
            error = terminal.error.code
        self.span.end(error)
        self._measure(duration, first, usage, error)

    def _completed(self, terminal: Completed) -> dict[str, Value]:
        told: dict[str, Value] = {}
        if terminal.finish_reason is not None:
            told["gen_ai.response.finish_reasons"] = (terminal.finish_reason,)
        if terminal.response_model is not None:
            told["gen_ai.response.model"] = terminal.response_model
        if self._content and self._size < MAX_CONTENT:
            told |= self._words(terminal)
        return told

    def _measure(
        self, duration: float, first: float | None, usage: Usage | None, error: str | None
    ) -> None:
        common = self._common if error is None else {**self._common, "error.type": error}
        self._tracer.measure("gen_ai.client.operation.duration", duration, common)
        if first is not None:
            self._tracer.measure("gen_ai.server.time_to_first_token", first, common)
        if usage is not None:
            for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                told = {**common, "gen_ai.token.type": kind}
                self._tracer.measure("gen_ai.client.token.usage", count, told)

    def _words(self, terminal: Completed) -> Attributes:
        try:
            listener = Listener(self._request)
            listener.begin(self._media_type, "")
            for data in self._heard:
                listener.hear(data)
            listener.finish(terminal.data, terminal.usage)
        except (GatewayError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}  # what cannot be understood was answered all the same
        choices = listener.answer.choices if listener.answer is not None else ()
        told = [
            {
                "role": "assistant",
                "parts": _parts(choice.parts),
                "finish_reason": choice.finish.reason if choice.finish else "stop",
            }
            for choice in choices
        ]
        return {"gen_ai.output.messages": _encode(told).decode()}


def messages(request: Request) -> Attributes:
    """What is asked, as `gen_ai.input.messages`; nothing where it cannot be understood."""
    client = CLIENTS.get(request.dialect)
    if client is None or request.operation != "chat" or len(request.body) > MAX_CONTENT:
        return {}
    try:
        chat = client.parse(request)
    except GatewayError:
        return {}
    told = [{"role": turn.role, "parts": _parts(turn.parts)} for turn in chat.turns]
    return {"gen_ai.input.messages": _encode(told).decode()}


def _parts(parts: Iterable[Part]) -> Sequence[dict[str, Any]]:
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    """https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-input-messages.json; media without data."""
    match part:
        case Text() | Refusal():
            return {"type": "text", "content": part.text}
        case Reasoning():
            return {"type": "reasoning", "content": part.text}
        case ToolCall():
            return {
                "type": "tool_call",
                "id": part.id,
                "name": part.name,
                "arguments": part.arguments,
            }
        case ToolResult():
            return {
                "type": "tool_call_response",
                "id": part.call_id,
                "response": [_part(each) for each in part.parts],
            }
        case _:
            return {"type": part.__struct_config__.tag}


def _counts(usage: Usage) -> dict[str, Value]:
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_creation_input_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }
