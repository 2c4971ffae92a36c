"""One choice of a provider's answer as events: a whole message is a delta that came at once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from providers.canonical.answer import (
    Cited,
    End,
    Event,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from providers.canonical.request import Media, Native
from providers.dialects.openai_chat.annotations import citation, source
from providers.dialects.openai_chat.details import (
    DIALECT,
    TEXTS,
    THINKING_PART,
    Entry,
    continues,
    id_of,
    kind_of,
    says_all,
    text_of,
    token_of,
)
from providers.dialects.openai_chat.finish import parse_finish
from providers.dialects.openai_chat.parse_parts import Part, split_data_url, thinking_text
from providers.dialects.openai_chat.read_calls import CallReader
from providers.dialects.openai_chat.spoken import Audio, Spoken


class _ImageUrl(Struct):
    url: str


class _Image(Struct):
    image_url: _ImageUrl


_part = msgspec.json.Decoder(Part).decode
_image = msgspec.json.Decoder(_Image).decode
_encode = msgspec.json.Encoder().encode


class ChoiceReader:
    """Reads the deltas of one choice. Its methods may raise msgspec.DecodeError for what is malformed."""

    __slots__ = (
        "_audio",
        "_calls",
        "_cited",
        "_entry",
        "_field",
        "_index",
        "_pieces",
        "finished",
    )

    def __init__(self, index: int, answer_id: str) -> None:
        self._index = index
        self._calls = CallReader(index, answer_id)
        self._field: str | None = None  # where the open thoughts stand
        self._pieces: list[str] = []  # of these
        self._entry: Entry | None = None  # of `reasoning_details`, if they stand there
        self._audio: Audio | None = None
        self._cited = False
        self.finished = False

    def read(self, spoken: Spoken) -> Iterator[Event]:
        """The events in a delta."""
        yield from self._thoughts(spoken)
        if content := spoken.content:
            if isinstance(content, str):
                yield from self._no_thoughts()
                yield TextDelta(content, self._index)
            else:
                for raw in content:
                    yield from self._part(raw)
        if spoken.refusal:
            yield from self._no_thoughts()
            yield RefusalDelta(spoken.refusal, self._index)
        yield from self._beside(spoken)
        if spoken.tool_calls or spoken.function_call:
            yield from self._no_thoughts()
            yield from self._calls.read(spoken)

    def finish(self, reason: str, native: str | None, sources: list[Raw]) -> Iterator[Event]:
        """What ends the choice; `sources` stand beside the answer of some providers."""
        if self.finished:
            return
        self.finished = True
        yield from self._no_thoughts()
        if not self._cited:
            found = (source(raw) for raw in sources)
            yield from (Cited(each, self._index) for each in found if each is not None)
        if (audio := self._audio) is not None:
            yield MediaPart(_sound(audio), self._index)
        yield from self._calls.finish()
        yield End(parse_finish(reason, native, calls=self._calls.any), self._index)

    def _thoughts(self, spoken: Spoken) -> Iterator[Event]:
        """Where they stand in several fields, all of these say the same."""
        entries = spoken.reasoning_details
        if not entries or not says_all(entries):
            if text := spoken.reasoning_content:
                yield from self._think(text, "reasoning_content")
            elif text := spoken.reasoning:
                yield from self._think(text, "reasoning")
        for entry in entries or ():
            yield from self._detail(entry)

    def _think(self, text: str, field: str) -> Iterator[Event]:
        if self._field != field:
            yield from self._no_thoughts()
            self._field = field
        self._pieces.append(text)
        yield ReasoningDelta(text, self._index)

    def _detail(self, entry: Entry) -> Iterator[Event]:
        last = self._entry
        if self._field is not None and text_of(entry) == "".join(self._pieces):
            # A gateway tells the thoughts once more, with what signs them.
            self._field, self._pieces, self._entry = None, [], entry
            return
        if last is None or not continues(entry, last):
            yield from self._no_thoughts()
            last = {}
        kind = kind_of(entry)
        if kind not in TEXTS:
            yield ReasoningEnd(token_of(entry), DIALECT, id_of(entry), True, self._index)
            return
        self._entry = {
            **last,
            **{name: value for name, value in entry.items() if value is not None or not last},
        }
        if text := text_of(entry):
            yield ReasoningDelta(text, self._index, kind == "reasoning.summary")

    def _no_thoughts(self) -> Iterator[Event]:
        """End the thoughts that are open."""
        if (entry := self._entry) is not None:
            self._entry = None
            yield ReasoningEnd(token_of(entry), DIALECT, id_of(entry), choice=self._index)
        elif (field := self._field) is not None:
            self._field, self._pieces = None, []
            yield ReasoningEnd(field, DIALECT, choice=self._index)

    def _part(self, raw: Raw) -> Iterator[Event]:
        part = _part(raw)
        if part.type == "thinking":
            if text := thinking_text(part.thinking):
                yield from self._think(text, THINKING_PART)
            return
        yield from self._no_thoughts()
        if part.type == "text":
            if part.text:
                yield TextDelta(part.text, self._index)
        else:
            yield NativePart(Native(DIALECT, part.type, raw), self._index)

    def _beside(self, spoken: Spoken) -> Iterator[Event]:
        for raw in spoken.annotations or ():
            self._cited = True
            yield Cited(citation(raw), self._index)
        for raw in spoken.images or ():
            url = _image(raw).image_url.url
            media_type, data = split_data_url(url)
            picture = Media("image", data, None if data else url, media_type=media_type)
            yield MediaPart(picture, self._index)
        if (audio := spoken.audio) is not None:
            self._audio = audio if self._audio is None else _longer(self._audio, audio)


def _longer(first: Audio, piece: Audio) -> Audio:
    return Audio(
        first.id or piece.id,
        (first.data or "") + (piece.data or ""),
        (first.transcript or "") + (piece.transcript or ""),
        piece.expires_at or first.expires_at,
    )


def _sound(audio: Audio) -> Media:
    """Its other members go to a caller that knows them, under their own names."""
    beside = {"id": audio.id, "transcript": audio.transcript, "expires_at": audio.expires_at}
    extra = {name: Raw(_encode(value)) for name, value in beside.items() if value is not None}
    return Media("audio", audio.data or "", extra=extra)
