"""The few members of a body on which the gateway acts, in each dialect; the rest stays in the bytes."""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.errors import InvalidRequest
from schemas.requests import RELAYED, Request

T = TypeVar("T")


class Envelope(Struct, frozen=True):
    """What is asked of whom. A relayed request that names no model has the empty one."""

    model: str
    stream: bool = False


class _Chat(Struct):
    model: str
    messages: list[Raw]
    stream: bool | None = None
    provider: Raw = Raw()


class _Completions(Struct):
    model: str
    prompt: Raw
    stream: bool | None = None
    provider: Raw = Raw()


class _Responses(Struct):
    model: str
    input: str | list[Raw] | UnsetType | None = UNSET
    previous_response_id: str | None = None
    conversation: Raw = Raw()
    prompt: Raw = Raw()
    stream: bool | None = None
    provider: Raw = Raw()


class _Anthropic(Struct):
    model: str
    messages: list[Raw]
    max_tokens: int | None = None
    stream: bool | None = None


class _Gemini(Struct):
    contents: list[Raw] | Raw = []
    # Google's SDK sends both spellings of this one.
    generateContentRequest: Raw = Raw()  # noqa: N815  # of countTokens


class _Named(Struct):
    model: str
    input: Raw = Raw()
    provider: Raw = Raw()


class _Any(Struct):
    model: str | None = None
    stream: bool | None = None


_chat = msgspec.json.Decoder(_Chat)
_completions = msgspec.json.Decoder(_Completions)
_responses = msgspec.json.Decoder(_Responses)
_anthropic = msgspec.json.Decoder(_Anthropic)
_gemini = msgspec.json.Decoder(_Gemini)
_named = msgspec.json.Decoder(_Named)
_any = msgspec.json.Decoder(_Any)
_raw = msgspec.json.Decoder(Raw)
_text = msgspec.json.Decoder(str)
_NULL = Raw(b"null")
_MODEL_IN_PATH = re.compile(r"/models/([^:]+):\w+$|/deployments/([^/]+)/")


def envelope(request: Request) -> Envelope:
    """What the body asks for; InvalidRequest says what is wrong with it and where."""
    if request.operation in RELAYED:
        return _relayed(request)
    if request.claim is not None and not request.body:
        return Envelope(request.model or "", bool(request.stream))  # nobody has looked into it yet
    found = _READERS.get((request.operation, request.dialect))
    if found is None:
        raise InvalidRequest(f"There is no {request.operation} in the dialect {request.dialect}.")
    made = found(request)
    if not made.model.strip():
        raise InvalidRequest("`model` must not be empty.", param="model")
    return made


def _of_chat(request: Request) -> Envelope:
    chat = _decoded(_chat, request.body)
    if not chat.messages:
        raise InvalidRequest("`messages` must hold at least one message.", param="messages")
    return Envelope(_whose(chat.model, chat.provider), bool(chat.stream))


def _of_completions(request: Request) -> Envelope:
    found = _decoded(_completions, request.body)
    return Envelope(_whose(found.model, found.provider), bool(found.stream))


def _of_responses(request: Request) -> Envelope:
    found = _decoded(_responses, request.body)
    context = _given(found.conversation) or _given(found.prompt)
    if not (found.input or found.previous_response_id or context):
        raise InvalidRequest("`input` is required.", param="input")
    return Envelope(_whose(found.model, found.provider), bool(found.stream))


def _of_messages(request: Request) -> Envelope:
    found = _decoded(_anthropic, request.body)
    if not found.messages:
        raise InvalidRequest("`messages` must hold at least one message.", param="messages")
    if request.operation == "chat" and found.max_tokens is None:
        raise InvalidRequest("`max_tokens` is required.", param="max_tokens")
    return Envelope(found.model, bool(found.stream))


def _of_gemini(request: Request) -> Envelope:
    found = _decoded(_gemini, request.body)
    if not _given(found.contents) and not _given(found.generateContentRequest):
        raise InvalidRequest("`contents` must hold at least one content.", param="contents")
    return Envelope(request.model or "", bool(request.stream))


def _of_named(request: Request) -> Envelope:
    found = _decoded(_named, request.body)
    if request.operation == "embeddings" and not _given(found.input):
        raise InvalidRequest("`input` is required.", param="input")
    return Envelope(_whose(found.model, found.provider))


def _of_path(request: Request) -> Envelope:
    _decoded(_any, request.body)
    return Envelope(request.model or "")


def _relayed(request: Request) -> Envelope:
    """The model that a relayed request names, in its path or in a JSON body; nothing is wrong with a
    body that cannot be read."""
    model = request.model or _in_path(request)
    if not request.content_type.startswith("application/json"):
        return Envelope(model, bool(request.stream))
    try:
        found = _any.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Envelope(model, bool(request.stream))
    return Envelope(model or found.model or "", bool(found.stream or request.stream))


def _in_path(request: Request) -> str:
    """As Google's API names it, `/models/<model>:<action>`, or one that serves models which are deployed
    under a name, `/deployments/<model>/…`."""
    path = request.relay.path.partition("?")[0] if request.relay is not None else ""
    found = _MODEL_IN_PATH.search(path)
    return unquote(found[1] or found[2]) if found else ""


_READERS = {
    ("chat", "openai_chat"): _of_chat,
    ("chat", "openai_completions"): _of_completions,
    ("chat", "openai_responses"): _of_responses,
    ("chat", "anthropic"): _of_messages,
    ("chat", "gemini"): _of_gemini,
    ("embeddings", "openai_chat"): _of_named,
    ("embeddings", "gemini"): _of_path,
    ("count_tokens", "openai_responses"): _of_named,
    ("count_tokens", "anthropic"): _of_messages,
    ("count_tokens", "gemini"): _of_gemini,
    ("compact", "openai_responses"): _of_named,
}


def _whose(model: str, provider: Raw) -> str:
    """The model of the provider that `provider` names, if it is a text; anything else is a provider's own."""
    if not provider or not model.strip() or not bytes(provider).startswith(b'"'):
        return model
    name = _decoded(_text, bytes(provider))
    return model if not name or model.startswith(f"{name}/") else f"{name}/{model}"


def _given(member: Raw | list[Raw]) -> bool:
    """Whether a member is there and neither null nor an empty list."""
    return bool(member) and member != _NULL


def check_json(body: bytes) -> None:
    """InvalidRequest if a body is not JSON in UTF-8."""
    _decoded(_raw, body)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        # One that is mapped from a file is looked into once more, as bytes, by a worker.
        if isinstance(body, bytes) and not body.isascii():
            body.decode()  # msgspec skips over strings that it does not need without looking at them
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8: byte {error.start}.") from error
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def _invalid(text: str) -> InvalidRequest:
    """msgspec's sentence ("Expected `str`, got `int` - at `$.model`") in the caller's terms."""
    reason, _, path = text.partition(" - at `$")
    param = path.strip("`").lstrip(".").split("[")[0].split(".")[0] or None
    if param is None and "missing required field" in reason:
        param = reason.rsplit("`", 2)[-2]
        return InvalidRequest(f"`{param}` is required.", param=param)
    if param is None:
        return InvalidRequest("The body must be a JSON object.")
    return InvalidRequest(f"`{param}`: {reason[0].lower()}{reason[1:]}.", param=param)
