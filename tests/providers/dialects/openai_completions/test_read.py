"""Legacy completions, read back."""

import json

import pytest

from providers.canonical.answer import Begin, Counted, End, Finish, TextDelta
from providers.canonical.request import ChatRequest
from providers.dialects.openai_completions.read import StreamReader, read_answer
from schemas.errors import UpstreamError

CHAT = ChatRequest(dialect="openai_completions", model="m", turns=())


def chunk(text: str, finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "text": text, "finish_reason": finish, "logprobs": None}
    return json.dumps({"id": "c", "created": 5, "model": "m", "choices": [choice]}).encode()


def test_a_stream() -> None:
    """Texts, ends and counts; it is whole when every choice has ended, and done with its last event."""
    reader = StreamReader(CHAT)
    found = [*reader.read(chunk("a")), *reader.read(chunk("b", None, 1))]
    found += [*reader.read(chunk("", "stop")), *reader.read(b'{"choices":[],"usage":null}')]
    assert not reader.whole
    found += reader.read(chunk("c", "length", 1))
    assert reader.whole
    usage = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    (counted,) = reader.read(usage)
    assert isinstance(counted, Counted)
    assert not reader.done
    assert list(reader.read(b"[DONE]")) == []

    assert reader.done
    assert found == [
        Begin("c", "m", 5),
        TextDelta("a"),
        TextDelta("b", 1),
        End(Finish("stop")),
        TextDelta("c", 1),
        End(Finish("length"), 1),
    ]


def test_what_is_none() -> None:
    """Bytes of another kind are the provider's mistake."""
    for body in (b"", b"[]", b'{"choices": 1}'):
        with pytest.raises(UpstreamError):
            read_answer(body)
