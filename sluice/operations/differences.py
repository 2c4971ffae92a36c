"""Whether two answers say the same. Pure."""

from __future__ import annotations

import json
from typing import Literal

import msgspec

from providers.canonical.answer import Answer, Choice
from providers.canonical.fold import Fold
from providers.canonical.request import Refusal, Text, ToolCall
from providers.dialogue import CLIENTS, UPSTREAMS
from providers.sse import Events, payload, terminated
from schemas.envelopes import EVENT_STREAM
from schemas.errors import GatewayError
from schemas.exchange import Exchange
from schemas.requests import DIALECTS, Dialect, Request

Verdict = Literal["equal", "changed", "failed"]
Said = tuple[object, ...]


def verdict(before: Exchange, after: Exchange | None) -> Verdict:
    """`failed`: there is no second answer. Thoughts, ids and counts do not matter."""
    if after is None or after.outcome != "completed":
        return "failed"
    return "equal" if said(before) == said(after) else "changed"


def said(exchange: Exchange) -> Said | None:
    """What an answer says: of each choice its text and its calls of tools. None: there is none."""
    if exchange.outcome != "completed" or exchange.response is None:
        return None
    try:
        answer = _answer(exchange)
    # Bodies are whatever a provider sent.
    except (GatewayError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        answer = None
    if answer is None:
        return (exchange.response.content(),)
    return tuple(_said(choice) for choice in answer.choices)


def _answer(exchange: Exchange) -> Answer | None:
    dialect, response = _dialect(exchange.dialect), exchange.response
    if response is None or dialect not in UPSTREAMS:
        return None
    body = response.content()
    # The store has streams folded into one answer.
    if not response.content_type.startswith(EVENT_STREAM) or response.format == "json":
        return UPSTREAMS[dialect].answer(body)
    request = Request(
        request_id=exchange.request_id,
        body=exchange.request.content(),
        dialect=dialect,
        model=exchange.request_model,
        stream=exchange.stream,
    )
    reader, fold, events = (
        UPSTREAMS[dialect].reader(CLIENTS[dialect].parse(request)),
        Fold(),
        Events(),
    )
    for event in (*events.feed(body), terminated(events.rest())):
        if (data := payload(event)) and not reader.done:
            for each in reader.read(data):
                fold.add(each)
    return fold.answer()


def _dialect(name: str) -> Dialect:
    return next(each for each in DIALECTS if each == name)


def _said(choice: Choice) -> Said:
    text = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    return (text.strip(), *((call.name, _canonical(call.arguments)) for call in calls))


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except ValueError:
        return arguments
