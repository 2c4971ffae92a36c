"""Responses to the middle and back: on recorded traffic, on made-up conversations, on any bytes."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec.structs import replace
from openai.types.responses import Response

from providers.canonical.answer import Answer, Choice, Finish
from providers.canonical.fold import fold, unfold
from providers.canonical.request import (
    ChatRequest,
    Citation,
    Custom,
    Media,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    WebSearch,
)
from providers.dialects.openai_responses.native import PassThrough
from providers.translated import Translated
from schemas.errors import GatewayError, InvalidRequest
from schemas.replies import Completed, Failed
from schemas.usage import Usage
from tests.providers import canonical_strategies as made
from tests.providers.dialects.openai_responses.support import (
    CLIENT,
    TARGET,
    UPSTREAM,
    context,
    events_of,
    parsed,
    read,
    recordings,
    rendered,
    request,
    written,
)
from tests.providers.support import fold as fold_replies
from tests.recordings import Recording

STATE = {"previous_response_id", "conversation"}


@pytest.fixture(scope="module")
def recorded(shared_dir: Path) -> list[Recording]:
    found = [row for row in recordings(shared_dir) if row.url.endswith("/responses")]
    return [row for row in found if not STATE & row.request.keys()]


def meaning(value: Any) -> Any:
    """Nulls, empty lists and what Responses add by themselves say nothing."""
    if isinstance(value, dict):
        kept = {
            name: meaning(found)
            for name, found in value.items()
            if name not in ("status", "obfuscation") and found not in (None, [], {})
        }
        if kept.get("type") == "message" and not isinstance(kept.get("content"), list):
            kept["content"] = [{"type": "input_text", "text": kept["content"]}]
        return kept
    return [meaning(found) for found in value] if isinstance(value, list) else value


def item_meaning(item: dict[str, Any]) -> Any:
    if "type" not in item:
        item = {"type": "message", **item}
    found = meaning(item)
    if found["type"] == "message" and found["role"] == "assistant":
        for part in found["content"]:
            part["type"] = part["type"].replace("input_text", "output_text")
    found.pop("namespace", None)  # named as dropped
    return found


def test_requests_keep_their_meaning(recorded: list[Recording]) -> None:
    """Every recorded request, read and written again, asks for the same."""
    seen = 0
    for recording in recorded:
        asked = recording.request
        found, dropped = rendered(parsed(msgspec.json.encode(asked)))
        assert set(dropped) <= {"input.namespace", "background", "tools.external_web_access"}
        given_items = asked["input"]
        if isinstance(given_items, str):
            given_items = [{"role": "user", "content": given_items}]
        items = [item_meaning(item) for item in found["input"]]
        flat = [part for item in given_items for part in [item_meaning(item)]]
        assert thoughts_joined(items) == thoughts_joined(flat), recording.key
        for name in asked.keys() - {"input", "model", "include", "store", "background", "tools"}:
            assert meaning(found.get(name)) == meaning(asked[name]), (recording.key, name)
        tools = [dict(tool) for tool in asked.get("tools", [])]
        for tool in tools:
            tool.pop("external_web_access", None)
        assert meaning(found.get("tools", [])) == meaning(tools), recording.key
        seen += 1
    assert seen >= 130


def thoughts_joined(items: list[Any]) -> list[Any]:
    """A summary and the thoughts themselves may stand in two items, its paragraphs in one."""
    found: list[Any] = []
    for item in items:
        if item["type"] != "reasoning":
            found.append(item)
            continue
        summary = "\n\n".join(part["text"] for part in item.get("summary", ()))
        text = "\n\n".join(part["text"] for part in item.get("content", ()))
        rest = {name: item[name] for name in item.keys() & {"id", "encrypted_content"}}
        found += [("summary", summary)] if summary else []
        found += [("text", text)] if text else []
        found += [rest] if rest else []
    return found


def streamed_response(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The last Response with the items as their own events had them: their encrypted content differs."""
    done = {e["output_index"]: e["item"] for e in events if e["type"].endswith("item.done")}
    response: dict[str, Any] = events[-1]["response"]
    output = [done.get(index, item) for index, item in enumerate(response["output"])]
    return {**response, "output": output}


