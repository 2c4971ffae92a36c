"""Legacy completions: straight through, and as a conversation."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace
from openai.types import Completion

from providers.base import Route, Target
from providers.canonical.answer import (
    Answer,
    Begin,
    Choice,
    Counted,
    End,
    Finish,
    Logprobs,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
)
from providers.canonical.request import ChatRequest, Reasoning, Refusal, Text, Turn
from providers.dialects.openai_completions.native import PassThrough
from providers.dialogue import CLIENTS, converse
from providers.sse import Events, payload
from providers.translated import Translated
from schemas.errors import InvalidRequest, StreamTruncated, UpstreamError
from schemas.replies import Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from tests.providers.pairs import chat, context, parse, render, streamed, target, told
from tests.providers.support import ENDPOINT, fold, whole

DIALECT = "openai_completions"
URL = "http://127.0.0.1:1/v1/completions"
NATIVE = Target(replace(ENDPOINT, routes={DIALECT: Route(URL)}), "davinci")
LOGPROBS = Raw(
    msgspec.json.encode(
        {
            "content": [
                {"token": "h", "logprob": -1.0, "top_logprobs": [{"token": "x", "logprob": -2.0}]},
                {"token": "i!", "logprob": -0.5, "top_logprobs": []},
            ]
        }
    )
)


def body(**members: Any) -> bytes:
    return msgspec.json.encode({"model": "davinci", "prompt": "say hi", **members})


def asked(*, drop: bool = False, **members: Any) -> ChatRequest:
    return parse(body(**members), "openai_completions", drop=drop)


def native(**members: Any) -> PassThrough:
    request = Request(request_id="r", body=body(**members), dialect="openai_completions")
    found = converse(request, NATIVE)
    assert isinstance(found, PassThrough)
    return found


def event(text: str, finish: str | None = None, index: int = 0, **members: Any) -> bytes:
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
    found = {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice]}
    return b"data: " + msgspec.json.encode({**found, **members}) + b"\n\n"


class TestStraightThrough:
    """A provider that completes texts."""

    def test_what_is_sent(self) -> None:
        """The caller's bytes, whatever the prompt; a stream is asked for its counts."""
        sent = native(prompt=[[1, 2], [3]], suffix="s", echo=True).sent
        assert sent.url == URL
        assert sent.body == body(prompt=[[1, 2], [3]], suffix="s", echo=True)
        streamed_body = msgspec.json.decode(native(stream=True).sent.body)
        assert streamed_body["stream_options"] == {"include_usage": True}

    def test_an_answer(self) -> None:
        """It comes back byte for byte; reason, counts and model are read."""
        choice = {"text": "hi", "index": 0, "logprobs": None, "finish_reason": "length"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        data = msgspec.json.encode({"model": "m", "choices": [choice], "usage": usage})
        chunks, end = fold(native().decoder("application/json"), [data])
        assert whole(chunks, end) == data
        assert end == Completed(data, "length", Usage(3, 2), "m")

    def test_a_stream(self) -> None:
        """Whole events as they came; text is content."""
        events = [event(""), event("h"), event("i", "stop"), b"data: [DONE]\n\n"]
        chunks, end = fold(native(stream=True).decoder("text/event-stream"), events)
        assert whole(chunks, end) == b"".join(events)
        assert [chunk.content for chunk in chunks] == [False, True, True]

    @pytest.mark.parametrize(
        ("prompt", "choices"),
        [("x", 2), (["x"], 2), (["x", "y"], 4), ([1, 2, 3], 2), ([[1], [2]], 4), ([], 2)],
    )
    def test_when_a_stream_is_whole(self, prompt: object, choices: int) -> None:
        """Without `[DONE]`, when each prompt has as many answers as were asked for."""
        events = [event("a", "stop", index) for index in range(choices)]
        for kept, kind in ((events, Completed), (events[:-1], Failed)):
            decoder = native(prompt=prompt, n=2, stream=True).decoder("text/event-stream")
            _, end = fold(decoder, kept)
            assert isinstance(end, kind)
            if isinstance(end, Failed):
                assert isinstance(end.error, StreamTruncated)


class TestRequests:
    """A provider that only holds conversations."""

    @pytest.mark.parametrize("prompt", ["say hi", ["say hi"]])
    def test_a_prompt(self, prompt: object) -> None:
        """It is what a user says."""
        assert asked(prompt=prompt).turns == (Turn("user", (Text("say hi"),)),)

    @pytest.mark.parametrize(
        ("members", "field", "value"),
        [
            ({"max_tokens": 5}, "max_tokens", 5),
            ({"temperature": 0.5}, "temperature", 0.5),
            ({"top_p": 0.5}, "top_p", 0.5),
            ({"n": 2}, "n", 2),
            ({"stop": "x"}, "stop", ("x",)),
            ({"stop": ["x", "y"]}, "stop", ("x", "y")),
            ({"seed": 1}, "seed", 1),
            ({"presence_penalty": 1}, "presence_penalty", 1),
            ({"frequency_penalty": 1}, "frequency_penalty", 1),
            ({"user": "u"}, "user", "u"),
            ({"stream": True}, "stream", True),
            ({"stream_options": {"include_usage": True}}, "include_usage", True),
            ({"logprobs": 2}, "logprobs", True),
            ({"logprobs": 2}, "top_logprobs", 2),
            ({"logprobs": 0}, "logprobs", True),
            ({"logprobs": None}, "logprobs", None),
            ({"echo": False, "suffix": None, "best_of": 1}, "extra", {}),
            ({"n": 3, "best_of": 3}, "extra", {}),
            ({"best_of": 3}, "extra", {"best_of": Raw(b"3")}),
            ({"logit_bias": {"5": 1}}, "logit_bias", Raw(b'{"5":1}')),
        ],
    )
    def test_members(self, members: dict[str, Any], field: str, value: object) -> None:
        """Each member is the field that means it."""
        assert getattr(asked(**members), field) == value

    @pytest.mark.parametrize(
        ("members", "param"),
        [
            ({"prompt": ["a", "b"]}, "prompt"),
            ({"prompt": []}, "prompt"),
            ({"prompt": [1, 2]}, "prompt"),
            ({"prompt": [1]}, "prompt"),
            ({"prompt": [[1, 2]]}, "prompt"),
            ({"prompt": None}, "prompt"),
            ({"suffix": "x"}, "suffix"),
            ({"echo": True}, "echo"),
            ({"max_tokens": "x"}, "max_tokens"),
        ],
    )
    def test_what_has_no_meaning_in_a_conversation(
        self, members: dict[str, Any], param: str
    ) -> None:
        """It is refused by its name."""
        with pytest.raises(InvalidRequest) as caught:
            asked(**members)
        assert caught.value.param == param

    def test_what_may_be_left_out(self) -> None:
        """With the caller's leave a suffix and an echo are, and are named; the best of several is only
        a better answer."""
        found = asked(drop=True, suffix="x", echo=True, best_of=2, foo=1)
        _, dropped = render(found, "openai_chat", drop=True)
        assert sorted(dropped) == ["best_of", "echo", "foo", "suffix"]

    def test_the_dialogue(self) -> None:
        """A model of a provider that has no completions is asked for a chat."""
        request = Request(request_id="r", body=body(max_tokens=3), dialect="openai_completions")
        found = converse(request, target("openai_chat"))
        assert isinstance(found, Translated)
        assert msgspec.json.decode(found.sent.body) == {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "say hi"}],
            "max_tokens": 3,
        }


