"""From one dialect to another and back, on made-up requests and answers: what the other can carry comes
back as it was."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Raw

from providers.canonical.answer import Answer, Choice, Finish
from providers.canonical.fold import unfold
from providers.canonical.request import (
    ChatRequest,
    Format,
    Function,
    Media,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from schemas.requests import Dialect
from schemas.usage import Usage
from tests.providers import canonical_strategies as made
from tests.providers.pairs import (
    OTHERS,
    SPOKEN,
    chat,
    parse,
    plain,
    read,
    read_stream,
    render,
    streamed,
    told,
)

NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MEDIA: dict[Dialect, SearchStrategy[Text | Media]] = {
    "openai_responses": made.PLAIN | made.IMAGES | made.DOCUMENTS,
    "anthropic": made.PLAIN | made.IMAGES | made.DOCUMENTS,
    "gemini": made.PLAIN | made.IMAGES.filter(lambda image: image.data is not None),
}
NUMBERS: dict[str, SearchStrategy[Any]] = {
    "max_tokens": st.integers(1, 4096),
    "temperature": st.sampled_from([0.0, 0.25, 1.0]),
    "top_p": st.sampled_from([0.5, 0.95]),
    "seed": st.integers(0, 1000),
    "frequency_penalty": st.sampled_from([-0.5, 0.25]),
    "presence_penalty": st.sampled_from([-0.5, 0.25]),
    "stop": st.lists(made.NAMES, min_size=1, max_size=3).map(tuple),
    "parallel_tool_calls": st.booleans(),
    "verbosity": st.sampled_from(["low", "high"]),
    "user": made.NAMES,
    "prompt_cache_key": made.NAMES,
    "stream": st.booleans(),
}
# What each dialect can say of these.
CARRIED: dict[Dialect, set[str]] = {
    "openai_responses": {
        *("max_tokens", "temperature", "top_p", "verbosity", "user", "prompt_cache_key"),
        *("parallel_tool_calls", "stream"),
    },
    "anthropic": {"max_tokens", "temperature", "stop", "user", "stream"},
    "gemini": {
        *("max_tokens", "temperature", "top_p", "seed", "stop"),
        *("frequency_penalty", "presence_penalty"),
    },
}
FORMATS: dict[Dialect, SearchStrategy[Format]] = {
    "openai_responses": made.FORMATS,
    "anthropic": made.FORMATS.filter(lambda wanted: wanted.kind == "schema"),
    "gemini": made.FORMATS,
}
# What else of such a request may be left out, and must be named.
DROPPED: dict[Dialect, set[str]] = {
    "openai_responses": set(),
    "anthropic": set(),
    "gemini": {"tools.strict"},
}


@st.composite
def requests(draw: st.DrawFn, dialect: Dialect) -> ChatRequest:
    """A request as a caller of OpenAI chat makes it, of what `dialect` can carry."""
    turns = draw(made.conversations(MEDIA[dialect]))
    functions = st.lists(made.FUNCTIONS, max_size=3, unique_by=lambda tool: tool.name)
    tools = with_called(draw(functions), turns)
    said = draw(
        st.fixed_dictionaries({}, optional={name: NUMBERS[name] for name in CARRIED[dialect]})
    )
    if not tools:
        said.pop("parallel_tool_calls", None)
    return chat(
        turns=turns,
        tools=tools,
        tool_choice=draw(made.tool_choices(tools)),
        format=None if tools else draw(st.none() | FORMATS[dialect]),
        **said,
    )


def with_called(tools: Iterable[Function], turns: tuple[Turn, ...]) -> tuple[Function, ...]:
    """Some providers want to know the tools that a conversation has used."""
    known = {tool.name: tool for tool in tools}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolCall) and part.name not in known:
                known[part.name] = Function(part.name, parameters=NO_ARGUMENTS)
    return tuple(known.values())


def by_body(asked: ChatRequest) -> ChatRequest:
    """The same, as its caller's body says it."""
    return parse(render(asked, "openai_chat")[0], "openai_chat")


