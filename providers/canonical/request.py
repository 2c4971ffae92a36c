"""A request for an answer, in the union of what the dialects can say."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

Members = dict[str, Raw]  # members of a JSON object; the values stay as they were sent
Role = Literal["system", "developer", "user", "assistant", "tool"]


class Citation(Struct, frozen=True, tag="citation"):
    """What a piece of text rests on. Offsets count characters in the text part that it belongs to."""

    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    start: int | None = None
    end: int | None = None
    dialect: str = ""  # whose form `raw` has
    raw: Raw = Raw()


class Text(Struct, frozen=True, tag="text"):
    """Text."""

    text: str
    cache: Raw | None = None  # a `cache_control` object, in the form that Anthropic gave it
    citations: tuple[Citation, ...] = ()
    token: str | None = None  # Gemini signs text, too


class Media(Struct, frozen=True, tag="media"):
    """An image, a sound, a film or a document: given by exactly one of data, URL, file id or text."""

    kind: Literal["image", "audio", "video", "document"]
    data: str | None = None  # base64
    url: str | None = None
    file_id: str | None = None  # known to one provider only
    text: str | None = None  # a document of plain text
    media_type: str | None = None
    name: str | None = None  # file name or title
    detail: str | None = None  # of images: low, high, auto
    cache: Raw | None = None
    extra: Members = {}  # what else its dialect says of it, e.g. Anthropic's `citations`, `context`
    token: str | None = None


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """A model's thoughts. The token proves or holds them; only the provider that made it reads it."""

    text: str = ""
    summary: bool = False  # the text is a summary of the thoughts
    token: str | None = None  # signature or encrypted content, opaque
    origin: str | None = None  # the dialect whose provider made the token
    id: str | None = None
    redacted: bool = False  # there is a token only


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """A call of a caller's tool."""

    id: str
    name: str
    arguments: str  # a JSON text as the model wrote it, maybe malformed; free text of a custom tool
    custom: bool = False
    token: str | None = None  # Gemini's thought signature
    cache: Raw | None = None
    item_id: str | None = None  # Responses: id of the item, beside the id of the call


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a caller's tool gave."""

    call_id: str
    parts: tuple[Text | Media, ...]
    name: str | None = None
    is_error: bool = False
    custom: bool = False
    cache: Raw | None = None


class Refusal(Struct, frozen=True, tag="refusal"):
    """The model's own words on why it will not answer."""

    text: str


class Native(Struct, frozen=True, tag="native"):
    """An element that only its own dialect knows: a server tool's call or result, a reference."""

    dialect: str
    kind: str  # its `type`
    raw: Raw


Part = Text | Media | Reasoning | ToolCall | ToolResult | Refusal | Native


class Turn(Struct, frozen=True):
    """One message. Results of tools stand in turns of role `tool`, one result a turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    id: str | None = None  # Responses: id of the item
    extra: Members = {}  # members of a message that have no place here, under its dialect's names


class Function(Struct, frozen=True, tag="function"):
    """A tool of the caller's, with a JSON schema."""

    name: str
    description: str | None = None
    parameters: Raw | None = None  # JSON schema of an object; None: takes no arguments
    strict: bool | None = None
    cache: Raw | None = None
    extra: Members = {}


class Custom(Struct, frozen=True, tag="custom"):
    """A tool of the caller's that takes free text."""

    name: str
    description: str | None = None
    format: Raw | None = None


class WebSearch(Struct, frozen=True, tag="web_search"):
    """The provider's own search of the web."""

    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    max_uses: int | None = None
    context_size: str | None = None  # low, medium, high
    user_location: Raw | None = (
        None  # {"type": "approximate", "city", "region", "country", "timezone"}
    )


class NativeTool(Struct, frozen=True, tag="native_tool"):
    """Any other tool that the provider runs itself."""

    dialect: str
    kind: str
    raw: Raw


Tool = Function | Custom | WebSearch | NativeTool


class ToolChoice(Struct, frozen=True):
    """`tool` names the one of mode `tool`; `allowed` narrows the modes auto and required."""

    mode: Literal["auto", "none", "required", "tool"]
    tool: str | None = None
    allowed: tuple[str, ...] = ()
    custom: bool = False


class Format(Struct, frozen=True):
    """How the answer must be written."""

    kind: Literal["text", "json", "schema"]
    name: str | None = None
    schema: Raw | None = None
    strict: bool | None = None
    description: str | None = None


class Thinking(Struct, frozen=True):
    """How much the model is to think. An effort and a budget are two ways to say one thing: a dialect
    keeps what the caller said and `thinking.py` converts."""

    enabled: bool | None = None  # False: not at all; None: as the model does by itself
    effort: str | None = None  # none, minimal, low, medium, high, xhigh, max
    budget: int | None = None  # tokens; -1: the model decides
    adaptive: bool = False  # Anthropic: as much as the model finds right
    visible: bool | None = None  # the thoughts are to be in the answer
    summary: str | None = None  # auto, concise, detailed


class ChatRequest(Struct, frozen=True, kw_only=True):
    """What is asked. None and empty mean: not said, the provider's default."""

    dialect: str  # the caller's
    model: str  # as asked for
    turns: tuple[Turn, ...]  # system and developer turns stand where the caller put them
    stream: bool = False
    include_usage: bool = True  # the caller wants the counts in its stream
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    format: Format | None = None
    thinking: Thinking | None = None
    verbosity: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: Raw | None = None
    n: int | None = None
    modalities: tuple[str, ...] = ()  # of the answer: text, audio, image
    audio: Raw | None = None  # voice and format of spoken answers, as OpenAI chat has it
    prediction: Raw | None = None
    service_tier: str | None = None  # in the words of the caller's dialect
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: Raw | None = None  # an object of strings
    store: bool | None = None
    # Members of the body that have no field here, under the caller's names. A target that has a
    # member of the same name and meaning may take it; else it is named as dropped.
    extra: Members = {}
    # Field here -> what the caller calls it, where the two differ: for messages and headers.
    names: dict[str, str] = {}
