"""Streams of providers that differ from OpenAI's, and what goes wrong in them."""

from typing import Any

import pytest

from providers.canonical.answer import Begin, Counted, End, Event, Finish
from providers.canonical.fold import fold
from providers.canonical.request import Media, Native, Reasoning, Refusal, Text, ToolCall
from schemas.errors import GatewayError, InvalidRequest, RateLimited, UpstreamError
from tests.providers.dialects.openai_responses.support import UPSTREAM, parsed, read, sse

CREATED = {"type": "response.created", "response": {"id": "r", "model": "m", "created_at": 5}}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""}


def event(kind: str, index: int = 0, **members: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, **members}


def added(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return event("output_item.added", index, item=item)


def done(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return event("output_item.done", index, item=item)


def ended(*output: dict[str, Any], kind: str = "completed", **members: Any) -> dict[str, Any]:
    response = {"id": "r", "model": "m", "status": kind, "output": list(output), **members}
    return {"type": f"response.{kind}", "response": response}


def parts(*events: dict[str, Any]) -> tuple[Any, ...]:
    return fold(read(sse(CREATED, *events))).choices[0].parts


def text_of(text: str, **members: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, **members}


def test_begin_and_end() -> None:
    """A stream begins once, whichever event comes first, and counts come before its end."""
    usage = {"input_tokens": 5, "output_tokens": 2}
    found = read(sse(CREATED, event("in_progress", response={}), ended(usage=usage)))

    begin, counted, end = found
    assert begin == Begin("r", "m", 5)
    assert isinstance(counted, Counted)
    assert counted.usage.input_tokens == 5
    assert end == End(Finish("stop", "completed"))


def test_whole_and_done() -> None:
    """A stream is whole with its terminal event; `[DONE]` makes none whole."""
    reader = UPSTREAM.reader(parsed())
    assert list(reader.read(b"[DONE]")) == []
    assert not reader.whole
    list(reader.read(b'{"type":"response.completed","response":{}}'))
    assert reader.whole
    assert reader.done


def test_items_without_deltas() -> None:
    """What comes only with an item's end is not lost."""
    cited = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    content = [text_of("abc", annotations=[cited]), {"type": "refusal", "refusal": "No."}]
    found = parts(
        done({**MESSAGE, "content": content}),
        done({**CALL, "arguments": "{}"}, 1),
        done({"type": "custom_tool_call", "id": "x", "call_id": "d", "name": "p", "input": "y"}, 2),
        ended(),
    )
    text, refusal, call, custom = found
    assert text.text == "abc"
    assert text.citations[0].url == "u"
    assert refusal == Refusal("No.")
    assert call == ToolCall("c", "f", "{}", item_id="fc_1")
    assert custom == ToolCall("d", "p", "y", True, item_id="x")


def test_items_without_events() -> None:
    """What comes only with the last Response is not lost."""
    assert parts(ended({**MESSAGE, "content": [text_of("abc")]})) == (Text("abc"),)


def test_nothing_comes_twice() -> None:
    """What has come in pieces is not repeated by the ends of parts and items."""
    item = {**MESSAGE, "content": [text_of("ab"), text_of("c")]}
    call = {**CALL, "arguments": "{}"}
    found = parts(
        added(MESSAGE),
        event("output_text.delta", delta="a"),
        event("output_text.delta", delta="b"),
        event("output_text.done", text="ab"),
        event("output_text.delta", delta="c", content_index=1),
        done(item),
        added(CALL, 1),
        event("function_call_arguments.delta", 1, delta="{"),
        event("function_call_arguments.delta", 1, delta="}"),
        event("function_call_arguments.done", 1, arguments="{}"),
        done(call, 1),
        ended(item, call),
    )
    assert found == (Text("ab"), Text("c"), ToolCall("c", "f", "{}", item_id="fc_1"))


def test_thoughts_that_end_late() -> None:
    """Some providers end the thoughts behind the message: they are not opened again."""
    thoughts = {"type": "reasoning", "id": "rs_1", "summary": []}
    whole = {**thoughts, "content": [{"type": "reasoning_text", "text": "hm"}]}
    late = parts(
        added(thoughts),
        event("reasoning_text.delta", delta="hm"),
        added(MESSAGE, 1),
        event("output_text.delta", 1, delta="a"),
        done({**MESSAGE, "content": [text_of("a")]}, 1),
        done(whole),
        ended(whole, {**MESSAGE, "content": [text_of("a")]}),
    )
    assert late == (Reasoning("hm"), Text("a"))


def test_summary_paragraphs_and_token() -> None:
    """The paragraphs of a summary are one text, with its token."""
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    found = parts(
        added({**item, "encrypted_content": ""}),
        event("reasoning_summary_text.delta", delta="a", summary_index=0),
        event("reasoning_summary_text.delta", delta="b", summary_index=1),
        event("reasoning_text.delta", delta="c"),
        done(item),
        done({**item, "id": "rs_2"}, 1),
        ended(),
    )
    assert found == (
        Reasoning("a\n\nb", True),
        Reasoning("c", False, "gAAA", "openai_responses", "rs_1"),
        Reasoning("", False, "gAAA", "openai_responses", "rs_2", True),
    )


def test_other_tools() -> None:
    """Items of the provider's own tools are kept; a picture is a picture."""
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}
    drawn = {"type": "image_generation_call", "id": "ig_1", "result": "AAEC"}
    native, picture = parts(added(search), done(search), added(drawn, 1), done(drawn, 1), ended())

    assert isinstance(native, Native)
    assert (native.dialect, native.kind) == ("openai_responses", "web_search_call")
    assert picture == Media("image", "AAEC", media_type="image/png")


@pytest.mark.parametrize(
    ("kind", "reason", "expected"),
    [
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", "New_Reason", "new_reason"),
        ("incomplete", None, "length"),
        ("completed", None, "stop"),
    ],
)
def test_finish(kind: str, reason: str | None, expected: str) -> None:
    """Why an answer ended is told in OpenAI chat's words."""
    found = read(sse(CREATED, ended(kind=kind, incomplete_details={"reason": reason})))
    assert isinstance(found[-1], End)
    assert found[-1].finish.reason == expected


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (
            {
                "type": "response.failed",
                "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}},
            },
            RateLimited,
        ),
        (
            {
                "type": "response.failed",
                "response": {"error": {"code": "invalid_prompt", "message": "slow"}},
            },
            InvalidRequest,
        ),
        ({"type": "error", "code": "server_error", "message": "slow"}, UpstreamError),
        ({"type": "error", "error": {"code": 400, "message": "slow"}}, InvalidRequest),
    ],
)
def test_errors(last: dict[str, Any], kind: type[GatewayError]) -> None:
    """An error in the stream is raised by its code, with the provider's words."""
    with pytest.raises(kind) as raised:
        read(sse(CREATED, last))
    assert raised.value.message == "slow"


def test_error_without_a_type() -> None:
    """Some send an error object alone."""
    with pytest.raises(UpstreamError):
        read(b'data: {"error":{"message":"slow"}}\n\n')


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"type":5}',
        b'{"type":"response.output_text.delta","delta":5}',
        b'{"type":"response.output_item.added"}',
        b'{"type":"response.output_item.done","item":{"type":"message","content":5}}',
        b'{"type":"response.function_call_arguments.delta","delta":"x"}',
        b'{"type":"response.completed","response":5}',
    ],
)
def test_malformed(data: bytes) -> None:
    """What cannot be read is the provider's failure."""
    with pytest.raises(UpstreamError):
        read(b"data: " + data + b"\n\n")


def test_unknown_events_are_passed_over() -> None:
    """Events of other kinds may have any shape."""
    found: list[Event] = read(b'data: {"type":"response.new","delta":{"a":1}}\n\n' + sse(ended()))
    assert isinstance(found[-1], End)
