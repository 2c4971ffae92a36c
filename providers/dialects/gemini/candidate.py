"""One candidate of an answer, from events to Google's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from providers.canonical.answer import (
    Begin,
    Break,
    Cited,
    Counted,
    End,
    Event,
    Finish,
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Citation, Reasoning
from providers.dialects.gemini.finish import MALFORMED, write_finish
from providers.dialects.gemini.grounding import Placed, write_grounding
from providers.dialects.gemini.logprobs import write_logprobs
from providers.dialects.gemini.results import object_of
from providers.dialects.gemini.written import (
    call_part,
    media_part,
    text_part,
    thought_part,
    token_part,
)

_encode = msgspec.json.Encoder().encode
_NO_CONTENT = b'{"content": {"parts": [{"text": ""}],"role": "model"},'


class Candidate:
    """Collects the events of one choice. What is written is forgotten, but for what an end must tell.

    Google sends a call in one piece only. So calls are held until they are whole, which shows when
    something else follows, or at the end.
    """

    __slots__ = (
        "_calls",
        "_citations",
        "_finish",
        "_index",
        "_kind",
        "_logprobs",
        "_malformed",
        "_parts",
        "_pieces",
        "_signature",
        "_texts",
        "_thinking",
    )

    def __init__(self, index: int) -> None:
        self._index = index
        self._parts: list[bytes] = []
        self._signature: bytes | None = None  # a text's, behind which citations may still come
        self._kind = ""  # of the part that is open: text, thought
        self._pieces: list[str] = []  # of it, those not written yet
        self._thinking = False  # a thought is open, though its pieces may be written
        # All of every text part, and which part it is, for citations.
        self._texts: list[tuple[int, list[str]]] = []
        self._citations: list[tuple[Citation, int]] = []
        self._calls: dict[int, tuple[ToolCallBegin, list[str]]] = {}
        self._malformed: list[str] = []
        self._logprobs: list[Raw] = []
        self._finish: Finish | None = None

    def add(self, event: Event) -> None:  # noqa: C901, PLR0915  # one arm an event
        match event:
            case TextDelta() | RefusalDelta():
                self._text(event.text)
            case ReasoningDelta():
                self._open("thought")
                self._thinking = True
                self._pieces.append(event.text)
            case ReasoningEnd():
                self._end_reasoning(event)
            case ToolCallBegin():
                self._close()
                self._sign()
                self._calls[event.call] = (event, [])
            case ToolCallDelta():
                if event.call in self._calls:
                    self._calls[event.call][1].append(event.arguments)
            case Cited():
                if self._texts:
                    self._citations.append((event.citation, len(self._texts) - 1))
            case MediaPart():
                self._other(media_part(event.media))
            case NativePart():
                if event.native.dialect == "gemini":
                    self._other(bytes(event.native.raw))
            case Logprobs():
                self._logprobs.append(event.raw)
            case Break():
                self._close()
            case End():
                self._close()
                self._flush_calls()
                self._finish = event.finish
            case Begin() | Counted():
                pass  # of the answer, not of a candidate

    def piece(self) -> bytes | None:
        """What came since the last one, None if that is nothing."""
        if self._pieces:
            self._write_pieces()
        logprobs = self._taken_logprobs()
        if not self._parts and not logprobs:
            return None
        parts = b",".join(self._parts) or text_part("")
        self._parts = []
        return (
            b'{"content": {"parts": ['
            + parts
            + b'],"role": "model"},'
            + logprobs
            + b'"index": %d}' % self._index
        )

    def last(self) -> bytes:
        """The end, with what is left."""
        self._sign()
        written = self.piece()
        head = (
            _NO_CONTENT if written is None else written.removesuffix(b'"index": %d}' % self._index)
        )
        return head + self._ending(self._spread())

    def whole(self) -> bytes:
        """All in one."""
        self._close()
        self._sign()
        parts = b",".join(self._parts)
        content = b'{"parts": [' + parts + b'],"role": "model"}' if parts else b"{}"
        return (
            b'{"content": ' + content + b"," + self._taken_logprobs() + self._ending(self._placed())
        )

    def _ending(self, citations: Iterable[Placed]) -> bytes:
        found: list[bytes] = []
        if self._malformed:
            text = "Malformed function call: " + "; ".join(self._malformed)
            found.append(b'"finishReason": "%s"' % MALFORMED.encode())
            found.append(b'"finishMessage": ' + _encode(text))
        elif self._finish is not None:
            found.append(b'"finishReason": "%s"' % write_finish(self._finish).encode())
        if (grounding := write_grounding(citations)) is not None:
            found.append(b'"groundingMetadata": ' + bytes(grounding))
        found.append(b'"index": %d}' % self._index)
        return b",".join(found)

    def _text(self, text: str) -> None:
        if self._kind != "text":
            self._open("text")
            self._texts.append((len(self._parts), []))
        self._texts[-1][1].append(text)
        self._pieces.append(text)

    def _open(self, kind: str) -> None:
        if self._kind != kind:
            self._close()
            self._sign()
            self._flush_calls(only_whole=True)
            self._kind = kind

    def _close(self) -> None:
        self._write_pieces()
        self._kind = ""
        self._thinking = False

    def _write_pieces(self) -> None:
        if self._pieces:
            text = "".join(self._pieces)
            self._parts.append(text_part(text) if self._kind == "text" else thought_part(text))
            self._pieces = []

    def _other(self, part: bytes) -> None:
        self._close()
        self._sign()
        self._flush_calls(only_whole=True)
        self._parts.append(part)

    def _end_reasoning(self, event: ReasoningEnd) -> None:
        goes_on = self._thinking
        if event.token is None:
            self._close()
            return
        text = ""
        if self._pieces and (goes_on or (event.redacted and event.origin == "gemini")):
            text, self._pieces = "".join(self._pieces), []
        self._close()
        if text and not goes_on:
            self._parts.append(text_part(text, event.token))
            return
        # Behind a thought that is written its token stands with an empty text: an SDK that collects
        # the stream, and we when it comes back, add it to the thought.
        alone = event.redacted and not goes_on
        part = token_part(Reasoning(text, True, event.token, event.origin, event.id, alone))
        if alone and event.origin == "gemini":
            self._sign()
            self._signature = part
        else:
            self._parts.append(part)

    def _sign(self) -> None:
        if self._signature is not None:
            self._parts.append(self._signature)
            self._signature = None

    def _flush_calls(self, *, only_whole: bool = False) -> None:
        """Write the calls that are held; all of them or none, if they must be whole."""
        made = [
            (begun, "".join(pieces), object_of("".join(pieces)))
            for begun, pieces in self._calls.values()
        ]
        if only_whole and any(args is None or not text for _, text, args in made):
            return
        self._calls = {}
        for begun, text, args in made:
            if args is None:
                # As Google does with a call that it cannot read itself.
                self._malformed.append(f"{begun.name}({text})")
            else:
                self._parts.append(call_part(begun.id, begun.name, args, begun.token))

    def _taken_logprobs(self) -> bytes:
        raws, self._logprobs = self._logprobs, []
        written = [found for raw in raws if (found := write_logprobs(raw)) is not None]
        if not written:
            return b""
        return b'"logprobsResult": ' + bytes(_merged(written)) + b","

    def _placed(self) -> Iterator[Placed]:
        """The citations of a whole answer, each counted from its own part."""
        for citation, number in self._citations:
            part, pieces = self._texts[number]
            yield Placed(citation, "".join(pieces), 0, part)

    def _spread(self) -> Iterator[Placed]:
        """Those of a stream, whose text is one: its chunks are no parts to count in."""
        before, texts = [0], []
        for _, pieces in self._texts:
            texts.append("".join(pieces))
            before.append(before[-1] + len(texts[-1].encode(errors="replace")))
        for citation, number in self._citations:
            yield Placed(citation, texts[number], before[number])


def _merged(results: list[Raw]) -> Raw:
    """Several pieces of log probabilities as one."""
    if len(results) == 1:
        return results[0]
    lists: dict[str, list[Raw]] = {}
    for result in results:
        for name, entries in msgspec.json.decode(result, type=dict[str, list[Raw]]).items():
            lists.setdefault(name, []).extend(entries)
    return Raw(_encode(lists))
