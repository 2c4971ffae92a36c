"""The middle to a provider's request and back: the identity on what the dialect carries; and answers
to a caller and back."""

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec import Raw
from msgspec.structs import replace

from providers.canonical.answer import Answer, Choice, Finish
from providers.canonical.fold import fold, unfold
from providers.canonical.request import (
    ChatRequest,
    Citation,
    Format,
    Function,
    Media,
    Native,
    NativeTool,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from providers.dialects.anthropic.parse import NAMES
from schemas.usage import Usage
from tests.providers import canonical_strategies as made
from tests.providers.dialects.anthropic.support import (
    CLIENT,
    UPSTREAM,
    context,
    events_of,
    parsed,
    sent,
    written,
)

MODEL = "claude-opus-4-6"  # thinks in both ways, samples, and knows schemas
CACHES = st.none() | st.just(Raw(b'{"type":"ephemeral"}'))
# Texts of white space alone say nothing and are refused.
TEXTS = made.TEXTS.filter(str.strip)
CITATIONS = st.just(
    Citation(
        "https://a.example",
        "A",
        "cited",
        dialect="anthropic",
        raw=Raw(
            b'{"type":"web_search_result_location","url":"https://a.example","title":"A",'
            b'"cited_text":"cited","encrypted_index":"x"}'
        ),
    )
)
PLAIN = st.builds(Text, TEXTS, CACHES)
SPOKEN = st.builds(Text, TEXTS, CACHES, st.lists(CITATIONS, max_size=2).map(tuple))
DOCUMENTS = st.builds(
    Media, kind=st.just("document"), text=TEXTS, media_type=st.just("text/plain"), cache=CACHES
) | st.builds(
    Media,
    kind=st.just("document"),
    data=made.BASE64,
    media_type=st.just("application/pdf"),
    name=st.none() | made.NAMES,
    extra=st.sampled_from([{}, {"citations": Raw(b'{"enabled":true}')}]),
)
FILES = st.builds(Media, kind=st.sampled_from(["image", "document"]), file_id=st.just("file_01"))
SHOWN = PLAIN | made.IMAGES | DOCUMENTS | FILES
TOKENS = st.text("abcdefAB+/=", min_size=1, max_size=8)
THOUGHTS = st.builds(
    Reasoning, text=made.TEXTS, token=TOKENS, origin=st.just("anthropic")
) | st.builds(Reasoning, token=TOKENS, origin=st.just("anthropic"), redacted=st.just(True))
NATIVES = st.just(
    Native(
        "anthropic",
        "server_tool_use",
        Raw(b'{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}}'),
    )
)
IDS = made.IDS | made.TEXTS  # also those that must be coded


@st.composite
def rounds(draw: st.DrawFn) -> tuple[Turn, ...]:
    """What the assistant thinks, says and calls, and what its tools give."""
    ids = draw(st.lists(IDS, unique=True, max_size=3))
    calls = tuple(
        ToolCall(
            name, draw(made.NAMES), draw(made.ARGUMENTS | st.just("{broken")), cache=draw(CACHES)
        )
        for name in ids
    )
    before = tuple(draw(st.lists(THOUGHTS, max_size=2)))
    words = tuple(
        draw(st.lists(SPOKEN | NATIVES, min_size=0 if calls or before else 1, max_size=2))
    )
    results = tuple(
        Turn(
            "tool",
            (
                ToolResult(
                    name,
                    tuple(draw(st.lists(SHOWN, max_size=2))),
                    is_error=draw(st.booleans()),
                    cache=draw(CACHES),
                ),
            ),
        )
        for name in ids
    )
    return (Turn("assistant", (*before, *words, *calls)), *results)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    if draw(st.booleans()):
        turns.append(Turn("system", tuple(draw(st.lists(PLAIN, min_size=1, max_size=2)))))
    turns.append(Turn("user", tuple(draw(st.lists(SHOWN, min_size=1, max_size=2)))))
    for _ in range(draw(st.integers(0, 2))):
        turns.extend(draw(rounds()))
        turns.append(Turn("user", tuple(draw(st.lists(SHOWN, min_size=1, max_size=2)))))
    return tuple(turns)


FUNCTIONS = st.builds(
    Function,
    name=made.NAMES,
    description=st.none() | made.TEXTS,
    parameters=made.SCHEMAS,
    strict=st.sampled_from([None, True]),
    cache=CACHES,
    extra=st.sampled_from([{}, {"defer_loading": Raw(b"true")}]),
)
SEARCHES = st.builds(
    WebSearch,
    allowed_domains=st.sampled_from([(), ("a.example",)]),
    max_uses=st.none() | st.integers(1, 5),
    user_location=st.none() | st.just(Raw(b'{"type":"approximate","city":"Rome"}')),
)
OWN_TOOLS = st.just(NativeTool("anthropic", "memory_20250818", Raw(b'{"type":"memory_20250818"}')))
TOOLS = st.lists(FUNCTIONS | SEARCHES | OWN_TOOLS, max_size=3, unique_by=repr).map(tuple)
# Within the limit of tokens and with nothing that thinking rules out.
THINKING = st.sampled_from(
    [
        None,
        Thinking(enabled=False),
        Thinking(enabled=True, adaptive=True),
        Thinking(enabled=True, adaptive=True, effort="low", visible=False),
        Thinking(enabled=True, adaptive=True, effort="max", visible=True),
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    turns = draw(conversations())
    tools = draw(TOOLS)
    called = any(isinstance(part, ToolCall) for turn in turns for part in turn.parts)
    if called and not tools:
        tools = (draw(FUNCTIONS),)  # such a conversation must define some
    choice = parallel = None
    if tools:
        choice = draw(made.tool_choices(tools) | st.just(ToolChoice("auto")))
        parallel = draw(st.sampled_from([None, True, False]))
    if choice is None and parallel is not None:
        choice = ToolChoice("auto")  # the API has no other place for it
    if choice == ToolChoice("none"):
        parallel = None
    thinking = draw(THINKING)
    samples = thinking is None or thinking.enabled is False
    return ChatRequest(
        dialect="anthropic",
        model=MODEL,
        turns=turns,
        stream=draw(st.booleans()),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        format=draw(
            st.none()
            | st.builds(Format, kind=st.just("schema"), schema=made.SCHEMAS, strict=st.just(True))
        ),
        thinking=thinking,
        max_tokens=draw(st.integers(1, 9000)),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])) if samples else None,
        top_k=draw(st.none() | st.integers(1, 50)) if samples else None,
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        user=draw(st.none() | made.NAMES),
        service_tier=draw(st.sampled_from([None, "auto", "standard_only"])),
        extra=draw(st.sampled_from([{}, {"container": Raw(b'"c"')}])),
        names=NAMES,
    )


