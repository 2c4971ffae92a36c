"""What the gateway keeps of what is said: by a table of features, and on all recorded traffic."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from providers.base import Target
from providers.canonical.answer import Answer
from providers.canonical.request import Reasoning, Refusal, Text, ToolCall
from providers.dialogue import CLIENTS, UPSTREAMS, converse
from providers.translated import Translated
from schemas.errors import InvalidRequest
from schemas.replies import Completed, Failed
from schemas.requests import Dialect, Request
from tests.providers import fidelity
from tests.providers.pairs import SPOKEN, chat, parse, read, read_stream, render, target
from tests.providers.support import fold, whole
from tests.recordings import Recording

Row = tuple[Dialect, Recording]


def test_nothing_is_lost_in_silence() -> None:
    """Of every feature that a caller can ask for, each provider is told, or the caller is told that it
    is not."""
    lost = [
        (feature.name, caller, provider)
        for feature in fidelity.REQUESTS
        for caller in SPOKEN
        for provider in SPOKEN
        if fidelity.measure(feature, caller, provider) == "LOST"
    ]
    assert lost == []


def test_sealed_thoughts_go_back() -> None:
    """What a provider signed or encrypted comes back to it as it was with the next turn of a caller of any
    other dialect."""
    ways = {
        (provider, caller): fidelity.measure_return(provider, caller)
        for provider in SPOKEN
        for caller in SPOKEN
        if caller != provider
    }
    assert set(ways.values()) == {"mapped"}, ways


@pytest.mark.parametrize("provider", [each for each in SPOKEN if each != "anthropic"])
def test_tools_of_other_servers_are_not_lost_in_silence(provider: Dialect) -> None:
    """Tools of MCP servers are Anthropic's to call: elsewhere a request that gives them is refused, unless
    its caller lets them be dropped."""
    body = (
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],'
        b'"mcp_servers":[{"type":"url","url":"https://x.example","name":"x"}]}'
    )
    asked = parse(body, "anthropic")
    with pytest.raises(InvalidRequest) as caught:
        render(asked, provider)
    assert caught.value.param == "mcp_servers"
    assert "mcp_servers" in render(asked, provider, drop=True)[1]


def test_the_page_says_what_is_measured() -> None:
    """docs/fidelity.md is current: `python -m tests.providers.fidelity` writes it."""
    assert fidelity.PAGE.read_text() == fidelity.page()


@pytest.fixture(scope="module")
def rows(shared_dir: Path) -> list[Row]:
    found = list(fidelity.rows(shared_dir))
    assert len(found) >= 600
    assert {dialect for dialect, _ in found} == set(SPOKEN)
    return found


def place(dialect: Dialect, model: str) -> Target:
    """A provider of that dialect which takes no option for counts in streams."""
    found = target(dialect)
    route = replace(found.endpoint.routes[dialect], stream_usage=False)
    return Target(replace(found.endpoint, routes={str(dialect): route}), model)


def asked(dialect: Dialect, recording: Recording) -> Request:
    body = msgspec.json.encode(recording.request)
    model = None if dialect != "gemini" else model_of(recording)
    stream = None if dialect != "gemini" else "stream" in recording.url
    return Request(request_id="r", body=body, dialect=dialect, model=model, stream=stream)


def model_of(recording: Recording) -> str:
    named = recording.request.get("model")
    return named or recording.url.rpartition("/models/")[2].partition(":")[0]


def test_straight_through(rows: list[Row]) -> None:
    """In its own dialect every recorded request reaches the provider as it was, and its answer, or its
    error, the caller: byte for byte."""
    for dialect, recording in rows:
        dialogue = converse(asked(dialect, recording), place(dialect, model_of(recording)))
        sent = msgspec.json.decode(dialogue.sent.body)  # type: ignore[union-attr]
        assert sent == recording.request, recording.key
        body = recording.body()
        if recording.status != 200:
            failed = dialogue.failure(recording.status, recording.headers, body)  # type: ignore[union-attr]
            assert (failed.status, failed.body) == (recording.status, body), recording.key
            continue
        decoder = dialogue.decoder(recording.content_type)  # type: ignore[union-attr]
        chunks, end = fold(decoder, [body])
        if isinstance(end, Failed):
            assert b'"error":{' in body, recording.key
        else:
            assert whole(chunks, end) == body, recording.key


def hello(caller: Dialect, recording: Recording) -> Request:
    """A request that gets the recorded answer."""
    body: dict[str, Any] = {"model": "m", "stream": recording.streamed}
    greeting = [{"role": "user", "content": "hi"}]
    match caller:
        case "openai_chat":
            body |= {"messages": greeting}
            if recording.streamed:
                body["stream_options"] = {"include_usage": True}
        case "openai_responses":
            body |= {"input": greeting}
        case "anthropic":
            body |= {"messages": greeting, "max_tokens": 9}
        case _:
            body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    return Request(
        request_id="r",
        body=msgspec.json.encode(body),
        dialect=caller,
        model="m",
        stream=recording.streamed,
    )


def meaning(answer: Answer) -> list[object]:
    """Text, calls with their arguments, thoughts, reason and counts."""
    found: list[object] = []
    for choice in answer.choices:
        parts = choice.parts
        found += [
            "".join(part.text for part in parts if isinstance(part, Text | Refusal)),
            "".join("".join(part.text.split()) for part in parts if isinstance(part, Reasoning)),
            [(part.name, arguments(part)) for part in parts if isinstance(part, ToolCall)],
            choice.finish and choice.finish.reason,
        ]
    return found


def arguments(call: ToolCall) -> object:
    if call.custom:
        return call.arguments
    return msgspec.json.decode(call.arguments) if call.arguments else {}


def counts(answer: Answer) -> tuple[int, ...] | None:
    usage = answer.usage
    if usage is None:
        return None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
    )


def consistent(answer: Answer) -> bool:
    """Whether what was read from a cache and written to one is of the input; OpenRouter once counted
    tokens as both, which a dialect that counts them apart cannot say."""
    usage = answer.usage
    if usage is None:
        return True
    return usage.cached_input_tokens + usage.cache_creation_input_tokens <= usage.input_tokens


@pytest.mark.parametrize("caller", SPOKEN)
def test_through_every_other_dialect(rows: list[Row], caller: Dialect) -> None:
    """Every recorded answer means the same to a caller of another dialect: text, calls and their
    arguments, thoughts, the reason for its end, and what it used."""
    seen = 0
    for dialect, recording in rows:
        if dialect == caller or (answer := fidelity.answer_of(dialect, recording)) is None:
            continue
        dialogue = Translated(
            hello(caller, recording), target(dialect), CLIENTS[caller], UPSTREAMS[dialect], dialect
        )
        chunks, end = fold(dialogue.decoder(recording.content_type), [recording.body()])
        assert isinstance(end, Completed), recording.key
        body = b"".join(chunk.data for chunk in chunks) + end.data
        if recording.streamed:
            told = read_stream(body, caller, chat(caller, stream=True))
        else:
            told = read(body, caller)
        assert meaning(told) == meaning(answer), recording.key
        if consistent(answer):
            assert counts(told) == counts(answer), recording.key
        seen += 1
    assert seen >= 250


def test_errors_in_every_dialect(rows: list[Row]) -> None:
    """Every recorded error keeps its status and its words in every other caller's dialect."""
    errors = [row for row in rows if row[1].status >= 400]
    assert len(errors) >= 10
    for dialect, recording in errors:
        for caller in SPOKEN:
            if caller == dialect:
                continue
            dialogue = Translated(
                hello(caller, recording),
                target(dialect),
                CLIENTS[caller],
                UPSTREAMS[dialect],
                dialect,
            )
            failed = dialogue.failure(recording.status, recording.headers, recording.body())
            assert failed.status == recording.status
            told = msgspec.json.decode(failed.body or b"")["error"]
            assert told["message"] == failed.error.message, recording.key
            assert (
                told["message"] in str(recording.response).replace("\\n", "\n") or told["message"]
            )
