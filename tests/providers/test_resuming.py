"""Streams that go on where another has stopped, in each dialect; the streams are the sim's."""

import json
from typing import Any

import msgspec
import pytest

from providers.resuming.grammar import GRAMMARS
from providers.resuming.prefill import continued
from providers.resuming.sequel import Diverged, Told, told
from providers.sse import Events, payload
from schemas.errors import StreamTruncated
from schemas.requests import Request
from sluice.sim.answers import answer
from sluice.sim.ask import Call
from sluice.sim.base import Streaming
from sluice.sim.dialects.chat import Chat
from sluice.sim.dialects.completions import Completions
from sluice.sim.dialects.gemini import Gemini
from sluice.sim.dialects.messages import Messages
from sluice.sim.dialects.responses import Responses
from sluice.sim.script import parse

TEXT = "one two three four five six seven"
TURN = {"role": "user", "content": TEXT}
DIALECTS: dict[str, tuple[Streaming, dict[str, Any]]] = {
    "openai_chat": (Chat(), {"messages": [TURN], "stream": True}),
    "openai_completions": (Completions(), {"prompt": TEXT, "stream": True}),
    "openai_responses": (Responses(), {"input": TEXT, "stream": True}),
    "anthropic": (Messages(), {"messages": [TURN], "max_tokens": 100, "stream": True}),
    "gemini": (Gemini(), {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}),
}


def stream(dialect: str, text: str = TEXT, script: str = "sim") -> list[bytes]:
    """The events of a whole stream that says that."""
    spoken, body = DIALECTS[dialect]
    made = json.dumps({"model": script, **body}).replace(TEXT, text).encode()
    ask = spoken.read(Call(made, None, script if dialect == "gemini" else "", stream=True))
    rendering = spoken.stream(ask, answer(ask, parse(script)))
    body_bytes = b"".join(
        (rendering.opening(), *rendering.content(), rendering.closing(), rendering.end())
    )
    return Events().feed(body_bytes)


def decoded(events: list[bytes]) -> list[Any]:
    found = (payload(event) for event in events)
    return [msgspec.json.decode(each) for each in found if each.startswith(b"{")]


def said(dialect: str, events: list[bytes]) -> str:
    grammar = GRAMMARS[dialect]
    return "".join(grammar.read(event).text for event in decoded(events))


def begun(dialect: str, events: list[bytes]) -> Told:
    found = told(dialect, b"".join(events))
    assert found is not None
    return found