def meaning(turns: Iterable[Turn]) -> list[list[object]]:
    """What is said, without what dialects cannot tell apart: where a text or a turn was cut."""
    found: list[list[Any]] = []
    for turn in turns:
        role = "system" if turn.role == "developer" else turn.role
        for part in turn.parts:
            if blank(part):
                continue
            said = (role, *part_meaning(part))
            if said[1] == "text" and found and found[-1][:2] == [role, "text"]:
                found[-1].append(said[2])
            else:
                found.append(list(said))
    return [
        [*said[:2], "".join(map(str, said[2:]))] if said[1] == "text" else said for said in found
    ]


def blank(part: Part) -> bool:
    """White space alone says nothing, and some providers refuse it."""
    return isinstance(part, Text) and not part.text.strip()


def part_meaning(part: Part) -> tuple[object, ...]:
    match part:
        case Text():
            return ("text", part.text)
        case Media():
            return (part.kind, part.data, part.url, part.media_type)
        case ToolCall():
            return ("call", part.id, part.name, msgspec.json.decode(part.arguments), part.custom)
        case ToolResult():
            shown = [inner for inner in part.parts if not blank(inner)]
            return ("result", part.call_id, [part_meaning(inner) for inner in shown])
        case _:
            return (part,)


def tools_of(asked: ChatRequest) -> list[object]:
    return [
        (tool.name, tool.description or None, plain(tool.parameters))  # type: ignore[union-attr]
        for tool in asked.tools
    ]


def format_of(asked: ChatRequest) -> object:
    found = asked.format or Format("text")
    return found.kind, plain(found.schema)


@pytest.mark.parametrize("dialect", OTHERS)
def test_requests(dialect: Dialect) -> None:
    """chat → X → chat asks for the same: the conversation with its calls, results and media, tools and
    their choice, the format of the answer and every parameter that X has."""

    @QUICK
    @given(requests(dialect))
    def check(made_up: ChatRequest) -> None:
        asked = by_body(made_up)
        body, dropped = render(asked, dialect)
        again = parse(body, dialect, stream=asked.stream)
        assert meaning(again.turns) == meaning(asked.turns) == meaning(made_up.turns)
        assert tools_of(again) == tools_of(asked) == tools_of(made_up)
        if asked.tools:
            assert choice_of(again) == choice_of(asked) == choice_of(made_up)
        assert format_of(again) == format_of(asked)
        for name in CARRIED[dialect]:
            given_value = getattr(made_up, name)
            assert getattr(asked, name) == given_value, name
            assert given_value is None or getattr(again, name) == given_value, name
        assert set(dropped) <= DROPPED[dialect]

    check()


def choice_of(asked: ChatRequest) -> tuple[str, str | None]:
    choice = asked.tool_choice
    return ("auto", None) if choice is None else (choice.mode, choice.tool)


REASONS = st.sampled_from(["stop", "length", "content_filter"])


def usages(dialect: Dialect) -> SearchStrategy[Usage]:
    """Counts that fit together: those read from a cache or written to one are of the input."""
    writes = st.integers(0, 50) if dialect != "gemini" else st.just(0)
    counts = st.tuples(st.integers(0, 100), st.integers(0, 50), writes, st.integers(0, 50))
    return st.tuples(counts, st.integers(0, 100)).map(
        lambda given: Usage(
            given[0][0] + given[0][1] + given[0][2],
            given[1] + given[0][3],
            given[0][1],
            given[0][2],
            given[0][3],
        )
    )


