"""A message while it is written: its events, and what the last Response will hold of it."""

from __future__ import annotations

import msgspec

from providers.canonical.request import Citation
from providers.dialects.openai_responses.frames import Deltas, Frames, OpenItem
from providers.dialects.openai_responses.output import Logprob, Object
from providers.dialects.openai_responses.parts import annotation

_encode = msgspec.json.Encoder().encode


class Message(OpenItem):
    """Texts and refusals."""

    __slots__ = ("_citations", "_deltas", "_logprobs", "_part", "_parts")

    def __init__(self, frames: Frames, index: int, name: str) -> None:
        self._parts: list[Object] = []
        item: Object = {
            "id": name,
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": self._parts,
        }
        super().__init__(frames, index, item)
        self._deltas: Deltas | None = None
        self._part: Object = {}  # the part that is open
        self._citations: list[object] = []  # of it
        self._logprobs: list[Logprob] = []

    def text(self, text: str, logprobs: list[Logprob]) -> bytes:
        frames = b""
        if self._deltas is None or self._part["type"] != "output_text":
            frames = self.end_part()
            self._citations, self._logprobs = [], []
            part: Object = {
                "type": "output_text",
                "text": "",
                "annotations": self._citations,
                "logprobs": self._logprobs,
            }
            frames += self._begin(part, "output_text.delta", b',"logprobs":[]')
        assert self._deltas is not None
        if not logprobs:
            return frames + self._deltas.add(text)
        self._logprobs.extend(logprobs)
        return frames + self._deltas.add(text, b',"logprobs":' + _encode(logprobs))

    def refusal(self, text: str) -> bytes:
        frames = b""
        if self._deltas is None or self._part["type"] != "refusal":
            frames = self.end_part()
            frames += self._begin({"type": "refusal", "refusal": ""}, "refusal.delta", b"")
        assert self._deltas is not None
        return frames + self._deltas.add(text)

    @property
    def writes_text(self) -> bool:
        return self._deltas is not None and self._part["type"] == "output_text"

    def cite(self, citation: Citation) -> bytes:
        """An annotation of the text that is open."""
        length = len(self._deltas.text) if self._deltas is not None else 0
        found = annotation(citation, length)
        number = len(self._citations)
        self._citations.append(found)
        return self._frame(
            "output_text.annotation.added",
            {
                "content_index": len(self._parts),
                "annotation_index": number,
                "annotation": found,
            },
        )

    def late_logprobs(self, logprobs: list[Logprob]) -> None:
        """Of text whose events have gone out: the last text has them in the end."""
        self._logprobs.extend(logprobs)

    def _begin(self, part: Object, kind: str, tail: bytes) -> bytes:
        self._part = part
        number = len(self._parts)
        self._deltas = Deltas(self._frames, kind, {**self._place, "content_index": number}, tail)
        return self._frame("content_part.added", {"content_index": number, "part": part})

    def end_part(self) -> bytes:
        """The part that is open is whole."""
        if self._deltas is None:
            return b""
        text, self._deltas = self._deltas.text, None
        number: Object = {"content_index": len(self._parts)}
        if self._part["type"] == "refusal":
            self._part["refusal"] = text
            frames = self._frame("refusal.done", {**number, "refusal": text})
        else:
            self._part["text"] = text
            frames = self._frame(
                "output_text.done", {**number, "text": text, "logprobs": self._logprobs}
            )
        self._parts.append(self._part)
        return frames + self._frame("content_part.done", {**number, "part": self._part})

    def close(self, status: str) -> bytes:
        frames = self.end_part()
        self.item["status"] = status
        return frames + self.done()
