"""An answer as a caller of the Messages API gets it: a stream.

Blocks follow one another; pieces of a call that come while another is open wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from providers.base import Context
from providers.canonical.answer import (
    Begin,
    Break,
    Choice,
    Cited,
    Counted,
    End,
    Event,
    Finish,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.request import Media, Native, Reasoning
from providers.dialects.anthropic.frames import Frames
from providers.dialects.anthropic.usage import from_usage
from providers.dialects.anthropic.write import ending, message_head
from providers.dialects.anthropic.write_blocks import (
    blocks_of,
    carrier,
    citation,
    signature,
    tool_use,
    wrapped,
)
from schemas.envelopes import error_event
from schemas.errors import GatewayError
from schemas.usage import Usage

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NO_BEGIN = Begin("", "")
_NO_COUNTS = Counted(Usage())


class Writer:
    """Writes one stream."""

    __slots__ = (
        "_begin",
        "_call",
        "_called",
        "_context",
        "_counted",
        "_finish",
        "_frames",
        "_pieces",
        "_refusal",
        "_started",
        "_waiting",
    )

    def __init__(self, context: Context) -> None:
        self._context = context
        self._frames = Frames()
        self._begin = _NO_BEGIN
        self._started = False
        self._counted = _NO_COUNTS
        self._finish: Finish | None = None
        self._refusal: list[str] = []
        self._called = False
        self._call: ToolCallBegin | None = None  # the call that is open
        self._pieces: list[str] = []  # its arguments
        self._waiting: list[Event] = []  # what comes behind it

    def write(self, events: Iterable[Event]) -> bytes:
        frames = self._frames
        for event in events:
            if isinstance(event, TextDelta) and frames.open == "text":  # nearly all of them
                if event.choice == 0:
                    frames.text(event.text)
            elif isinstance(event, Counted):
                self._counted = event
            elif isinstance(event, Begin):
                self._begin = event
            elif event.choice == 0:
                self._start()
                self._take(event)
        if self._begin is not _NO_BEGIN:
            self._start()
        return frames.take()

    def end(self) -> bytes:
        self._start()
        self._close_calls()
        self._frames.stop()
        choice = Choice(0, (), self._finish)
        delta = ending(choice, called=self._called, refusal="".join(self._refusal))
        usage = from_usage(self._counted.usage)
        usage.pop("cache_creation", None)  # stands in `message_start` only
        self._frames.event(
            "message_delta", {"type": "message_delta", "delta": delta, "usage": usage}
        )
        self._frames.event("message_stop", {"type": "message_stop"})
        return self._frames.take()

    def abort(self, error: GatewayError) -> bytes:
        return error_event("anthropic", error)

    def _start(self) -> None:
        """The counts are those that came by now: other providers count at the end, in the last event
        but one, whose counts the SDKs take over."""
        if self._started:
            return
        self._started = True
        message = message_head(self._context, self._begin.model)
        counted = self._counted
        usage = from_usage(counted.usage, counted.service_tier or "standard")
        message.update(content=[], stop_reason=None, stop_sequence=None, usage=usage)
        self._frames.event("message_start", {"type": "message_start", "message": message})

    def _take(self, event: Event) -> None:
        """Write an event, or keep it behind the call that is open."""
        if self._call is None:
            self._handle(event)
        elif isinstance(event, ToolCallDelta) and event.call == self._call.call:
            self._argument(event.arguments)
        elif isinstance(event, End):
            self._close_calls()
            self._handle(event)
        elif not self._waiting and (isinstance(event, Break) or self._complete()):
            self._close_call()
            self._handle(event)
        else:
            self._waiting.append(event)

    def _handle(self, event: Event) -> None:  # noqa: C901, PLR0915  # one arm an event
        frames = self._frames
        match event:
            case TextDelta():
                frames.ensure("text")
                frames.text(event.text)
            case RefusalDelta():
                self._refusal.append(event.text)
                frames.ensure("text")
                frames.text(event.text)
            case ReasoningDelta():
                frames.ensure("thinking")
                frames.thinking(event.text)
            case ReasoningEnd():
                self._thought(event)
            case Cited():
                if (given := citation(event.citation)) is not None:
                    frames.ensure("text")
                    frames.citation(given)
            case ToolCallBegin():
                self._open_call(event)
            case MediaPart():
                self._whole(event.media)
            case NativePart():
                self._whole(event.native)
            case Break():
                frames.stop()
            case End():
                frames.stop()
                self._finish = event.finish
            case _:  # log probabilities, and what came too late for its call
                pass

    def _thought(self, event: ReasoningEnd) -> None:
        if event.redacted:
            self._whole(Reasoning("", False, event.token, event.origin, event.id, True))
            return
        self._frames.ensure("thinking")
        if sealed := signature(event.token, event.origin, event.id):
            self._frames.signature(sealed)
        self._frames.stop()

    def _whole(self, part: Media | Native | Reasoning) -> None:
        for block in blocks_of(part):
            self._frames.whole(block)

    def _open_call(self, event: ToolCallBegin) -> None:
        self._called = True
        if event.token is not None:
            self._frames.whole(carrier("tool_call", event.token))
        self._frames.start(tool_use(event.id, event.name))
        self._call, self._pieces = event, []

    def _argument(self, piece: str) -> None:
        assert self._call is not None
        self._pieces.append(piece)
        if not self._call.custom:
            self._frames.input(piece)
        if self._waiting and self._complete():
            self._close_call()
            self._resume()

    def _complete(self) -> bool:
        """Whether the arguments of the open call are whole JSON, so that none can follow."""
        assert self._call is not None
        if self._call.custom or not self._pieces:
            return False
        try:
            _object("".join(self._pieces))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def _close_call(self) -> None:
        if self._call is not None and self._call.custom:
            self._frames.input(wrapped("".join(self._pieces)))
        self._call = None
        self._frames.stop()

    def _close_calls(self) -> None:
        """Nothing more can come of any call: write all that waits."""
        while self._call is not None:
            self._close_call()
            self._resume()

    def _resume(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._take(event)