def texts(dialect: str, events: list[bytes]) -> list[int]:
    """Where the pieces of text are."""
    grammar = GRAMMARS[dialect]
    return [
        number
        for number, event in enumerate(events)
        if payload(event).startswith(b"{") and grammar.read(decoded([event])[0]).kind == "text"
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_spliced_stream_is_the_unbroken_one(dialect: str) -> None:
    """Cut behind each of its pieces and gone on with: event for event the same, and nothing twice."""
    events = stream(dialect)
    places = texts(dialect, events)
    assert len(places) == 7
    for place in places[:-1]:
        before = events[: place + 1]
        sequel = begun(dialect, before).sequel("splice")
        rest = b"".join(sequel.feed(event) for event in events[:-1]) + sequel.finish(events[-1])
        assert decoded([*before, *Events().feed(rest)]) == decoded(events)
        assert said(dialect, [*before, *Events().feed(rest)]) == TEXT


@pytest.mark.parametrize("dialect", DIALECTS)
def test_pieces_may_be_cut_elsewhere(dialect: str) -> None:
    """The other's pieces are longer or shorter; that in which the streams meet is shortened."""
    events = stream(dialect)
    place = texts(dialect, events)[2]
    before = events[: place + 1]
    found = begun(dialect, before)
    grammar = GRAMMARS[dialect]
    first = decoded([events[texts(dialect, events)[0]]])[0]
    name = b"event: x\n" if grammar.named else b""
    longer = name + b"data: " + msgspec.json.encode(grammar.with_text(first, TEXT)) + b"\n\n"
    sequel = found.sequel("splice")
    opening = b"".join(events[: texts(dialect, events)[0]])
    rest = sequel.feed(opening) + sequel.feed(longer)

    assert said(dialect, Events().feed(rest)) == " four five six seven"
    assert found.text == "one two three"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("other", ["one two", "two", "one twofold", ""])
def test_streams_that_part(dialect: str, other: str) -> None:
    """Another text, or the same but shorter than what was told: it cannot be joined."""
    events = stream(dialect)
    sequel = begun(dialect, events[: texts(dialect, events)[2] + 1]).sequel("splice")
    theirs = stream(dialect, other or "1")
    with pytest.raises(Diverged):
        sequel.finish(b"".join(theirs))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_continued_stream_is_whole(dialect: str) -> None:
    """What the other says comes behind what was told, under the ids of the first stream; where events
    repeat the text, they have all of it."""
    events = stream(dialect)
    before = events[: texts(dialect, events)[2] + 1]
    sequel = begun(dialect, before).sequel("continue")
    theirs = stream(dialect, "four five six seven", "sim-echo")
    rest = Events().feed(sequel.finish(b"".join(theirs)))

    assert said(dialect, [*before, *rest]) == "one two threefour five six seven"
    if dialect == "openai_responses":
        last = decoded(rest)[-1]
        assert last["response"]["id"] == decoded(before)[0]["response"]["id"]
        item = last["response"]["output"][0]
        assert item["content"][0]["text"] == "one two threefour five six seven"
        numbers = [event["sequence_number"] for event in decoded([*before, *rest])]
        assert numbers == list(range(len(numbers)))


def test_one_that_begins_anew_in_other_words() -> None:
    """A long beginning in common and then other words: neither a repetition nor a continuation."""
    words = " ".join("abcdefghijklmnopqrstuvwxyz")
    events = stream("openai_chat", words)
    told_ = begun("openai_chat", events[:-4])
    with pytest.raises(Diverged):
        told_.sequel("continue").feed(b"".join(stream("openai_chat", words[:-9] + " and so on")))
    again = told_.sequel("continue").finish(b"".join(stream("openai_chat", words)))
    assert told_.text + said("openai_chat", Events().feed(again)) == words


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "openai_completions"])
@pytest.mark.parametrize("script", ["sim-think-3", "sim-tool"])
def test_more_than_one_text_is_not_gone_on_with(dialect: str, script: str) -> None:
    """Thoughts and tool calls would not come the same again."""
    events = stream(dialect, script=script)
    assert told(dialect, b"".join(events[: len(events) // 2 + 1])) is None


def test_what_nobody_knows_is_not_gone_on_with() -> None:
    """Another dialect, events that are no JSON, a stream that has ended."""
    assert told("unknown", b"") is None
    assert told("openai_chat", b"data: {\n\n") is None
    assert told("openai_chat", b"".join(stream("openai_chat"))) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_error_comes_in_the_callers_dialect(dialect: str) -> None:
    """Numbered on where events have numbers."""
    events = stream(dialect)
    event = begun(dialect, events[: texts(dialect, events)[0] + 1]).abort(StreamTruncated())
    found = decoded([event])[0]

    assert "before it was complete" in json.dumps(found)
    if dialect == "openai_responses":
        assert found["sequence_number"] == texts(dialect, events)[0] + 1


@pytest.mark.parametrize(
    ("dialect", "body", "member", "last"),
    [
        ("openai_chat", {"messages": [TURN]}, "messages", {"role": "assistant", "content": "so"}),
        ("anthropic", {"messages": [TURN]}, "messages", {"role": "assistant", "content": "so"}),
        ("gemini", {"contents": [{}]}, "contents", {"role": "model", "parts": [{"text": "so"}]}),
    ],
)
def test_a_beginning_of_an_answer(
    dialect: str, body: dict[str, Any], member: str, last: dict[str, Any]
) -> None:
    """The last turn is the model's; the other members stay as they were."""
    sent = msgspec.json.encode({"model": "m", "x": 1, **body})
    made = continued(Request(request_id="r", body=sent, dialect=dialect), "so")  # type: ignore[arg-type]  # one of them
    assert made is not None
    found = msgspec.json.decode(made.body)
    assert found == {"model": "m", "x": 1, member: [*body[member], last]}


def test_a_beginning_in_responses_and_completions() -> None:
    """An output item behind the input, and more of the prompt."""
    response = Request(request_id="r", body=b'{"input":"hi"}', dialect="openai_responses")
    made = continued(response, "so")
    assert made is not None
    user, assistant = msgspec.json.decode(made.body)["input"]
    assert user == {"role": "user", "content": "hi"}
    assert assistant["content"][0]["text"] == "so"
    completion = Request(request_id="r", body=b'{"prompt":"hi "}', dialect="openai_completions")
    made = continued(completion, "so")
    assert made is not None
    assert msgspec.json.decode(made.body) == {"prompt": "hi so"}


@pytest.mark.parametrize(
    ("body", "text"),
    [(b'{"messages":[]}', "so "), (b'{"messages":[]}', ""), (b"{}", "so"), (b"[", "so")],
)
def test_no_beginning(body: bytes, text: str) -> None:
    """A text that ends with white space, as no provider takes it; a body that cannot be read."""
    assert continued(Request(request_id="r", body=body), text) is None
