"""A stream of events as one JSON array."""

import asyncio
import json

from hypothesis import given, strategies as st

from ingress.json_array import ArrayAnswer
from tests.ingress.conftest import Ingress, Start
from tests.ingress.worker import SSE, Answering, Worker

CONTENTS = {"contents": [{"parts": [{"text": "hi"}]}]}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class Gathered(ArrayAnswer):
    """What would go to the connection, as one text."""

    def of(self, pieces: list[bytes]) -> bytes:
        return b"".join(self._elements(piece) for piece in pieces)


@given(st.lists(JSON, max_size=4), st.sampled_from(["\n", "\r\n"]), st.data())
def test_elements_however_they_were_cut(
    values: list[object], end: str, data: st.DataObject
) -> None:
    """Each event's data is an element, in order, also where the network cut them and comments stand
    between them; and each is written as soon as it is whole."""
    events = []
    for value in values:
        pretty = json.dumps(value, indent=data.draw(st.sampled_from([None, 1])))
        lines = [
            f"data:{data.draw(st.sampled_from(['', ' ']))}{line}" for line in pretty.split("\n")
        ]
        note = data.draw(st.sampled_from(["", f": ping{end}", f"event: x{end}", f": a{end}{end}"]))
        events.append((note + end.join(lines) + end * 2).encode())
    whole = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [
        whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)
    ]
    answer = Gathered(200, b"")

    found = answer.of(pieces)

    assert json.loads((found or b"[") + b"]") == values
    at_once = Gathered(200, b"")
    assert all(at_once.of([event]) for event in events)


async def streamed(ingress: Ingress, worker: Worker, *pieces: bytes) -> bytes:
    """What a caller without `alt=sse` gets of a stream."""

    async def script(answering: Answering) -> None:
        await answering.begin(pieces[0], SSE)
        for piece in pieces[1:-1]:
            await answering.chunk(piece)
        await answering.finish(pieces[-1])

    worker.script = script
    found = await ingress.client.post("/v1beta/models/m:streamGenerateContent", json=CONTENTS)
    assert found.headers["content-type"] == "application/json"
    return found.content


async def test_a_stream_as_one_array(start: Start, worker: Worker) -> None:
    """Without `alt=sse` each event's data is an element, however the events were cut; the record says
    a stream all the same."""
    ingress = await start()

    whole = await streamed(ingress, worker, b'data: {"a":1}\n\n', b'data: {"b":', b"2}\r\n\r\n")

    assert json.loads(whole) == [{"a": 1}, {"b": 2}]
    assert await streamed(ingress, worker, b": nothing\n\n", b"") == b"[]"
    assert worker.requests[0].stream is True


async def test_an_error_in_an_array(start: Start, worker: Worker) -> None:
    """A stream that breaks ends with an element that is the error."""
    ingress = await start()

    async def script(answering: Answering) -> None:
        await answering.begin(b'data: {"a":1}\n\n', SSE)
        await answering.fail(b'data: {"error":{"code":502}}\n\n')

    worker.script = script
    found = await ingress.client.post("/v1/models/m:streamGenerateContent", json=CONTENTS)

    assert found.json() == [{"a": 1}, {"error": {"code": 502}}]


async def test_a_quiet_array_is_kept_alive(start: Start, worker: Worker) -> None:
    """Keep-alives are white space there."""
    ingress = await start(ping_interval=0.2)

    async def script(answering: Answering) -> None:
        await answering.begin(b'data: {"a":1}\n\n', SSE)
        await asyncio.sleep(0.7)
        await answering.finish(b'data: {"b":2}\n\n')

    worker.script = script
    found = await ingress.client.post("/v1/models/m:streamGenerateContent", json=CONTENTS)

    assert found.json() == [{"a": 1}, {"b": 2}]
    assert found.content.startswith(b'[{"a":1}\n')
