"""The operations that are asked of models, and of what came of it."""

from __future__ import annotations

from typing import Any

from ingress.api.health import Ready
from ingress.api.models import (
    AnthropicModel,
    AnthropicModelList,
    GeminiModel,
    GeminiModelList,
    ModelList,
)
from ingress.api.passthrough import METHODS
from ingress.api.stored_responses import DeletedResponse, ItemList
from ingress.contract import bodies
from ingress.contract.about import BINARY, EVENTS, FORM, JSON, TEXT, About, AnyOf, Errors, Told
from ingress.contract.parameters import ASKING, LIMITED, MODEL
from ingress.detached import Status
from schemas.models import Model

_LATER = Told(
    202,
    "Asked with `Prefer: respond-async`: it goes on, and this is where to look.",
    Status,
    headers=("location", "preference-applied"),
)
_STREAMED = (JSON, EVENTS)


def _model(
    name: str, tag: str, body: object, answer: object, errors: Errors = "openai", **more: Any
) -> About:
    """What a model is asked for, plain or as a stream."""
    told = Told(200, "The answer, whole or as a stream.", answer, _STREAMED, MODEL + LIMITED)
    given = {"answers": (told, _LATER), "headers": ASKING} | more
    return About(id=name, tag=tag, body=body, errors=errors, **given)


def _counted(name: str, tag: str, body: object, errors: Errors = "openai") -> About:
    told = Told(200, "How many tokens it is.", dict[str, Any], headers=MODEL[:2])
    return About(id=name, tag=tag, body=body, errors=errors, answers=(told,), headers=ASKING)


def _one(about: str, answer: object) -> tuple[Told, ...]:
    return (Told(200, about, answer),)


_OPENAI = {
    "POST /v1/chat/completions": _model(
        "createChatCompletion", "Chat", bodies.ChatCompletionRequest, bodies.ChatCompletion
    ),
    "POST /v1/completions": _model(
        "createCompletion", "Chat", bodies.CompletionRequest, bodies.ChatCompletion
    ),
    "POST /v1/embeddings": _model(
        "createEmbeddings", "Embeddings", bodies.EmbeddingsRequest, bodies.Embeddings
    ),
    "POST /v1/responses": _model(
        "createResponse", "Responses", bodies.ResponseRequest, bodies.Response
    ),
    "POST /v1/responses/input_tokens": _counted(
        "countInputTokens", "Responses", bodies.InputTokensRequest
    ),
    "POST /v1/responses/compact": _model(
        "compactResponse", "Responses", bodies.CompactRequest, dict[str, Any]
    ),
    "GET /v1/responses/{name}": About(
        id="getResponse",
        tag="Responses",
        answers=(Told(200, "As it was stored, or as far as it is.", bodies.Response, _STREAMED),),
        query=("told stream", "responses starting_after"),
    ),
    "DELETE /v1/responses/{name}": About(
        id="deleteResponse", tag="Responses", answers=_one("It is gone.", DeletedResponse)
    ),
    "POST /v1/responses/{name}/cancel": About(
        id="cancelResponse", tag="Responses", answers=_one("As it ended.", bodies.Response)
    ),
    "GET /v1/responses/{name}/input_items": About(
        id="listInputItems",
        tag="Responses",
        answers=_one("A page of them.", ItemList),
        query=("items limit", "order", "after"),
    ),
}


def _anthropic(root: str, name: str) -> dict[str, About]:
    headers = (*ASKING, "anthropic-version")
    return {
        f"POST {root}/v1/messages": _model(
            f"createMessage{name}",
            "Messages",
            bodies.MessagesRequest,
            bodies.Message,
            "anthropic",
            headers=headers,
        ),
        f"POST {root}/v1/messages/count_tokens": _counted(
            f"countMessageTokens{name}", "Messages", bodies.CountTokensRequest, "anthropic"
        ),
    }


def _gemini(root: str, name: str, errors: Errors = "gemini") -> dict[str, About]:
    found = _model(
        f"askGemini{name}",
        "Gemini",
        bodies.GeminiRequest,
        dict[str, Any],
        errors,
        query=("alt",),
        summary="`{name}` is a model and behind a colon what is asked of it: `generateContent`,"
        " `streamGenerateContent`, `countTokens`, `embedContent`, `batchEmbedContents`.",
    )
    return {f"POST {root}/models/{{name}}": found}


def _models(root: str, name: str) -> dict[str, About]:
    query = ("models limit", "after_id", "before_id", "pageSize", "pageToken")
    lists = AnyOf((ModelList, AnthropicModelList, GeminiModelList))
    headers = ("x-sluice-user-path", "anthropic-version")
    return {
        f"GET {root}/models": About(
            id=f"listModels{name}",
            tag="Models",
            answers=_one("In the form of the dialect in which it was asked.", lists),
            query=query,
            headers=headers,
            errors="any",
        ),
        f"GET {root}/models/{{name}}": About(
            id=f"getModel{name}",
            tag="Models",
            answers=_one("The same.", AnyOf((Model, AnthropicModel, GeminiModel))),
            headers=headers,
            errors="any",
        ),
    }


