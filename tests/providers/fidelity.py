"""What every dialect can be told of what another one says: measured, not claimed.

`python -m tests.providers.fidelity` writes docs/fidelity.md anew.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.canonical.answer import Answer, AnswerPart, Choice, Finish
from providers.canonical.fold import unfold
from providers.canonical.request import (
    ChatRequest,
    Citation,
    Custom,
    Format,
    Function,
    Media,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    WebSearch,
)
from providers.dialogue import CLIENTS
from schemas.errors import GatewayError, InvalidRequest
from schemas.requests import Dialect
from schemas.usage import Usage
from tests.providers.pairs import (
    HELLO,
    SPOKEN,
    chat,
    context,
    parse,
    plain,
    read,
    read_stream,
    render,
    told,
)
from tests.recordings import Recording

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fidelity.md"
TITLES: dict[Dialect, str] = {
    "openai_chat": "OpenAI chat",
    "openai_responses": "OpenAI Responses",
    "anthropic": "Anthropic Messages",
    "gemini": "Gemini",
}
NOTHING = "-"


class Feature(Struct, frozen=True):
    """Something that a request can say. `seen` finds it in a request that says it."""

    name: str
    fields: dict[str, Any]
    seen: Callable[[ChatRequest], object]


def field(name: str, **fields: Any) -> Feature:
    """A field of the request, by its own value."""
    (key,) = fields
    return Feature(name, fields, lambda asked: getattr(asked, key))


def user(name: str, *parts: Any) -> Feature:
    """Something that a user shows."""

    def seen(asked: ChatRequest) -> object:
        found = [part for turn in asked.turns if turn.role == "user" for part in turn.parts]
        return [shown(part) for part in found]

    return Feature(name, {"turns": (Turn("user", parts),)}, seen)


def shown(part: Any) -> object:
    if isinstance(part, Text):
        return part.text
    if isinstance(part, Media):
        return (part.kind, part.data or part.url or part.file_id or part.text)
    return part


def parts_of(asked: ChatRequest, kind: type[Any]) -> list[Any]:
    found = [part for turn in asked.turns for part in turn.parts]
    inner = [each for part in found if isinstance(part, ToolResult) for each in part.parts]
    return [part for part in [*found, *inner] if isinstance(part, kind)]


PNG, PDF = "iVBORw0KGgo=", "JVBERi0="
IMAGE = Media("image", data=PNG, media_type="image/png")
CALL = ToolCall("call_abcd1234", "look", '{"at":"sky"}')
SCHEMA = Raw(
    b'{"type":"object","properties":{"at":{"type":"string"}},"required":["at"],'
    b'"additionalProperties":false}'
)
TOOL = Function("look", "Looks.", SCHEMA)
EPHEMERAL = Raw(b'{"type":"ephemeral"}')


def round_of(*results: Any, is_error: bool = False) -> tuple[Turn, ...]:
    """A call and what came of it."""
    result = ToolResult(CALL.id, results, is_error=is_error)
    return (*HELLO, Turn("assistant", (CALL,)), Turn("tool", (result,)))


def calls(asked: ChatRequest) -> object:
    return [
        (part.id, part.name, plain(Raw(part.arguments.encode())))
        for part in parts_of(asked, ToolCall)
    ]


def results(asked: ChatRequest) -> object:
    return [
        (part.call_id, [shown(each) for each in part.parts]) for part in parts_of(asked, ToolResult)
    ]


def tool_names(asked: ChatRequest) -> object:
    return [(type(tool).__name__, getattr(tool, "name", "")) for tool in asked.tools]


def schema(asked: ChatRequest) -> object:
    found = asked.format
    return found and (found.kind, plain(found.schema))


def with_tool(name: str, **fields: Any) -> Feature:
    (key,) = fields
    return Feature(name, {"tools": (TOOL,), **fields}, lambda asked: getattr(asked, key))


REQUESTS = (
    user("text", Text("hi")),
    Feature(
        "system prompt",
        {"turns": (Turn("system", (Text("be brief"),)), *HELLO)},
        lambda asked: [
            part.text
            for turn in asked.turns
            if turn.role in ("system", "developer")
            for part in turn.parts
            if isinstance(part, Text)
        ],
    ),
    user("image: data", Text("see"), IMAGE),
    user("image: URL", Text("see"), Media("image", url="https://x.example/a.png")),
    user("audio", Text("hear"), Media("audio", data=PNG, media_type="audio/wav")),
    user(
        "document: PDF",
        Text("read"),
        Media("document", data=PDF, media_type="application/pdf", name="a.pdf"),
    ),
    user("document: URL", Text("read"), Media("document", url="https://x.example/a.pdf")),
    Feature(
        "cache mark",
        {"turns": (Turn("user", (Text("hi", EPHEMERAL),)),)},
        lambda asked: [part.cache is not None for part in parts_of(asked, Text)],
    ),
    Feature("tools", {"tools": (TOOL,)}, tool_names),
    Feature(
        "tools: strict",
        {"tools": (Function("look", "Looks.", SCHEMA, True),)},
        lambda asked: [tool.strict for tool in asked.tools if isinstance(tool, Function)],
    ),
    Feature("tools: custom", {"tools": (Custom("note", "Notes."),)}, tool_names),
    Feature("web search", {"tools": (WebSearch(),)}, tool_names),
    with_tool("tool choice: any", tool_choice=ToolChoice("required")),
    with_tool("tool choice: one", tool_choice=ToolChoice("tool", "look")),
    with_tool("tool choice: none", tool_choice=ToolChoice("none")),
    with_tool("one call at a time", parallel_tool_calls=False),
    Feature(
        "calls and results",
        {"turns": round_of(Text("blue")), "tools": (TOOL,)},
        lambda asked: (calls(asked), results(asked)),
    ),
    Feature(
        "results: failed",
        {"turns": round_of(Text("no"), is_error=True), "tools": (TOOL,)},
        lambda asked: [part.is_error for part in parts_of(asked, ToolResult)],
    ),
    Feature(
        "results: image",
        {"turns": round_of(Text("see"), IMAGE), "tools": (TOOL,)},
        lambda asked: [shown(part) for part in parts_of(asked, Media)],
    ),
    Feature("JSON", {"format": Format("json")}, lambda asked: asked.format and asked.format.kind),
    Feature("JSON schema", {"format": Format("schema", "answer", SCHEMA, True)}, schema),
    Feature(
        "effort",
        {"thinking": Thinking(effort="high")},
        lambda asked: asked.thinking and asked.thinking.effort,
    ),
    Feature(
        "thinking budget",
        {"thinking": Thinking(True, budget=8192), "max_tokens": 20000},
        lambda asked: asked.thinking and (asked.thinking.budget or asked.thinking.effort),
    ),
    Feature(
        "no thinking",
        {"thinking": Thinking(False)},
        lambda asked: (
            asked.thinking and (asked.thinking.enabled is False or asked.thinking.effort == "none")
        ),
    ),
    field("max tokens", max_tokens=100),
    field("temperature", temperature=0.5),
    field("top p", top_p=0.5),
    field("top k", top_k=20),
    field("stop", stop=("END",)),
    field("seed", seed=7),
    field("frequency penalty", frequency_penalty=0.5),
    field("presence penalty", presence_penalty=0.5),
    field("log probabilities", logprobs=True),
    field("several answers", n=2),
    field("verbosity", verbosity="low"),
    field("service tier", service_tier="default"),
    field("user", user="u-1"),
    field("safety identifier", safety_identifier="s-1"),
    field("prompt cache key", prompt_cache_key="k-1"),
    Feature("metadata", {"metadata": Raw(b'{"a":"b"}')}, lambda asked: plain(asked.metadata)),
    Feature(
        "refusal before",
        {"turns": (*HELLO, Turn("assistant", (Refusal("no"),)), *HELLO)},
        lambda asked: [part.text for turn in asked.turns[1:2] for part in turn.parts],  # type: ignore[union-attr]
    ),
    Feature(
        "beginning of the answer",
        {"turns": (*HELLO, Turn("assistant", (Text("Well,"),)))},
        lambda asked: [
            (turn.role, [part.text for part in turn.parts if isinstance(part, Text)])
            for turn in asked.turns[1:]
        ],
    ),
    field("logit bias", logit_bias=Raw(b'{"5":-100}')),
    field("answer in sound", modalities=("text", "audio")),
    field("prediction", prediction=Raw(b'{"type":"content","content":"x"}')),
)


def measure(feature: Feature, caller: Dialect, provider: Dialect) -> str:
    """What becomes of a feature: `-` if a caller of that dialect cannot say it."""
    said = as_said(feature, caller)
    if said is None:
        return NOTHING
    if caller == provider:
        return "exact"
    try:
        body, dropped = render(said, provider)
    except InvalidRequest:
        return "refused"
    again = parse(body, provider)
    if feature.seen(again) == feature.seen(said):
        return "mapped"
    # Some is told in another way, which reading it as a caller's request does not undo.
    return "dropped" if set(dropped) - idle(caller, provider) else in_other_words(feature, body)


def idle(caller: Dialect, provider: Dialect) -> set[str]:
    """What is named as dropped of a mere greeting: of no feature it is a sign."""
    greeting = parse(render(chat(caller), caller)[0], caller)
    return set(render(greeting, provider)[1])


def as_said(feature: Feature, caller: Dialect) -> ChatRequest | None:
    """The request as a caller of that dialect makes it; None if it has no way to say that."""
    made = chat(caller, **feature.fields)
    if caller == "openai_chat" and feature.name in IMITATED:
        return parse(msgspec.json.encode({**GREETING, **IMITATED[feature.name]}), caller)
    try:
        body, _ = render(made, caller)
    except InvalidRequest:
        return None
    said = parse(body, caller)
    return said if feature.seen(said) == feature.seen(made) else None


# What callers of OpenAI's imitators say in this dialect, and what OpenAI itself wants said otherwise.
GREETING: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
IMITATED: dict[str, dict[str, Any]] = {
    "cache mark": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
            }
        ]
    },
    "document: URL": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "read"},
                    {"type": "file", "file": {"file_data": "https://x.example/a.pdf"}},
                ],
            }
        ]
    },
    "thinking budget": {"reasoning": {"max_tokens": 8192}, "max_tokens": 20000},
    "no thinking": {"reasoning": {"enabled": False}},
    "top k": {"top_k": 20},
    "metadata": {"metadata": {"a": "b"}},
}
LOGPROBS = Raw(
    b'{"content":[{"token":"hi","logprob":-0.5,"bytes":[104,105],'
    b'"top_logprobs":[{"token":"hi","logprob":-0.5,"bytes":[104,105]}]}],"refusal":null}'
)
# Features that a provider is told in other words, with a sign of them in its body.
WORDS = {
    "tools: custom": rb'"note"',
    "results: image": PNG.encode(),
    "thinking budget": rb'"(reasoning_effort|effort|thinkingLevel)":"',
    "effort": rb'"(budget_tokens|thinkingBudget)":',
    "no thinking": rb'"(disabled|none|minimal)"|"thinking(Level|Budget)":("low"|0)',
    "service tier": rb'"service_?[tT]ier":"',
    "user": rb"u-1",
    "safety identifier": rb"s-1",
    "system prompt": rb"be brief",
    "JSON": rb"JSON",
    "JSON schema": rb'"additionalProperties":false',
}


def in_other_words(feature: Feature, body: bytes) -> str:
    sign = WORDS.get(feature.name)
    return "mapped" if sign is not None and re.search(sign, body) else "LOST"


class Said(Struct, frozen=True):
    """Something that an answer can say. `seen` finds it."""

    name: str
    parts: tuple[AnswerPart, ...]
    seen: Callable[[Answer], object]
    finish: Finish = Finish("stop")
    usage: Usage = Usage(10, 5)
    logprobs: Raw | None = None

    def answer(self) -> Answer:
        choice = Choice(0, self.parts, self.finish, self.logprobs)
        return Answer("a-1", "m", (choice,), self.usage)


def of(
    kind: type[Any] | tuple[type[Any], ...], value: Callable[[Any], object]
) -> Callable[[Answer], object]:
    def seen(answer: Answer) -> object:
        return [
            value(part)
            for choice in answer.choices
            for part in choice.parts
            if isinstance(part, kind)
        ]

    return seen


def refused(answer: Answer) -> object:
    """As a refusal, as text where a dialect has nothing of its own, or as both."""
    (choice,) = answer.choices
    return any("no" in part.text for part in choice.parts if isinstance(part, Refusal | Text))


def reason(answer: Answer) -> object:
    return [choice.finish and choice.finish.reason for choice in answer.choices]


def probable(answer: Answer) -> object:
    """Each token with its log probability."""
    (choice,) = answer.choices
    if choice.logprobs is None:
        return None
    found: Any = msgspec.json.decode(choice.logprobs)
    return [(one["token"], one["logprob"]) for one in found["content"]]


def count(name: str) -> Callable[[Answer], object]:
    return lambda answer: answer.usage and getattr(answer.usage, name)


called = of(ToolCall, lambda part: (part.id, part.name, plain(Raw(part.arguments.encode()))))
MANY = Usage(100, 50, 40, 30, 20)
TEXT = (Text("hi"),)
ANSWERS = (
    Said("text", TEXT, of(Text, lambda part: part.text)),
    Said("thoughts", (Reasoning("hm"), *TEXT), of(Reasoning, lambda part: part.text)),
    Said(
        "refusal",
        (Refusal("no"),),
        refused,
        Finish("content_filter"),
    ),
    Said("call", (CALL,), called, Finish("tool_calls")),
    Said("calls at once", (CALL, ToolCall("call_2", "look", "{}")), called, Finish("tool_calls")),
    Said("image", (IMAGE,), of(Media, shown)),
    Said(
        "citation",
        (Text("hi", citations=(Citation("https://x.example", "X", start=0, end=2),)),),
        of(Text, lambda part: [cited.url for cited in part.citations]),
    ),
    Said("log probabilities", TEXT, probable, logprobs=LOGPROBS),
    Said("reason: stop", TEXT, reason),
    Said("reason: length", TEXT, reason, Finish("length")),
    Said("reason: tool calls", (CALL,), reason, Finish("tool_calls")),
    Said("reason: content filter", TEXT, reason, Finish("content_filter")),
    Said("tokens: input", TEXT, count("input_tokens"), usage=MANY),
    Said("tokens: output", TEXT, count("output_tokens"), usage=MANY),
    Said("tokens: cached", TEXT, count("cached_input_tokens"), usage=MANY),
    Said("tokens: cache writes", TEXT, count("cache_creation_input_tokens"), usage=MANY),
    Said("tokens: thoughts", TEXT, count("reasoning_tokens"), usage=MANY),
)


def measure_answer(said: Said, provider: Dialect, caller: Dialect) -> str:
    """What becomes of something that a provider says, whole and as a stream."""
    answer = said.answer()
    asked = chat(caller, stream=True, include_usage=True, logprobs=True if said.logprobs else None)
    spoken = read(told(answer, provider, chat(provider)), provider)
    if said.seen(spoken) != said.seen(answer):
        return NOTHING
    if caller == provider:
        return "exact"
    whole = read(told(spoken, caller, asked), caller)
    writer = CLIENTS[caller].writer(context(asked))
    cut = read_stream(writer.write(unfold(spoken)) + writer.end(), caller, asked)
    kept = [said.seen(each) == said.seen(spoken) for each in (whole, cut)]
    return "mapped" if all(kept) else "dropped"


# What a provider of each dialect gives to be sent back to it: parts of an answer, with a call in it.
# The token is what must come back.
SEALED: dict[Dialect, tuple[str, tuple[AnswerPart, ...]]] = {
    "openai_chat": ("hm", (Reasoning("hm", token="reasoning_content", origin="openai_chat"), CALL)),
    "openai_responses": (
        "ENCRYPTED",
        (Reasoning("hm", True, "ENCRYPTED", "openai_responses", "rs_1"), CALL),
    ),
    "anthropic": ("SIGNATURE", (Reasoning("hm", token="SIGNATURE", origin="anthropic"), CALL)),
    "gemini": ("U0VBTEVE", (replace(CALL, token="U0VBTEVE"),)),
}


def measure_return(provider: Dialect, caller: Dialect) -> str:
    """What becomes of a provider's sealed thoughts on the way to a caller and back in its next turn."""
    if caller == provider:
        return "exact"
    token, parts = SEALED[provider]
    answer = Answer("a-1", "m", (Choice(0, parts, Finish("tool_calls")),), Usage(10, 5))
    spoken = read(told(answer, provider, chat(provider)), provider)
    heard = msgspec.json.decode(told(spoken, caller, chat(caller)))
    again = parse(msgspec.json.encode(NEXT[caller](heard)), caller)
    body, dropped = render(again, provider)
    if dropped:
        return "dropped"
    return "mapped" if b'"%b"' % token.encode() in body else "LOST"