def said(response: dict[str, Any]) -> Any:
    """What a Response says, without the ids that every writer makes. Items of the provider's own
    tools are whole at any time; their order among the others is not kept in a stream."""
    found: list[Any] = []
    natives: list[Any] = []
    for item in response["output"]:
        kind = item["type"]
        if kind == "message":
            for part in item["content"]:
                text = part.get("text", part.get("refusal"))
                found.append((kind, part["type"], text, meaning(part.get("annotations", []))))
        elif kind == "reasoning":
            summary = "\n\n".join(part["text"] for part in item["summary"])
            text = "\n\n".join(part["text"] for part in item.get("content") or ())
            found += [("summary", summary)] if summary else []
            found += [("thought", text)] if text else []
            found += [("token", token)] if (token := item.get("encrypted_content")) else []
        elif kind in ("function_call", "custom_tool_call"):
            found.append((kind, item["call_id"], item["name"], item.get("arguments")))
        else:
            natives.append(item)
    usage = response["usage"]
    details = usage.get("input_tokens_details") or {}
    return (
        found,
        sorted(natives, key=repr),
        {
            "input": usage["input_tokens"],
            "output": usage["output_tokens"],
            "total": usage.get("total_tokens", usage["input_tokens"] + usage["output_tokens"]),
            "cached": details.get("cached_tokens", 0),
            "reasoning": (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0),
        },
    )


def test_answers_keep_their_meaning(recorded: list[Recording]) -> None:
    """Every recorded answer, read and written again, says the same, is a Response to the official SDK,
    and is the same whether it came or goes out whole or as a stream."""
    seen = 0
    for recording in recorded:
        if recording.status != 200 or recording.request.get("background"):
            continue
        chat = parsed(msgspec.json.encode(recording.request))
        if recording.streamed:
            events = read(recording.body())
            original = streamed_response(events_of(recording.body()))
            whole = CLIENT.answer(fold(events), context(chat))
        else:
            answer = UPSTREAM.answer(recording.body())
            events = list(unfold(answer))
            original = recording.response
            whole = CLIENT.answer(answer, context(chat))
        streamed = events_of(written(events, chat))[-1]["response"]
        for found in (msgspec.json.decode(whole), streamed):
            assert said(found) == said(original), recording.key
            # "complete" stands in a recording that was written by hand.
            assert found["status"] in (original["status"], f"{original['status']}d")
            Response.model_validate(found, strict=True)
        assert said(msgspec.json.decode(whole)) == said(streamed)
        seen += 1
    assert seen >= 125


def test_streams_cut_at_every_byte(recorded: list[Recording]) -> None:
    """However a stream is cut in two, straight through or translated, the caller gets the same."""
    streams = [row for row in recorded if row.streamed]
    body = min((row.body() for row in streams), key=len)
    asked = request({"model": "gpt-5", "input": "hi", "stream": True})
    for dialogue in (
        PassThrough(asked, TARGET),
        Translated(asked, TARGET, CLIENT, UPSTREAM, "openai_responses"),
    ):
        expected = None
        for position in range(1, len(body)):
            decoder = dialogue.decoder("text/event-stream")
            chunks, end = fold_replies(decoder, [body[:position], body[position:]])
            assert isinstance(end, Completed)
            found = b"".join(chunk.data for chunk in chunks) + end.data
            expected = expected or found
            assert found == expected, position


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_line_ends_and_comments(recorded: list[Recording], line_end: bytes) -> None:
    """Other line ends, comments and data over several lines change nothing of what is said."""
    for recording in recorded:
        if not recording.streamed or recording.request.get("background"):
            continue
        body = recording.body()
        other = body.replace(b'data: {"type"', b': x\ndata: {\ndata: "type"').replace(
            b"\n", line_end
        )
        assert read(other) == read(body), recording.key


def test_truncated_streams_fail(recorded: list[Recording]) -> None:
    """A stream that ends anywhere before its terminal event is no answer."""
    body = min((row.body() for row in recorded if row.streamed), key=len)
    last = body.rindex(b"event: ")
    asked = request({"model": "gpt-5", "input": "hi", "stream": True})
    for position in range(0, last, 7):
        for dialogue in (
            PassThrough(asked, TARGET),
            Translated(asked, TARGET, CLIENT, UPSTREAM, "openai_responses"),
        ):
            _, end = fold_replies(dialogue.decoder("text/event-stream"), [body[:position]])
            assert isinstance(end, Failed)
            assert end.error.code == "stream_truncated"