@settings(max_examples=80)
@given(requests())
def test_requests_are_the_same_again(chat: ChatRequest) -> None:
    """What is asked of a provider is what a caller of the dialect would have asked, and nothing is
    left out."""
    body, dropped = sent(chat, MODEL)
    assert dropped == ()
    assert parsed(body) == chat


@given(st.integers(1024, 8000), st.integers(1, 5))
def test_a_budget_is_the_same_again(budget: int, more: int) -> None:
    """A caller's budget stays to the token, and so does a limit above it."""
    thinking = Thinking(enabled=True, budget=budget)
    chat = replace(parsed(), thinking=thinking, max_tokens=budget + more)
    again = parsed(sent(chat, MODEL)[0])
    assert (again.thinking, again.max_tokens) == (thinking, budget + more)


COUNTS = st.builds(
    lambda fresh, cached, written, out, thought: Usage(
        fresh + cached + written,
        out + thought,
        cached,
        written,
        thought,
        {"server_tool_use.web_search_requests": cached},
    ),
    *[st.integers(0, 1000) for _ in range(5)],
)
ANSWERED = st.builds(
    Choice,
    index=st.just(0),
    parts=st.lists(
        THOUGHTS
        | NATIVES
        | st.builds(Text, TEXTS, citations=st.lists(CITATIONS, max_size=2).map(tuple))
        | st.builds(ToolCall, id=made.IDS, name=made.NAMES, arguments=made.ARGUMENTS),
        max_size=5,
    ).map(tuple),
    finish=st.sampled_from(
        [
            Finish("stop", "end_turn"),
            Finish("stop", "stop_sequence", "x"),
            Finish("length", "max_tokens"),
            Finish("tool_calls", "tool_use"),
            Finish("content_filter", "refusal"),
        ]
    ),
)


@given(ANSWERED, COUNTS)
def test_answers_are_the_same_again(choice: Choice, usage: Usage) -> None:
    """What a caller gets, whole or as a stream, a provider of the dialect could have said: it reads as
    it was, and as history it is what was said."""
    answer = Answer("msg_r-1", "m", (choice,), usage, "standard")
    message = CLIENT.answer(answer, context())
    assert UPSTREAM.answer(message) == answer
    assert fold(events_of(written(unfold(answer)))).choices == answer.choices
    assert fold(events_of(written(unfold(answer)))).usage == usage
    if choice.parts:
        history = b'{"model":"m","messages":[{"role":"assistant","content":%b}]}'
        content = msgspec.json.decode(message, type=dict[str, Raw])["content"]
        (turn,) = parsed(history % bytes(content)).turns
        assert turn.parts == choice.parts