class TestAnswers:
    """What the caller is told."""

    def test_a_completion(self) -> None:
        """Text and refusal are text, thoughts are not; log probabilities have their old form."""
        parts = (Reasoning("t"), Text("hi"), Refusal("!"))
        choices = (
            Choice(0, parts, Finish("length"), LOGPROBS),
            Choice(1, (Text("x"),), Finish("tool_calls")),
            Choice(2, (), None),
        )
        answer = Answer("a", "the-model", choices, Usage(3, 2))
        found = msgspec.json.decode(told(answer, "openai_completions", asked()))
        first, second, third = found.pop("choices")
        assert found.pop("usage")["total_tokens"] == 5
        assert found == {
            "id": "cmpl-r-1",
            "object": "text_completion",
            "created": 1_700_000_000,
            "model": "the-model",
        }
        assert first == {
            "text": "hi!",
            "index": 0,
            "logprobs": {
                "tokens": ["h", "i!"],
                "token_logprobs": [-1.0, -0.5],
                "top_logprobs": [{"x": -2.0}, {}],
                "text_offset": [0, 1],
            },
            "finish_reason": "length",
        }
        assert (second["finish_reason"], third["finish_reason"]) == ("stop", None)

    def test_a_stream(self) -> None:
        """A chunk for each piece, one for the reason, and the counts where they are asked for."""
        events = [
            Begin("a", "m1"),
            ReasoningDelta("t"),
            TextDelta("h"),
            Logprobs(LOGPROBS),
            ToolCallBegin(0, "c", "f"),
            RefusalDelta("i", 1),
            Logprobs(LOGPROBS),
            End(Finish("stop")),
            Counted(Usage(3, 2)),
        ]
        found = chunks(streamed(events, "openai_completions", chat(include_usage=True)))
        for each in found[:-1]:
            Completion.model_validate({**each, "choices": []})
        choices = [each["choices"][0] for each in found[:-1]]
        assert [(each["index"], each["text"], each["finish_reason"]) for each in choices] == [
            (0, "h", None),
            (0, "", None),
            (1, "i", None),
            (0, "", None),
            (0, "", "stop"),
        ]
        assert choices[1]["logprobs"]["text_offset"] == [0, 1]
        assert choices[3]["logprobs"]["text_offset"] == [3, 4]
        assert [each["usage"] for each in found[:-1]] == [None] * 5
        assert (found[-1]["choices"], found[-1]["usage"]["total_tokens"]) == ([], 5)
        assert {each["model"] for each in found} == {"m1"}
        silent = chunks(streamed(events, "openai_completions", chat(include_usage=False)))
        assert len(silent) == 5
        assert not any("usage" in each for each in silent)

    def test_an_error_ends_the_stream(self) -> None:
        """It is OpenAI's error event."""
        event = CLIENTS[DIALECT].writer(context(chat())).abort(UpstreamError("no"))
        assert event.startswith(b'data: {"error":{"message":"no"')


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """What stands in a stream; `[DONE]` ends it."""
    data = [payload(each) for each in Events().feed(stream)]
    assert data.pop() == b"[DONE]"
    return [msgspec.json.decode(each) for each in data]
