"""Ids of calls. Gemini may leave them out and then means the order; other dialects need one for each."""

from __future__ import annotations

from collections import defaultdict


class Calls:
    """Gives the calls of a conversation stable ids, and finds the call that a result is for."""

    __slots__ = ("_calls", "_open", "_unknown")

    def __init__(self) -> None:
        self._calls = 0
        self._unknown = 0
        self._open: defaultdict[str, list[str]] = defaultdict(list)

    def called(self, name: str, given: str | None) -> str:
        """The id of the next call."""
        number, self._calls = self._calls, self._calls + 1
        found = given or f"call_{number}"
        self._open[name].append(found)
        return found

    def answered(self, name: str, given: str | None) -> str:
        """The id of the call that a result answers: the first of its name without one yet."""
        waiting = self._open[name]
        if given:
            if given in waiting:
                waiting.remove(given)
            return given
        if waiting:
            return waiting.pop(0)
        number, self._unknown = self._unknown, self._unknown + 1
        return f"call_unknown_{number}"
