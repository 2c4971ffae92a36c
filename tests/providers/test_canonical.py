"""The canonical middle: what is left out, how much to think, tokens on their way, events and answers."""

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import Raw

from providers.canonical.answer import (
    Answer,
    AnswerPart,
    Begin,
    Break,
    Choice,
    Cited,
    Counted,
    End,
    Event,
    Finish,
    Logprobs,
    MediaPart,
    NativePart,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
)
from providers.canonical.decode import decoded, given as present, members, others, utf8
from providers.canonical.fold import fold, unfold
from providers.canonical.notes import Notes
from providers.canonical.request import (
    Citation,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from providers.canonical.thinking import BUDGETS, budget, effort
from providers.canonical.tokens import DIALECTS, Token, seal, unseal
from schemas.errors import InvalidRequest, UpstreamError
from schemas.usage import Usage

WORDS = st.text(max_size=8)


def test_harmless_losses_are_named_once() -> None:
    """In the caller's words and in order; nobody is stopped by them."""
    notes = Notes("anthropic", {"stop": "stop_sequences"})
    for field in ("seed", "stop", "seed"):
        notes.harmless(field)
    assert notes.dropped == ("seed", "stop_sequences")


def test_losses_that_change_the_meaning() -> None:
    """They are refused with the caller's name, the reason and the way out, or dropped if that may be."""
    names = {"n": "candidateCount"}
    with pytest.raises(InvalidRequest) as caught:
        Notes("anthropic", names).meaningful("n", "it gives one answer")
    assert caught.value.param == "candidateCount"
    for word in ("`candidateCount`", "it gives one answer", "sluice-drop-params: true"):
        assert word in caught.value.message
    with pytest.raises(InvalidRequest, match="its API, anthropic, has nothing like it"):
        Notes("anthropic", names).meaningful("n")
    notes = Notes("anthropic", names, drop=True)
    notes.meaningful("n")
    assert notes.dropped == ("candidateCount",)


@pytest.mark.parametrize("word", BUDGETS)
def test_efforts_and_budgets(word: str) -> None:
    """An effort is told as a budget and comes back as the same effort."""
    assert effort(budget(word)) == word


@pytest.mark.parametrize(
    ("tokens", "word"),
    [
        (-1, "medium"),
        (0, "none"),
        (1, "minimal"),
        (4095, "minimal"),
        (10_000, "medium"),
        (10**9, "max"),
    ],
)
def test_budgets_between_efforts(tokens: int, word: str) -> None:
    """A budget is the highest effort that it covers; the model's own choice is the middle."""
    assert effort(tokens) == word


def test_an_effort_that_nobody_knows() -> None:
    """It is as much as the middle one."""
    assert budget("heroic") == budget("medium")


@given(
    st.sampled_from(sorted(DIALECTS)),
    st.sampled_from(sorted(DIALECTS)),
    st.text(),
    st.none() | st.text(st.characters(exclude_characters=":"), min_size=1),
)
def test_tokens_travel(origin: str, through: str, token: str, token_id: str | None) -> None:
    """Through a caller of any dialect; in its own it is bare, and its id is in a field of its own."""
    sealed = seal(Token(origin, token, token_id), through)
    if origin == through:
        assert sealed == token
    else:
        assert unseal(sealed, through) == Token(origin, token, token_id)


@given(st.text())
def test_tokens_of_its_own(text: str) -> None:
    """What we did not seal is the dialect's own, whatever it looks like."""
    if text.partition(":")[0] not in DIALECTS:
        assert unseal(text, "anthropic") == Token("anthropic", text)


USAGE = Usage(3, 2)
CITATION = Citation("u", "t")
LOGPROBS = Raw(b'{"content":[{"token":"a"}]}')
PICTURE = Media("image", data="AA", media_type="image/png")
NATIVE = Native("anthropic", "server_tool_use", Raw(b"{}"))
PARTS: list[AnswerPart] = [
    Reasoning("thought", token="s", origin="anthropic"),
    Reasoning("", token="d", origin="anthropic", redacted=True),
    Reasoning("summary", True, "e", "openai_responses", "rs"),
    Text("one", citations=(CITATION,)),
    Text("two"),
    ToolCall("c1", "f", '{"a":1}', token="g", item_id="fc"),
    ToolCall("c2", "g", "free", custom=True),
    Refusal("no"),
    PICTURE,
    NATIVE,
    Text("three"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.integers(1, 3))
def test_an_answer_is_its_events(parts: list[AnswerPart], choices: int) -> None:
    """Unfolded and folded again it is the same, part by part and choice by choice."""
    answer = Answer(
        "a",
        "m",
        tuple(
            Choice(index, tuple(parts), Finish("stop", "end", "x"), LOGPROBS)
            for index in range(choices)
        ),
        USAGE,
        "flex",
        7,
    )
    assert fold(unfold(answer)) == answer


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([TextDelta("a"), TextDelta("b")], [Text("ab")]),
        ([TextDelta("a"), Break(), TextDelta("b")], [Text("a"), Text("b")]),
        ([TextDelta("a"), Cited(CITATION), TextDelta("b")], [Text("ab", citations=(CITATION,))]),
        ([TextDelta("a"), Break(), Cited(CITATION)], [Text("a", citations=(CITATION,))]),
        ([Cited(CITATION), TextDelta("a")], [Text("a", citations=(CITATION,))]),
        ([ReasoningDelta("a"), TextDelta("b")], [Reasoning("a"), Text("b")]),
        ([ReasoningDelta("a"), ReasoningDelta("b")], [Reasoning("ab")]),
        (
            [ReasoningDelta("a"), ReasoningDelta("b", summary=True)],
            [Reasoning("a"), Reasoning("b", True)],
        ),
        (
            [ReasoningDelta("a"), ReasoningEnd("s", "gemini"), ReasoningDelta("b")],
            [Reasoning("a", token="s", origin="gemini"), Reasoning("b")],
        ),
        (
            [TextDelta("a"), ReasoningEnd("s", "gemini")],
            [Text("a"), Reasoning(token="s", origin="gemini")],
        ),
        ([RefusalDelta("a"), RefusalDelta("b")], [Refusal("ab")]),
        (
            [
                ToolCallBegin(0, "c1", "f"),
                ToolCallBegin(1, "c2", "g"),
                ToolCallDelta(0, "{"),
                ToolCallDelta(1, "x"),
                ToolCallDelta(0, "}"),
            ],
            [ToolCall("c1", "f", "{}"), ToolCall("c2", "g", "x")],
        ),
        ([TextDelta("a"), MediaPart(PICTURE), NativePart(NATIVE)], [Text("a"), PICTURE, NATIVE]),
        ([], []),
    ],
)
def test_where_parts_begin(events: list[Event], parts: list[AnswerPart]) -> None:
    """Where the kind of piece changes, at a break, with each call, and where thoughts get their token."""
    (choice,) = fold([Begin("a", "m"), *events, End(Finish("stop"))]).choices
    assert list(choice.parts) == parts