def next_chat(heard: Any) -> Any:
    """The next turn of a caller: it sends what it heard as it was, and the result of the call."""
    (choice,) = heard["choices"]
    (call,) = choice["message"]["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "blue"}
    return {"model": "m", "messages": [*GREETING["messages"], choice["message"], result]}


def next_responses(heard: Any) -> Any:
    (call,) = [item for item in heard["output"] if item["type"] == "function_call"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
    return {"model": "m", "input": [*GREETING["messages"], *heard["output"], result]}


def next_anthropic(heard: Any) -> Any:
    (call,) = [block for block in heard["content"] if block["type"] == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "blue"}
    said = [
        {"role": "assistant", "content": heard["content"]},
        {"role": "user", "content": [result]},
    ]
    return {"model": "m", "max_tokens": 9, "messages": [*GREETING["messages"], *said]}


def next_gemini(heard: Any) -> Any:
    content = heard["candidates"][0]["content"]
    (call,) = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    response = {"name": call["name"], "id": call["id"], "response": {"output": "blue"}}
    result = {"role": "user", "parts": [{"functionResponse": response}]}
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, content, result]}


NEXT: dict[Dialect, Callable[[Any], Any]] = {
    "openai_chat": next_chat,
    "openai_responses": next_responses,
    "anthropic": next_anthropic,
    "gemini": next_gemini,
}


