"""What a provider says: whole answers."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import Answer, AnswerPart, Choice
from providers.canonical.request import Refusal, Text
from providers.dialects.anthropic.blocks import assistant_part, present
from providers.dialects.anthropic.failure import in_band
from providers.dialects.anthropic.stop import to_finish
from providers.dialects.anthropic.usage import parse_counts, service_tier, to_usage
from schemas.errors import StreamTruncated, UpstreamError


class StopDetails(Struct):
    """https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#refusal"""

    explanation: str | None = None


class _Message(Struct):
    type: str = ""
    id: str = ""
    model: str = ""
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: Raw = Raw()


_message = msgspec.json.Decoder(_Message).decode


def read_answer(body: bytes) -> Answer:
    """The answer in a body; GatewayError if it holds an error or is no answer."""
    try:
        if not body.isascii():
            body.decode()
        message = _message(body)
        if message.type == "error":
            raise in_band(body)
        if message.content is None or message.stop_reason is None:
            raise UpstreamError("The provider's answer is no message: it lacks content or its end.")
        parts = [assistant_part(raw) for raw in message.content]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not body.strip() or cut_off(error):
            raise StreamTruncated from error
        raise UpstreamError(f"The provider's answer is malformed: {error}.") from error
    return _answer(message, parts)


def cut_off(error: Exception) -> bool:
    """Whether JSON ended before it was whole. msgspec has no code for it, only this sentence."""
    return str(error) == "Input data was truncated"


def _answer(message: _Message, parts: list[AnswerPart]) -> Answer:
    kept = [part for part in parts if not isinstance(part, Text) or part.text or part.citations]
    if message.stop_details is not None and message.stop_details.explanation:
        kept.append(Refusal(message.stop_details.explanation))
    assert message.stop_reason is not None
    finish = to_finish(message.stop_reason, message.stop_sequence)
    usage = tier = None
    if (raw := present(message.usage)) is not None:
        counts = parse_counts(raw)
        usage, tier = to_usage(counts), service_tier(counts)
    choice = Choice(0, tuple(kept), finish)
    return Answer(message.id, message.model, (choice,), usage, tier)