_REQUESTS = {
    "GET /v1/requests/{name}": About(
        id="getRequest",
        tag="Requests",
        answers=(
            Told(200, "Its answer as it was; until then how far it is.", None, ("*/*",), MODEL[:2]),
        ),
        errors="any",
    ),
    "DELETE /v1/requests/{name}": About(
        id="cancelRequest", tag="Requests", answers=_one("How far it is.", Status), errors="any"
    ),
    "GET /v1/requests/{name}/events": About(
        id="resumeRequest",
        tag="Requests",
        answers=(Told(200, "The events that are left, each with its number.", None, ("*/*",)),),
        query=("starting_after",),
        headers=("last-event-id",),
        errors="any",
    ),
}


def _kept(
    name: str, summary: str, answers: tuple[Told, ...], tag: str = "Files", **more: Any
) -> About:
    # No dialect is told by the path: it is the one whose headers the caller sends.
    given = {
        "errors": "any",
        "headers": ("sluice-provider", "x-sluice-user-path", "idempotency-key"),
    } | more
    return About(id=name, tag=tag, summary=summary, answers=answers, **given)


_FILE, _BATCH = bodies.FileObject, bodies.BatchObject
_KEPT = {
    "GET /v1/files": _kept("listFiles", "Files, of all instances.", _one("", bodies.FileList)),
    "POST /v1/files": _kept(
        "uploadFile",
        "Upload a file.",
        _one("It is kept.", _FILE),
        body=bodies.FileForm,
        body_media=FORM,
    ),
    "GET /v1/files/{name}": _kept("getFile", "What is known of a file.", _one("", _FILE)),
    "DELETE /v1/files/{name}": _kept(
        "deleteFile", "Delete a file.", _one("It is gone.", dict[str, Any])
    ),
    "GET /v1/files/{name}/content": _kept(
        "getFileContent",
        "The bytes of a file.",
        (Told(200, "As they are.", None, (BINARY, "*/*"), ("content-disposition",)),),
    ),
    "GET /v1/batches": _kept(
        "listBatches", "Batches, of all instances.", _one("", bodies.BatchList), "Batches"
    ),
    "POST /v1/batches": _kept(
        "createBatch",
        "Begin a batch.",
        _one("It is begun.", _BATCH),
        "Batches",
        body=bodies.BatchRequest,
    ),
    "GET /v1/batches/{name}": _kept("getBatch", "How far it is.", _one("", _BATCH), "Batches"),
    "POST /v1/batches/{name}/cancel": _kept(
        "cancelBatch", "End a batch.", _one("It is ending.", _BATCH), "Batches"
    ),
    "GET /v1/batches/{name}/results": _kept(
        "getBatchResults",
        "The results of a batch that has ended.",
        _one("As one list.", dict[str, Any]),
        "Batches",
    ),
}
_PASSED_ON = (Told(200, "What the provider says, with its own status.", None, ("*/*",), MODEL[:2]),)
_PASSTHROUGH = {
    f"{method} /p/{{provider}}/{{rest}}": About(
        id=f"passOn{method.title()}",
        tag="Pass-through",
        answers=_PASSED_ON,
        body=None if method in ("GET", "OPTIONS", "DELETE") else Any,
        body_media="*/*",
        optional_body=True,
        errors="any",
    )
    for method in METHODS
    if method != "HEAD"
}


def _open(name: str, answers: tuple[Told, ...], summary: str = "") -> About:
    return About(id=name, tag="Operating", answers=answers, public=True, summary=summary)


_STATE = "What is missing is named."
OPERATING = {
    "GET /health": _open("getHealth", _one("It lives.", bodies.Healthy)),
    "GET /health/ready": _open(
        "getReadiness", (Told(200, "Ready.", Ready), Told(503, _STATE, Ready))
    ),
    "GET /openapi.json": _open("getOpenapi", _one("OpenAPI 3.1.", dict[str, Any])),
    "GET /asyncapi.json": _open("getAsyncapi", _one("AsyncAPI 3.0.", dict[str, Any])),
}
# Its path is a setting.
METRICS = _open("getMetrics", (Told(200, "Counters, gauges, histograms.", None, (TEXT,)),))

ASKED: dict[str, About] = (
    _OPENAI
    | _anthropic("", "")
    | _anthropic("/anthropic", "BelowAnthropic")
    | _gemini("/v1beta", "")
    | _gemini("/v1", "V1", "any")
    | _gemini("/gemini/v1beta", "BelowGemini")
    | _gemini("/gemini/v1", "V1BelowGemini")
    | _models("/v1", "")
    | _models("/v1beta", "V1beta")
    | _models("/anthropic/v1", "BelowAnthropic")
    | _models("/gemini/v1beta", "V1betaBelowGemini")
    | _models("/gemini/v1", "BelowGemini")
    | _REQUESTS
    | _KEPT
    | _PASSTHROUGH
    | OPERATING
)