@st.composite
def answers(draw: st.DrawFn, dialect: Dialect) -> Answer:
    """What a model may say: thoughts, text, calls, a reason and counts."""
    parts: list[Any] = []
    if draw(st.booleans()):
        origin = draw(st.sampled_from([each for each in SPOKEN if each != dialect]))
        token = draw(st.from_regex(r"[A-Za-z0-9+/]{8,16}={0,2}", fullmatch=True))
        parts.append(Reasoning(draw(made.TEXTS), token=token, origin=origin))
    if draw(st.booleans()):
        parts.append(draw(made.PLAIN))
    ids = draw(st.lists(made.IDS, unique=True, max_size=3))
    parts += [ToolCall(call_id, draw(made.NAMES), draw(made.ARGUMENTS)) for call_id in ids]
    parts = parts or [Text("x")]
    reason = "tool_calls" if isinstance(parts[-1], ToolCall) else draw(REASONS)
    return Answer("a-1", "m", (Choice(0, tuple(parts), Finish(reason)),), draw(usages(dialect)))


def said(answer: Answer) -> list[object]:
    """What an answer says. Tokens are another matter: to a provider's reader they are the provider's."""
    (choice,) = answer.choices
    assert choice.finish is not None
    return [
        *(
            ("thought", part.text) if isinstance(part, Reasoning) else part_meaning(part)
            for part in choice.parts
        ),
        choice.finish.reason,
    ]


def counts(answer: Answer) -> tuple[int, ...]:
    usage = answer.usage
    assert usage is not None
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_creation_input_tokens,
        usage.reasoning_tokens,
    )


@pytest.mark.parametrize("dialect", SPOKEN)
def test_answers(dialect: Dialect) -> None:
    """An answer told in a dialect and read again says the same, whole and as a stream: thoughts, text,
    calls with their arguments, the reason for its end and the counts."""
    asked = chat(dialect, stream=True, include_usage=True)

    @QUICK
    @given(answers(dialect))
    def check(answer: Answer) -> None:
        whole = read(told(answer, dialect, asked), dialect)
        cut = read_stream(streamed(unfold(answer), dialect, asked), dialect, asked)
        for again in (whole, cut):
            assert said(again) == said(answer)
            assert counts(again) == counts(answer)

    check()


def sent_back(dialect: Dialect, answer: dict[str, Any]) -> bytes:
    """The caller's next request: its SDK sends the answer back as it got it."""
    hi = "hi"
    match dialect:
        case "openai_chat":
            history: list[Any] = [{"role": "user", "content": hi}, answer["choices"][0]["message"]]
            return msgspec.json.encode({"model": "m", "messages": history})
        case "anthropic":
            history = [
                {"role": "user", "content": hi},
                {"role": "assistant", "content": answer["content"]},
            ]
            return msgspec.json.encode({"model": "m", "max_tokens": 9, "messages": history})
        case "openai_responses":
            history = [{"role": "user", "content": hi}, *answer["output"]]
            return msgspec.json.encode({"model": "m", "input": history})
        case _:
            history = [
                {"role": "user", "parts": [{"text": hi}]},
                answer["candidates"][0]["content"],
            ]
            return msgspec.json.encode({"contents": history})


@pytest.mark.parametrize("dialect", SPOKEN)
def test_thoughts_come_back_to_who_thought_them(dialect: Dialect) -> None:
    """A provider's signature travels through a caller of another dialect and back: what it signs and
    whose it is stay known."""
    asked = chat(dialect)

    @QUICK
    @given(answers(dialect))
    def check(answer: Answer) -> None:
        told_once = msgspec.json.decode(told(answer, dialect, asked))
        turns = parse(sent_back(dialect, told_once), dialect).turns
        again = [part for turn in turns for part in turn.parts if isinstance(part, Reasoning)]
        thoughts = [part for part in answer.choices[0].parts if isinstance(part, Reasoning)]
        assert [(part.text, part.token, part.origin) for part in again] == [
            (part.text, part.token, part.origin) for part in thoughts
        ]
        before = meaning([Turn("assistant", answer.choices[0].parts)])
        assert spoken(meaning(turns)) == spoken(before)

    check()


def spoken(found: list[list[object]]) -> list[list[object]]:
    """What the assistant said and called."""
    return [each for each in found if each[0] == "assistant" and each[1] in ("text", "call")]