def page() -> str:
    """docs/fidelity.md."""
    lines = [
        *("# Fidelity", ""),
        "What a caller of one dialect can say to a provider of another, and what it is told of the"
        " answer. `tests/providers/test_fidelity.py` measures it and fails if this page is not what it"
        " finds; `python -m tests.providers.fidelity` writes it anew.",
        "",
        "- **exact**: the bytes pass through, what nobody knows included.",
        "- **mapped**: said in the other dialect's own way.",
        "- **dropped**: left out, as the answer means the same without; the response header"
        " `sluice-dropped-params` names it. Of an answer: the caller's dialect has no place for it.",
        "- **refused**: it would change the meaning: a 400 names the field. With the header"
        " `sluice-drop-params: true`, or the setting, it is dropped.",
        f"- **{NOTHING}**: this dialect cannot say it.",
        "",
        "A vendor may take less than its dialect says: [providers](providers.md).",
    ]
    for caller in SPOKEN:
        lines += ["", f"## Requests of callers that speak {TITLES[caller]}", ""]
        lines += table(
            "a provider that speaks", REQUESTS, lambda each, to, me=caller: measure(each, me, to)
        )  # type: ignore[misc]
    for provider in SPOKEN:
        lines += ["", f"## Answers of providers that speak {TITLES[provider]}", ""]
        lines += table(
            "a caller that speaks",
            ANSWERS,
            lambda each, to, me=provider: measure_answer(each, me, to),
        )  # type: ignore[misc]
    lines += [
        *("", "## Thoughts that go back", ""),
        "What a provider signed or encrypted, a caller of any dialect gets in a field that it sends back"
        " with its next turn, and the provider gets it as it was.",
        "",
    ]
    lines += [f"| of a provider that speaks | {' | '.join(TITLES[each] for each in SPOKEN)} |"]
    lines += ["|---" * (len(SPOKEN) + 1) + "|"]
    for provider in SPOKEN:
        ways = [measure_return(provider, caller) for caller in SPOKEN]
        lines += [f"| {TITLES[provider]} | {' | '.join(ways)} |"]
    return "\n".join(lines) + "\n"


