"""An answer as a caller of the Messages API gets it: whole."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from providers.base import Context
from providers.canonical.answer import Answer, Choice
from providers.canonical.request import Refusal, ToolCall
from providers.dialects.anthropic.stop import to_stop_reason
from providers.dialects.anthropic.usage import from_usage
from providers.dialects.anthropic.write_blocks import Block, blocks_of, encoded
from schemas.usage import Usage

_encode = msgspec.json.Encoder().encode
_NO_CHOICE = Choice(0, ())


def write_answer(answer: Answer, context: Context) -> bytes:
    """The first choice: the API knows no more than one."""
    choice = answer.choices[0] if answer.choices else _NO_CHOICE
    content = [Raw(encoded(block)) for part in choice.parts for block in blocks_of(part)]
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    called = any(isinstance(part, ToolCall) for part in choice.parts)
    message = message_head(context, answer.model)
    message["content"] = content
    message.update(
        ending(choice, called=called, refusal=refusal),
        usage=from_usage(answer.usage or Usage(), answer.service_tier or "standard"),
    )
    return _encode(message)


def message_head(context: Context, model: str) -> Block:
    return {
        "id": f"msg_{context.request_id}",
        "type": "message",
        "role": "assistant",
        "model": model or context.model,
    }


def ending(choice: Choice, *, called: bool, refusal: str) -> Block:
    """Why the answer ended."""
    finish = choice.finish
    reason = to_stop_reason(finish, called=called, refused=bool(refusal))
    found: Block = {
        "stop_reason": reason,
        "stop_sequence": finish.stop_sequence if finish is not None else None,
    }
    if reason == "refusal":
        found["stop_details"] = {
            "type": "refusal",
            "category": None,
            "explanation": refusal or None,
        }
    return found
