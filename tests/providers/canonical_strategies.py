"""Conversations in the canonical middle, made up by hypothesis: what every dialect can carry. A test
of one dialect adds what its own can carry beside, and leaves out what it cannot."""

import json

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Raw

from providers.canonical.request import (
    Format,
    Function,
    Media,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

# No surrogates: they are not text in JSON. NUL and line ends are.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)
IDS = st.from_regex(r"call_[A-Za-z0-9]{4,12}", fullmatch=True)
BASE64 = st.sampled_from(["aGVsbG8=", "AAEC", "iVBORw0KGgo="])


def raws(values: SearchStrategy[object]) -> SearchStrategy[Raw]:
    """JSON in the form in which a test sees it again: as msgspec writes it."""
    return values.map(
        lambda value: Raw(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
    )


SCHEMAS = raws(
    st.dictionaries(
        NAMES, st.sampled_from([{"type": "string"}, {"type": "integer"}]), max_size=3
    ).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )
)
ARGUMENTS = st.dictionaries(NAMES, TEXTS | st.integers(-5, 5) | st.booleans(), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)
PLAIN = TEXTS.map(Text)
IMAGES = st.builds(
    Media,
    kind=st.just("image"),
    data=BASE64,
    media_type=st.sampled_from(["image/png", "image/jpeg"]),
) | st.builds(
    Media, kind=st.just("image"), url=st.sampled_from(["https://x.example/a.png", "http://y/b"])
)
DOCUMENTS = st.builds(
    Media,
    kind=st.just("document"),
    data=BASE64,
    media_type=st.just("application/pdf"),
    name=NAMES.map("{}.pdf".format),
)


def user_turns(parts: SearchStrategy[Text | Media]) -> SearchStrategy[Turn]:
    """What a user says, in one part or more."""
    return st.lists(parts, min_size=1, max_size=3).map(lambda found: Turn("user", tuple(found)))


@st.composite
def rounds(draw: st.DrawFn) -> tuple[Turn, ...]:
    """What the assistant says, with the calls that it makes and their results."""
    ids = draw(st.lists(IDS, unique=True, max_size=3))
    calls = tuple(ToolCall(name, draw(NAMES), draw(ARGUMENTS)) for name in ids)
    said = (draw(PLAIN),) if not calls or draw(st.booleans()) else ()
    results = tuple(Turn("tool", (ToolResult(name, (draw(PLAIN),)),)) for name in ids)
    return (Turn("assistant", (*said, *calls)), *results)


@st.composite
def conversations(
    draw: st.DrawFn, parts: SearchStrategy[Text | Media] = PLAIN, *, system: bool = True
) -> tuple[Turn, ...]:
    """Turns that alternate as every dialect wants them; they end with the user or a tool."""
    turns: list[Turn] = []
    if system and draw(st.booleans()):
        turns.append(Turn("system", (draw(PLAIN),)))
    turns.append(draw(user_turns(parts)))
    for _ in range(draw(st.integers(0, 2))):
        turns.extend(draw(rounds()))
        turns.append(draw(user_turns(parts)))
    return tuple(turns)


FUNCTIONS = st.builds(
    Function,
    name=NAMES,
    description=st.none() | TEXTS,
    parameters=SCHEMAS,
    strict=st.sampled_from([None, True, False]),
)
FORMATS = st.just(Format("json")) | st.builds(
    Format, kind=st.just("schema"), name=NAMES, schema=SCHEMAS, strict=st.none() | st.booleans()
)


def tool_choices(tools: tuple[Tool, ...]) -> SearchStrategy[ToolChoice | None]:
    """A choice among the functions of `tools`."""
    names = [tool.name for tool in tools if isinstance(tool, Function)]
    if not names:
        return st.none()
    modes = [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]
    return st.none() | st.sampled_from([*modes, *(ToolChoice("tool", name) for name in names)])