def table(title: str, rows: Any, measured: Callable[[Any, Dialect], str]) -> Iterator[str]:
    yield f"| {title} | {' | '.join(TITLES[each] for each in SPOKEN)} |"
    yield "|---" * (len(SPOKEN) + 1) + "|"
    for row in rows:
        cells = [measured(row, each) for each in SPOKEN]
        if any(cell != NOTHING for cell in cells):
            yield f"| {row.name} | {' | '.join(cells)} |"


# Where a recording was made -> the dialect that is spoken there.
_PATHS: tuple[tuple[str, Dialect], ...] = (
    (r"/chat/completions$", "openai_chat"),
    (r"/responses$", "openai_responses"),
    (r"api\.anthropic\.com/v1/messages(\?|$)", "anthropic"),
    (r":(generateContent|streamGenerateContent)", "gemini"),
)
# Vendors that the gateway has no row for, and Anthropic's on another's paths.
WITHOUT = {"bedrock", "voyage"}


def rows(shared_dir: Path) -> Iterator[tuple[Dialect, Recording]]:
    """Every recorded request for an answer, of every vendor that we have, with its dialect."""
    for path in sorted((shared_dir / "recordings").glob("*.jsonl")):
        if path.stem in WITHOUT:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            row = msgspec.json.decode(line)
            dialect = next((found for sign, found in _PATHS if re.search(sign, row["url"])), None)
            if dialect is None or not isinstance(row["request"], dict):
                continue
            made = (row["url"], row["request"], row["status"], row["headers"], row["response"])
            yield dialect, Recording(f"{path.stem}:{number}", *made)


def answer_of(dialect: Dialect, recording: Recording) -> Answer | None:
    """What the provider said; None if it was an error."""
    if recording.status != 200:
        return None
    try:
        if recording.streamed:
            return read_stream(recording.body(), dialect, chat(dialect, stream=True))
        return read(recording.body(), dialect)
    except GatewayError:
        return None


if __name__ == "__main__":
    PAGE.write_text(page())
