"""Values back into a streamed answer, wherever its pieces cut a placeholder. Pure; one per answer."""

from __future__ import annotations

import json
from typing import Any

from providers.sse import Events, payload
from streams.guardrails.masking import Mask
from streams.guardrails.pieces import SPOKEN, Event, Key, Piece


class Restoring:
    """Changes only events that must be changed; what may be the beginning of a placeholder waits for the
    next piece of its text, or for the end of it."""

    def __init__(self, dialect: str, mask: Mask) -> None:
        self._spoken = SPOKEN[dialect]
        self._mask = mask
        self._events = Events()
        self._held: dict[Key, tuple[str, Piece]] = {}
        self._more = 0  # events beyond those that came
        self._number = 0  # of the last event, where they are numbered

    def feed(self, data: bytes) -> bytes:
        """The same events with values; providers.sse.EventTooLarge."""
        return b"".join(self._event(event) for event in self._events.feed(data))

    def end(self) -> bytes:
        """What was held back, at the end of all."""
        return self._flushed(lambda key: True) + self._events.rest()

    def _event(self, raw: bytes) -> bytes:
        data = payload(raw)
        if not data.startswith(b"{"):
            return (self.end() if data == b"[DONE]" else b"") + raw
        try:
            event = json.loads(data)
        except ValueError:
            return raw
        ends = self._spoken.ends
        texts = [
            (piece, self._told(piece, whole=ends(event, piece.key)))
            for piece in list(self._spoken.pieces(event))
        ]
        held = {piece.key for piece, _ in texts}
        before = self._flushed(lambda key: key not in held and ends(event, key))
        changed = False
        for piece, text in texts:
            if text != piece.text:
                piece.holder[piece.member] = text
                changed = True
        if isinstance(event.get("sequence_number"), int):
            if self._more:
                event["sequence_number"] += self._more
                changed = True
            self._number = event["sequence_number"]
        written = (
            json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            if changed
            else data.decode()
        )
        # What stands there whole, beside the pieces: the arguments of a call, a summary at the end.
        restored = self._mask.whole(written)
        if not changed and restored is written:
            return before + raw
        return before + _framed(raw, restored)

    def _told(self, piece: Piece, *, whole: bool) -> str:
        tail, _ = self._held.pop(piece.key, ("", piece))
        text = tail + piece.text
        keep = 0 if whole else self._mask.open_end(text)
        if keep:
            self._held[piece.key] = text[-keep:], piece
            text = text[:-keep]
        return self._mask.restored(text, json=piece.json)

    def _flushed(self, ends: Any) -> bytes:
        """Events that bring what was held back of texts that end here."""
        found = b""
        for key in [key for key in self._held if ends(key)]:
            tail, piece = self._held.pop(key)
            event: Event = piece.again(tail)
            if isinstance(event.get("sequence_number"), int):
                self._more += 1
                self._number += 1
                event["sequence_number"] = self._number
            name = b"event: %s\n" % event["type"].encode() if "type" in event else b""
            text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            found += name + b"data: " + text.encode(errors="surrogatepass") + b"\n\n"
        return found


def _framed(raw: bytes, data: str) -> bytes:
    """The event with other data; its other lines stay."""
    lines = [line for line in raw.splitlines() if line and not line.startswith(b"data:")]
    return b"\n".join([*lines, b"data: " + data.encode(errors="surrogatepass")]) + b"\n\n"