REASONING = st.builds(
    Reasoning,
    text=made.TEXTS,
    summary=st.booleans(),
    token=made.BASE64,
    origin=st.just("openai_responses"),
    id=st.just("rs_1"),
) | st.builds(Reasoning, text=made.TEXTS, summary=st.just(True))
FOREIGN = st.builds(
    Reasoning,
    text=made.TEXTS | st.just(""),
    token=made.TEXTS,
    origin=st.sampled_from(["anthropic", "openai_chat", "gemini"]),
    id=st.none() | st.text("ab:%=&", min_size=1),
)
CUSTOMS = st.builds(Custom, name=made.NAMES, description=st.none() | made.TEXTS)
SEARCHES = st.builds(
    WebSearch,
    allowed_domains=st.sampled_from([(), ("a.example",)]),
    context_size=st.sampled_from([None, "low"]),
)


@st.composite
def turns(draw: st.DrawFn) -> tuple[Turn, ...]:
    """What every dialect carries, with thoughts and custom calls of this one."""
    found: list[Turn] = []
    for turn in draw(made.conversations(made.PLAIN | made.IMAGES | made.DOCUMENTS)):
        if turn.role == "assistant":
            thoughts = draw(st.lists(REASONING | FOREIGN, max_size=1))
            name = draw(st.sampled_from([None, "msg_1"]))
            spoken = any(isinstance(part, Text) for part in turn.parts)
            found.append(replace(turn, parts=(*thoughts, *turn.parts), id=name if spoken else None))
        else:
            found.append(turn)
    if draw(st.booleans()):
        call = ToolCall("call_custom", draw(made.NAMES), draw(made.TEXTS), True, item_id="ctc_1")
        signed = ToolCall("call:%=signed", "f", "{}", token=draw(made.TEXTS), item_id="fc_1")
        found.append(Turn("assistant", (call, signed)))
        found.append(Turn("tool", (ToolResult("call_custom", (Text("x"),), custom=True),)))
        found.append(Turn("tool", (ToolResult("call:%=signed", (Text("x"), Text("y"))),)))
    return tuple(found)


@st.composite
def chats(draw: st.DrawFn) -> ChatRequest:
    tools = tuple(draw(st.lists(made.FUNCTIONS | CUSTOMS | SEARCHES, max_size=2)))
    said_turns = draw(turns())
    names = dict(parsed().names)
    if said_turns[0].role == "system" and draw(st.booleans()):
        names["turns[0]"] = "instructions"
    summary = draw(st.sampled_from([None, "auto"]))
    return ChatRequest(
        dialect="openai_responses",
        model="gpt-5",
        turns=said_turns,
        stream=draw(st.booleans()),
        tools=tools,
        tool_choice=draw(made.tool_choices(tools)),
        parallel_tool_calls=draw(st.none() | st.booleans()),
        format=draw(st.none() | made.FORMATS),
        thinking=draw(
            st.none()
            | st.just(Thinking(effort="high", summary=summary, visible=True if summary else None))
        ),
        verbosity=draw(st.sampled_from([None, "low"])),
        max_tokens=draw(st.none() | st.integers(1, 9999)),
        temperature=draw(st.sampled_from([None, 0.0, 0.5])),
        top_p=draw(st.sampled_from([None, 0.25])),
        logprobs=draw(st.sampled_from([None, True])),
        top_logprobs=draw(st.sampled_from([None, 3])),
        user=draw(st.none() | made.TEXTS),
        service_tier=draw(st.sampled_from([None, "flex"])),
        metadata=draw(st.none() | made.raws(st.dictionaries(made.NAMES, made.TEXTS))),
        store=False,
        extra=draw(st.sampled_from([{}, {"truncation": msgspec.Raw(b'"auto"')}])),
        names=names,
    )


@settings(max_examples=60, deadline=None)
@given(chats())
def test_requests_survive(chat: ChatRequest) -> None:
    """What the middle holds of a request of this dialect is the same after writing and reading it."""
    found, dropped = rendered(chat)
    again = parsed(msgspec.json.encode(found))

    assert dropped == ()
    assert again == chat


