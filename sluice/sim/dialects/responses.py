"""OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from collections.abc import Iterator

from sluice.sim.answers import Answer, Part, Text, Thought, ToolCall
from sluice.sim.ask import Ask, Call, Refused
from sluice.sim.base import Rendering, encode, event
from sluice.sim.dialects import openai_errors
from sluice.sim.dialects.responses_items import (
    Object,
    Status,
    content_part,
    ending,
    item,
    item_id,
    items,
    response,
    streams,
    summary_part,
)
from sluice.sim.dialects.responses_request import read


class Responses:
    malformed = (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","\n\n'
    )
    headers = openai_errors.HEADERS

    def read(self, call: Call) -> Ask:
        return read(call)

    def plain(self, ask: Ask, said: Answer) -> bytes:
        return encode(response(ask, said, ending(said), items(ask, said)))

    def stream(self, ask: Ask, said: Answer) -> Rendering:
        return _Stream(ask, said)

    def failed(self, ask: Ask) -> bytes:
        return encode(response(ask, Answer(ask.talk.digest.hex(), (), "stop"), "failed", []))

    def error(self, refused: Refused) -> bytes:
        return openai_errors.error(refused)


class _Stream:
    def __init__(self, ask: Ask, said: Answer) -> None:
        self._ask = ask
        self._said = said
        self._sequence = 0
        self._pending = b""  # goes out with the next piece

    def opening(self) -> bytes:
        return self._state("response.created") + self._state("response.in_progress")

    def content(self) -> Iterator[bytes]:
        for number, part in enumerate(self._said.parts):
            empty = item(self._ask, self._said, number, empty=True)
            self._put("response.output_item.added", output_index=number, item=empty)
            yield from self._part(number, part)
            whole = item(self._ask, self._said, number)
            self._put("response.output_item.done", output_index=number, item=whole)

    def closing(self) -> bytes:
        pending, self._pending = self._pending, b""
        return pending

    def end(self) -> bytes:
        status = ending(self._said)
        return self._state(f"response.{status}", status, items(self._ask, self._said))

    def failure(self) -> bytes:
        return self.closing() + self._state("response.failed", "failed")

    def _part(self, number: int, part: Part) -> Iterator[bytes]:
        place: Object = {"item_id": item_id(self._said, number), "output_index": number}
        match part:
            case Thought():
                if not self._ask.silently:
                    yield from self._thought(place | {"summary_index": 0}, part)
            case Text():
                yield from self._text(place | {"content_index": 0}, part)
            case ToolCall():
                if streams(part):
                    yield from self._call(place, part)

    def _thought(self, place: Object, part: Thought) -> Iterator[bytes]:
        name = "response.reasoning_summary"
        self._put(f"{name}_part.added", **place, part=summary_part(""))
        for piece in part.pieces:
            yield self._take(f"{name}_text.delta", **place, delta=piece)
        self._put(f"{name}_text.done", **place, text=part.text)
        self._put(f"{name}_part.done", **place, part=summary_part(part.text))

    def _text(self, place: Object, part: Text) -> Iterator[bytes]:
        self._put("response.content_part.added", **place, part=content_part(part, ""))
        name, member = ("refusal", "refusal") if part.refusal else ("output_text", "text")
        more: Object = {} if part.refusal else {"logprobs": []}
        for piece in part.pieces:
            yield self._take(f"response.{name}.delta", **place, delta=piece, **more)
        self._put(f"response.{name}.done", **place, **{member: part.text}, **more)
        self._put("response.content_part.done", **place, part=content_part(part, part.text))

    def _call(self, place: Object, part: ToolCall) -> Iterator[bytes]:
        name, member = "response.function_call_arguments", "arguments"
        if part.tool.kind == "custom":
            name, member = "response.custom_tool_call_input", "input"
        for piece in part.pieces:
            yield self._take(f"{name}.delta", **place, delta=piece)
        self._put(f"{name}.done", **place, **{member: part.text})

    def _state(
        self, name: str, status: Status = "in_progress", output: list[Object] | None = None
    ) -> bytes:
        return self._event(name, response=response(self._ask, self._said, status, output or []))

    def _put(self, name: str, **members: object) -> None:
        self._pending += self._event(name, **members)

    def _take(self, name: str, **members: object) -> bytes:
        pending, self._pending = self._pending, b""
        return pending + self._event(name, **members)

    def _event(self, name: str, **members: object) -> bytes:
        number, self._sequence = self._sequence, self._sequence + 1
        return event({"type": name, "sequence_number": number, **members}, name)
