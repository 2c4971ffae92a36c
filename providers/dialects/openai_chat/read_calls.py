"""Calls of tools in a provider's deltas.

OpenAI numbers them, names each in its first piece, and cuts the arguments. Its imitators send whole
calls in one delta, leave out the number or the id, give every call the number 0, repeat the id in each
piece, and give arguments as an object.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from providers.canonical.answer import Event, ToolCallBegin, ToolCallDelta
from providers.dialects.openai_chat.calls import Call, arguments_of, signature_of
from providers.dialects.openai_chat.spoken import Spoken
from schemas.errors import UpstreamError


class _Open(Struct):
    number: int  # of our own, from 0
    id: str | None
    begun: bool = False
    held: str = ""  # arguments that came before the name


class CallReader:
    """Reads the calls of one choice."""

    __slots__ = ("_all", "_answer_id", "_by_index", "_choice")

    def __init__(self, choice: int, answer_id: str) -> None:
        self._choice = choice
        self._answer_id = answer_id
        self._by_index: dict[int, _Open] = {}
        self._all: list[_Open] = []

    @property
    def any(self) -> bool:
        return bool(self._all)

    def read(self, spoken: Spoken) -> Iterator[Event]:
        for call in spoken.tool_calls or ():
            yield from self._read(call)
        if (function := spoken.function_call) is not None:
            yield from self._read(Call(index=0, function=function))

    def finish(self) -> Iterator[Event]:
        """UpstreamError if a call has no name to this day."""
        if not all(call.begun for call in self._all):
            raise UpstreamError("The provider sent a call of a tool without the tool's name.")
        yield from ()

    def _read(self, call: Call) -> Iterator[Event]:
        part = call.custom or call.function
        name = part.name if part is not None else None
        if call.custom is not None:
            arguments = call.custom.input or ""
        else:
            arguments = arguments_of(call.function.arguments) if call.function else ""
        state = self._of(call, name)
        if not state.begun:
            if not name:
                state.held += arguments
                return
            state.begun = True
            arguments = state.held + arguments
            yield ToolCallBegin(
                state.number,
                state.id or self._made_up(state.number),
                name,
                self._choice,
                call.custom is not None,
                signature_of(call.extra_content),
            )
        if arguments:
            yield ToolCallDelta(state.number, arguments, self._choice)

    def _of(self, call: Call, name: str | None) -> _Open:
        """The call that a piece belongs to."""
        if call.index is None:
            known = self._all[-1] if self._all else None
        else:
            known = self._by_index.get(call.index)
        if known is None or (name and _another(call, known)):
            known = _Open(len(self._all), call.id or None)
            self._all.append(known)
            if call.index is not None:
                self._by_index[call.index] = known
        return known

    def _made_up(self, number: int) -> str:
        """Of its own in the whole conversation: other dialects find results by it."""
        return f"call_{self._answer_id}_{self._choice}_{number}"


def _another(call: Call, known: _Open) -> bool:
    """Whether a piece with a name begins another call than the one that is open at its place: some
    providers repeat the name in each piece, with the id or without."""
    if not known.begun:
        return False
    return call.id != known.id if call.id else known.id is None
