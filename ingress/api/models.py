"""Lists of models and single ones, in the form of whoever asks: what can be called, and what is known
of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ingress.auth import who
from ingress.caller import user_path
from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import GatewayError, InvalidRequest, ModelNotFound
from schemas.models import Model
from schemas.prices import Metadata

_LINES = b"content-type: application/json\r\n"
_MAX_PAGE = 1000
_encode = msgspec.json.Encoder().encode
Query = dict[str, list[str]]


async def models(request: IncomingRequest) -> Answer:
    """All models, or a page of them."""
    list_ = _LISTS.get(request.dialect, _openai_list)
    query = parse_qs(request.query_string)
    return _answer(request, lambda gateway, path: list_(gateway.catalog.models(path), query))


async def model(request: IncomingRequest, name: str) -> Answer:
    """One model, by `instance/model`, by its bare id or by an alias."""
    return _answer(request, partial(_one, request.dialect, unquote(name)))


def _one(dialect: str, name: str, gateway: Gateway, path: str) -> object:
    found = gateway.catalog.find(name, path)
    if found is None:
        raise ModelNotFound(
            f"The model `{name}` does not exist: GET /v1/models lists those that do.", param="model"
        )
    return _SHAPES.get(dialect, _as_it_is)(found)


def _answer(request: IncomingRequest, content: Callable[[Gateway, str], object]) -> Answer:
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    try:
        gateway.identify(request)
        principal = who(gateway, request)
        body = _encode(content(gateway, principal.path(user_path(request.headers))))
        answer = Answer(200, _LINES + identity_lines(request), body)
    except GatewayError as error:
        answer = error_answer(request, error)
    gateway.observe("models", answer.status, began)
    return answer


def _count(query: Query, name: str, default: int) -> int:
    """How many may stand on a page."""
    text = query.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MAX_PAGE):
        raise InvalidRequest(f"`{name}` must be a whole number from 1 to {_MAX_PAGE}.", param=name)
    return int(text)


def _known(model: Model) -> Metadata:
    return Metadata() if model.metadata is UNSET else model.metadata


# -- OpenAI: https://platform.openai.com/docs/api-reference/models, with `metadata` as GoModel has it


class ModelList(Struct):
    """OpenAI's list."""

    data: Sequence[Model]
    object: Literal["list"] = "list"


def _openai_list(models: Sequence[Model], query: Query) -> object:
    return ModelList(models)


def _as_it_is(model: Model) -> object:
    return model


# -- Anthropic: https://docs.anthropic.com/en/api/models-list


class AnthropicModel(Struct):
    """A model in Anthropic's words."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET
    type: Literal["model"] = "model"


class AnthropicModelList(Struct):
    """A page of Anthropic's list."""

    data: Sequence[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


def _anthropic_model(model: Model) -> AnthropicModel:
    known = _known(model)
    return AnthropicModel(
        model.id,
        known.display_name or model.id,
        datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        known.context_window or UNSET,
        known.max_output_tokens or UNSET,
    )


def _anthropic_list(models: Sequence[Model], query: Query) -> object:
    """A page of `limit`, behind `after_id` or before `before_id`."""
    limit = _count(query, "limit", 20)
    names = [model.id for model in models]
    if before := query.get("before_id"):
        end = _place(names, before[-1], "before_id")
        start, more = max(end - limit, 0), end > limit
    else:
        after = query.get("after_id")
        start = _place(names, after[-1], "after_id") + 1 if after else 0
        end, more = start + limit, start + limit < len(names)
    page = [_anthropic_model(model) for model in models[start:end]]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return AnthropicModelList(page, more, first, last)


def _place(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise InvalidRequest(f"`{param}` names no model of the list.", param=param)
    return names.index(name)


# -- Gemini: https://ai.google.dev/api/models


class GeminiModel(Struct, kw_only=True, rename="camel"):
    """A model in Google's words."""

    name: str
    base_model_id: str
    version: str
    display_name: str
    description: str | UnsetType = UNSET
    input_token_limit: int | UnsetType = UNSET
    output_token_limit: int | UnsetType = UNSET
    supported_generation_methods: tuple[str, ...]


class GeminiModelList(Struct, rename="camel"):
    """A page of Google's list."""

    models: Sequence[GeminiModel]
    next_page_token: str | UnsetType = UNSET


_ANSWERS = ("generateContent", "streamGenerateContent", "countTokens")
_EMBEDS = ("embedContent", "batchEmbedContents")


def _gemini_model(model: Model) -> GeminiModel:
    known = _known(model)
    embeds = "embedding" in known.modes
    answers = "chat" in known.modes or not embeds
    return GeminiModel(
        name=f"models/{model.id}",
        base_model_id=model.id,
        version=str(model.created or "1"),
        display_name=known.display_name or model.id,
        description=known.description or UNSET,
        input_token_limit=known.context_window or UNSET,
        output_token_limit=known.max_output_tokens or UNSET,
        supported_generation_methods=(*(_ANSWERS if answers else ()), *(_EMBEDS if embeds else ())),
    )


def _gemini_list(models: Sequence[Model], query: Query) -> object:
    """A page of `pageSize`; its token is the last name of the page before."""
    size = _count(query, "pageSize", 50)
    start = 0
    if token := query.get("pageToken"):
        start = _place([model.id for model in models], token[-1], "pageToken") + 1
    page = models[start : start + size]
    more = start + size < len(models)
    return GeminiModelList([_gemini_model(model) for model in page], page[-1].id if more else UNSET)


_LISTS = {"anthropic": _anthropic_list, "gemini": _gemini_list}
_SHAPES: dict[str, Callable[[Model], object]] = {
    "anthropic": _anthropic_model,
    "gemini": _gemini_model,
}
