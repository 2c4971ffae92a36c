"""A provider's whole answer: https://platform.openai.com/docs/api-reference/chat/object."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from providers.canonical.answer import Answer, Begin, Counted, Event, Logprobs
from providers.canonical.fold import fold
from providers.dialects.openai_chat.read_choice import ChoiceReader
from providers.dialects.openai_chat.spoken import Shape, Spoken, decode, present
from providers.dialects.openai_chat.usage import parse_usage
from providers.failure import in_band
from schemas.errors import StreamTruncated, UpstreamError


def read_answer(body: bytes) -> Answer:
    """GatewayError if the body holds an error or no answer, StreamTruncated if it was cut."""
    try:
        if not body.isascii():
            body.decode()
        return fold(_events(decode(body), body))
    except msgspec.ValidationError as error:
        raise UpstreamError(f"The provider's answer is no chat completion: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # msgspec has no code for a cut, only this sentence.
        if not body.strip() or str(error) == "Input data was truncated":
            raise StreamTruncated from error
        raise UpstreamError(f"The provider's answer is not valid JSON: {error}.") from error


def _events(found: Shape, body: bytes) -> Iterator[Event]:
    if present(found.error) and not found.choices:
        raise in_band(body)[0]
    if not found.choices:
        raise UpstreamError("The provider's answer holds no choice.")
    answer_id = found.id or ""
    yield begin(found)
    for position, choice in enumerate(found.choices):
        if present(choice.error):
            raise in_band(b'{"error":%s}' % bytes(choice.error))[0]
        index = position if choice.index is None else choice.index
        reader = ChoiceReader(index, answer_id)
        yield from reader.read(choice.message or choice.delta or Spoken())
        if present(choice.logprobs):
            yield Logprobs(choice.logprobs, index)
        if choice.finish_reason is not None:
            sources = found.search_results or found.citations or []
            yield from reader.finish(choice.finish_reason, choice.native_finish_reason, sources)
    if (raw := found.counts()) is not None and (usage := parse_usage(raw)) is not None:
        yield Counted(usage, found.service_tier)


def begin(found: Shape) -> Begin:
    created = None if found.created is None else int(found.created)
    return Begin(found.id or "", found.model or "", created)
