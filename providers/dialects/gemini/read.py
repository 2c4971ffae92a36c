"""A provider's answer, whole or in chunks, as events: both are GenerateContentResponses.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.answer import (
    Answer,
    Begin,
    Break,
    Cited,
    Counted,
    End,
    Event,
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.fold import fold
from providers.canonical.request import Media, Native
from providers.dialects.gemini.base64s import standard
from providers.dialects.gemini.custom import unwrapped
from providers.dialects.gemini.finish import blocked, read_finish
from providers.dialects.gemini.grounding import read_citations
from providers.dialects.gemini.logprobs import read_logprobs
from providers.dialects.gemini.media import kind_of
from providers.dialects.gemini.response import Call, Candidate, Part, Response, decode, decode_raw
from providers.dialects.gemini.usage import parse_usage, tier
from providers.failure import in_band
from schemas.clock import from_rfc3339
from schemas.errors import StreamTruncated, UpstreamError

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_BESIDE = frozenset({"thought", "thoughtSignature", "partMetadata"})
_NULL = Raw(b"null")


def read_answer(body: bytes) -> Answer:
    """A whole answer, or the array of chunks that a stream without `alt=sse` is; GatewayError if it
    holds an error or cannot be read, StreamTruncated if it was cut."""
    reader = StreamReader()
    streamed = body.lstrip()[:1] == b"["
    try:
        body.decode()
        chunks = [bytes(raw) for raw in _list(body)] if streamed else [body]
        found = fold(event for chunk in chunks for event in reader.read(chunk))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(body, error) from error
    except UpstreamError as error:
        if isinstance(error.__cause__, msgspec.DecodeError):
            raise _unreadable(body, error.__cause__) from error
        raise
    if streamed and not reader.whole:
        raise StreamTruncated
    if not found.choices:
        raise UpstreamError("The provider's answer holds no candidate.")
    return found


def _unreadable(body: bytes, error: Exception) -> UpstreamError:
    # msgspec has no code for it, only this sentence.
    if not body.strip() or str(error) == "Input data was truncated":
        return StreamTruncated()
    return UpstreamError(f"The provider's answer cannot be read: {error}.")


class _Choice:
    """What was read of one candidate."""

    __slots__ = ("before", "calls", "ended", "length", "open", "text")

    def __init__(self) -> None:
        self.calls = 0
        self.ended = False
        self.open = ""  # the kind of part that goes on: text, thought
        self.text: list[str] = []  # of all its text parts: citations count from the first
        self.length = 0  # characters in them
        self.before = 0  # characters before the part that is open

    def add(self, text: str) -> None:
        if self.open != "text":
            self.open, self.before = "text", self.length
        self.text.append(text)
        self.length += len(text)

    def cited(self, candidate: Candidate) -> Iterator[Cited]:
        """What cites the text part that is open; there is none to cite else."""
        grounding, cited = candidate.grounding_metadata, candidate.citation_metadata
        if self.open != "text" or (grounding is None and cited is None):
            return
        for found in read_citations(grounding, cited, "".join(self.text)):
            start, end = found.start, found.end
            if start is None or end is None or start < self.before:
                start = end = None
            else:
                start, end = start - self.before, end - self.before
            yield Cited(replace(found, start=start, end=end), candidate.index)


class StreamReader:
    """A providers.base.Reader. There is no terminal event: every candidate asked for must have its
    finish reason, and then the body ends."""

    __slots__ = ("_asked", "_begun", "_blocked", "_choices", "_custom", "_prefix")

    done = False

    def __init__(self, asked: int = 1, custom: frozenset[str] = frozenset()) -> None:
        """`asked`: how many candidates; `custom`: names of tools whose calls are free text."""
        self._asked = asked
        self._custom = custom
        self._begun = False
        self._blocked = False
        self._choices: dict[int, _Choice] = {}
        self._prefix = ""  # of ids for calls that have none

    @property
    def whole(self) -> bool:
        if self._blocked:
            return True
        ended = sum(choice.ended for choice in self._choices.values())
        return ended >= self._asked and ended == len(self._choices)

    def read(self, data: bytes) -> Iterable[Event]:
        try:
            response = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamError(f"The provider sent what cannot be read: {error}.") from error
        if response.error and response.error != _NULL:
            raise in_band(data)[0]
        found: list[Event] = []
        if not self._begun:
            found.append(self._begin(response, data))
        for position, candidate in enumerate(response.candidates or ()):
            self._candidate(candidate, position, data, found)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason and not self._choices:
            self._blocked = True
            found.append(End(blocked(feedback.block_reason)))
        if response.usage_metadata and (usage := parse_usage(response.usage_metadata)):
            found.append(Counted(usage, tier(response.usage_metadata)))
        return found

    def _begin(self, response: Response, data: bytes) -> Begin:
        self._begun = True
        created = None
        if response.create_time:
            try:
                created = int(from_rfc3339(response.create_time))
            except (ValueError, OverflowError):
                created = None
        # Ids must differ between the answers of a conversation, and come out the same each time.
        self._prefix = response.response_id or blake2b(data, digest_size=8).hexdigest()
        return Begin(response.response_id or "", response.model_version or "", created)

    def _candidate(
        self, candidate: Candidate, position: int, data: bytes, found: list[Event]
    ) -> None:
        index = candidate.index
        if (choice := self._choices.get(index)) is None:
            choice = self._choices[index] = _Choice()
        signature = None
        parts = candidate.content.parts if candidate.content is not None else None
        for number, part in enumerate(parts or ()):
            if signature is not None:
                found.append(ReasoningEnd(signature, "gemini", redacted=True, choice=index))
                signature = None
            if part.text is not None or _is_bare(part):
                signature = self._text(part, choice, index, found)
            elif part.function_call is not None:
                choice.open = ""
                found.extend(self._call(part, part.function_call, choice, index))
            else:
                choice.open = ""
                found.extend(_whole(part, index, (data, position, number)))
        self._close(candidate, choice, signature, found)

    def _text(self, part: Part, choice: _Choice, index: int, found: list[Event]) -> str | None:
        """The signature of a text is handed back: it goes behind the citations, which end the text."""
        text = part.text or ""
        if part.thought:
            alone = part.text is None and choice.open != "thought"
            choice.open = "thought"
            if text:
                found.append(ReasoningDelta(text, index, summary=True))
            if part.thought_signature is not None:
                choice.open = ""
                token = part.thought_signature
                found.append(ReasoningEnd(token, "gemini", redacted=alone, choice=index))
            return None
        if text:
            choice.add(text)
            found.append(TextDelta(text, index))
        if part.thought_signature is not None and choice.open == "thought":
            found.append(Break(index))  # it is not of those thoughts
        return part.thought_signature

    def _call(self, part: Part, call: Call, choice: _Choice, index: int) -> Iterator[Event]:
        number, choice.calls = choice.calls, choice.calls + 1
        made = call.id or f"call_{self._prefix}_{index}_{number}"
        custom = call.name in self._custom
        token = part.thought_signature
        yield ToolCallBegin(number, made, call.name, index, custom, token)
        written = "{}" if call.args == _NULL else bytes(call.args).decode(errors="replace")
        yield ToolCallDelta(number, unwrapped(written) if custom else written, index)

    def _close(
        self, candidate: Candidate, choice: _Choice, signature: str | None, found: list[Event]
    ) -> None:
        index = candidate.index
        found.extend(choice.cited(candidate))
        if signature is not None:
            choice.open = ""
            found.append(ReasoningEnd(signature, "gemini", redacted=True, choice=index))
        if candidate.logprobs_result is not None:
            found.append(Logprobs(read_logprobs(candidate.logprobs_result), index))
        if candidate.finish_reason and not choice.ended:
            choice.ended = True
            found.append(End(read_finish(candidate.finish_reason, called=choice.calls > 0), index))


def _is_bare(part: Part) -> bool:
    """A signature alone."""
    return (
        part.thought_signature is not None
        and part.function_call is None
        and part.inline_data is None
        and part.file_data is None
        and part.thought
    )


def _whole(part: Part, index: int, place: tuple[bytes, int, int]) -> Iterator[Event]:
    """A part that comes in one piece. `place`: the chunk, and where in it the part stands."""
    blob = part.inline_data or part.file_data
    if blob is not None:
        kind = kind_of(blob.mime_type, blob.file_uri)
        data = None if blob.data is None else standard(blob.data)
        yield MediaPart(
            Media(
                kind,
                data=data,
                url=blob.file_uri,
                media_type=blob.mime_type,
                token=part.thought_signature,
            ),
            index,
        )
        return
    raw = _raw_part(*place)
    kinds = [name for name in _members(raw) if name not in _BESIDE]
    if kinds:
        yield NativePart(Native("gemini", kinds[0], raw), index)
    elif part.thought_signature is not None:
        yield Break(index)
        yield ReasoningEnd(part.thought_signature, "gemini", redacted=True, choice=index)


def _raw_part(data: bytes, candidate: int, part: int) -> Raw:
    """A copy: a Raw of the whole chunk would keep it in memory."""
    content = decode_raw(data).candidates[candidate].content
    assert content is not None
    assert content.parts is not None
    return Raw(bytes(content.parts[part]))