def test_counts_and_log_probabilities_add_up() -> None:
    """The last counts count, a tier stays; log probabilities are one list."""
    answer = fold(
        [
            Counted(Usage(1, 1), "flex"),
            TextDelta("a", 1),
            Logprobs(Raw(b'{"content":[1],"refusal":null}'), 1),
            Logprobs(Raw(b'{"content":[2]}'), 1),
            Counted(USAGE),
        ]
    )
    assert (answer.usage, answer.service_tier) == (USAGE, "flex")
    (choice,) = answer.choices
    assert choice.index == 1
    assert choice.logprobs is not None
    assert msgspec.json.decode(choice.logprobs) == {"content": [1, 2], "refusal": []}
    with pytest.raises(UpstreamError):
        fold([Logprobs(Raw(b"[1]"))])


class _Shape(msgspec.Struct):
    name: str


_shape = msgspec.json.Decoder(_Shape)


@pytest.mark.parametrize(
    ("raw", "where", "param"),
    [
        (b'{"name":1}', "tools[0]", "tools[0].name"),
        (b'{"name":1}', "", "name"),
        (b"{}", "", "name"),
        (b"{}", "tools[0]", "tools[0]"),
        (b"[]", "tools[0]", "tools[0]"),
        (b"{", "tools[0]", None),
        (b'{"x":' + b"[" * 99_999, "tools[0]", None),
    ],
)
def test_mistakes_have_a_place(raw: bytes, where: str, param: str | None) -> None:
    """What cannot be read is named from the body's top on."""
    with pytest.raises(InvalidRequest) as caught:
        decoded(_shape, raw, where)
    assert caught.value.param == param


def test_members() -> None:
    """Unknown ones under their dotted names; a null is not there; a body is UTF-8."""
    found = members.decode(b'{"a":1,"b":null,"c":"x"}')
    assert list(others(found, frozenset({"a"}), "top.")) == ["top.c"]
    assert others(found, frozenset({"a", "b", "c"})) == {}
    assert present(found["b"]) is None
    assert present(None) is None
    assert present(found["a"]) == Raw(b"1")
    assert utf8("ä".encode()) == "ä".encode()
    with pytest.raises(InvalidRequest, match="byte 1"):
        utf8(b"a\xff")
