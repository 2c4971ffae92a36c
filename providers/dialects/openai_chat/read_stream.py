"""A provider's stream: https://platform.openai.com/docs/api-reference/chat-streaming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from providers.canonical.answer import Counted, Event, Logprobs
from providers.dialects.openai_chat.read import begin
from providers.dialects.openai_chat.read_choice import ChoiceReader
from providers.dialects.openai_chat.spoken import ChoiceShape, Shape, Spoken, decode, present
from providers.dialects.openai_chat.stream import DONE
from providers.dialects.openai_chat.usage import parse_usage
from providers.failure import in_band
from schemas.errors import UpstreamError

_NOTHING = Spoken()


class StreamReader:
    """Whole means: every choice has its finish reason. Without `[DONE]` that takes as many choices as
    were asked for."""

    __slots__ = ("_asked", "_begun", "_choices", "_id", "_service_tier", "_sources", "done")

    def __init__(self, choices: int = 1) -> None:
        self._asked = choices
        self._begun = False
        self._id = ""
        self._choices: dict[int, ChoiceReader] = {}
        self._service_tier: str | None = None
        self._sources: list[Raw] = []
        self.done = False

    @property
    def whole(self) -> bool:
        finished = [choice.finished for choice in self._choices.values()]
        return all(finished) and len(finished) >= (1 if self.done else self._asked)

    def read(self, data: bytes) -> Iterable[Event]:
        if data == DONE:
            self.done = True
            return ()
        return self._events(data)

    def _events(self, data: bytes) -> Iterator[Event]:
        try:
            if not data.isascii():
                data.decode()  # msgspec skips over what is only handed on without looking at it
            yield from self._read(decode(data), data)
        except msgspec.ValidationError as error:
            raise UpstreamError(f"The provider sent no chat completion chunk: {error}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            text = f"The provider sent an event that is not valid JSON: {error}."
            raise UpstreamError(text) from error

    def _read(self, chunk: Shape, data: bytes) -> Iterator[Event]:
        if not self._begun and (chunk.choices or chunk.id):
            # Azure's first event has neither: it tells what its content filter found in the prompt.
            self._begun = True
            self._id = chunk.id or ""
            yield begin(chunk)
        self._service_tier = chunk.service_tier or self._service_tier
        if found := chunk.search_results or chunk.citations:
            self._sources = found
        for choice in chunk.choices or ():
            yield from self._choice(choice)
        if (raw := chunk.counts()) is not None:
            yield from self._count(raw, chunk)
        if chunk.error and present(chunk.error):
            raise in_band(data)[0]

    def _choice(self, choice: ChoiceShape) -> Iterator[Event]:
        if choice.error and present(choice.error):
            raise in_band(b'{"error":%s}' % bytes(choice.error))[0]
        index = choice.index or 0
        if (reader := self._choices.get(index)) is None:
            reader = self._choices[index] = ChoiceReader(index, self._id)
        yield from reader.read(choice.delta or choice.message or _NOTHING)
        if choice.logprobs and present(choice.logprobs):
            yield Logprobs(choice.logprobs, index)
        if choice.finish_reason is not None:
            yield from reader.finish(
                choice.finish_reason, choice.native_finish_reason, self._sources
            )

    def _count(self, raw: Raw, chunk: Shape) -> Iterator[Event]:
        """Some providers count in every event: only the counts at the end are of interest."""
        if chunk.choices and not any(choice.finished for choice in self._choices.values()):
            return
        if (usage := parse_usage(raw)) is not None:
            yield Counted(usage, self._service_tier)