ANSWER_PARTS: SearchStrategy[Any] = (
    made.PLAIN
    | made.TEXTS.map(Refusal)
    | REASONING
    | st.builds(ToolCall, made.IDS, made.NAMES, made.ARGUMENTS)
    | st.just(Media("image", data="AAEC", media_type="image/png"))
    | made.TEXTS.map(
        lambda text: Text(text, citations=(Citation("https://a.example", "A", start=0, end=1),))
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWER_PARTS, max_size=5), st.sampled_from(["stop", "length", "content_filter"]))
def test_answers_survive(parts: list[Any], reason: str) -> None:
    """An answer of the middle, written whole or as a stream and read again, says the same."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    if calls and reason == "stop":
        reason = "tool_calls"
    choice = Choice(0, tuple(parts), Finish(reason))
    usage = Usage(9, 7, 3, 2, 1, {"total_tokens": 40})
    answer = Answer("a", "gpt-5", (choice,), usage, "flex", 1)
    plain = UPSTREAM.answer(CLIENT.answer(answer, context()))
    streamed = fold(read(written(unfold(answer))))

    for found in (plain, streamed):
        assert found.usage == usage
        assert found.service_tier == "flex"
        assert shape(found.choices[0]) == shape(choice)


def shape(choice: Choice) -> Any:
    """The parts without ids; calls stand at the place where they began, unread summaries apart."""
    assert choice.finish is not None
    found = []
    for part in choice.parts:
        if isinstance(part, Reasoning):
            found.append((part.text, part.summary, part.token, part.origin))
        elif isinstance(part, ToolCall):
            found.append((part.id, part.name, part.arguments))
        elif isinstance(part, Text):
            found.append((part.text, [cited.url for cited in part.citations]))
        else:
            found.append(part)
    return found, choice.finish.reason


SNIPPETS = st.sampled_from(
    [
        b'{"type":"response.created","response":{"id":"r","output":[]}}',
        b'{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}',
        b'{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call"}}',
        b'{"type":"response.output_text.delta","delta":"x"}',
        b'{"type":"response.output_text.delta","delta":5}',
        b'{"type":"response.reasoning_text.delta","delta":"x","output_index":-1}',
        b'{"type":"response.function_call_arguments.delta","delta":"{","output_index":1}',
        b'{"type":"response.output_text.annotation.added","annotation":[]}',
        b'{"type":"response.output_item.done","item":{"type":"reasoning","content":5}}',
        b'{"type":"response.output_item.done","item":{"type":"message","content":[{}]}}',
        b'{"type":"response.output_item.done","item":null}',
        b'{"type":"response.completed","response":{"output":[{"type":"x"}],"usage":[]}}',
        b'{"type":"response.failed","response":{"error":5}}',
        b'{"type":"error","delta":[],"message":"m"}',
        b'{"error":"x"}',
        b"[DONE]",
        b"[]",
        b"{",
        b'"\xff"',
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "input",
                    "output",
                    "tools",
                    "id",
                    "call_id",
                    "name",
                ]
            ),
            inner
            | st.sampled_from(["message", "function_call", "reasoning", "input_image", "user"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(SNIPPETS | st.binary(max_size=20), max_size=8))
def test_no_stream_surprises(events: list[bytes]) -> None:
    """Whatever a provider streams, both decoders end with an outcome, never with another exception."""
    stream = b"".join(b"data: " + event + b"\n\n" for event in events)
    asked = request({"model": "gpt-5", "input": "hi", "stream": True})
    for dialogue in (
        PassThrough(asked, TARGET),
        Translated(asked, TARGET, CLIENT, UPSTREAM, "openai_responses"),
    ):
        _, end = fold_replies(dialogue.decoder("text/event-stream"), [stream])
        assert isinstance(end, Completed | Failed)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(["output", "usage", "status", "error", "id"]), JSON) | JSON)
def test_no_answer_surprises(value: Any) -> None:
    """Whatever a provider answers, both decoders end with an outcome."""
    asked = request({"model": "gpt-5", "input": "hi"})
    for dialogue in (
        PassThrough(asked, TARGET),
        Translated(asked, TARGET, CLIENT, UPSTREAM, "openai_responses"),
    ):
        body = msgspec.json.encode(value)
        _, end = fold_replies(dialogue.decoder("application/json"), [body])
        assert isinstance(end, Completed | Failed)


MEMBERS = st.sampled_from(
    ["input", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "instructions"]
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(MEMBERS, JSON, max_size=3) | st.binary(max_size=30))
def test_no_request_surprises(value: dict[str, Any] | bytes) -> None:
    """Whatever a caller sends is understood or refused as its mistake."""
    body = value if isinstance(value, bytes) else msgspec.json.encode({"model": "m", **value})
    with suppress(InvalidRequest):
        chat = CLIENT.parse(request(body))
        rendered(chat)
        assert events_of(written((), chat))[-1]["type"] == "response.completed"


def test_errors_are_gateway_errors() -> None:
    """A reader raises nothing but GatewayErrors on malformed events."""
    with pytest.raises(GatewayError):
        read(b"data: {\n\n")
