"""Bodies that belong to a provider's API, as far as the gateway itself reads them. All else in them reaches
the provider, and comes back from it, as it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Objects = Annotated[list[dict[str, Any]], Meta(min_length=1)]
Model = Annotated[
    str,
    Meta(min_length=1, description="`instance/model`, a bare id, or an alias: see `/v1/models`."),
]
Provider = Annotated[str | dict[str, Any], Meta(description="A text: the instance that is asked.")]


class ChatCompletionRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/chat/create"""

    model: Model
    messages: Objects
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    tools: list[dict[str, Any]] | None = None
    provider: Provider | None = None


class CompletionRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/completions/create"""

    model: Model
    prompt: Any
    stream: bool | None = None
    max_tokens: int | None = None
    provider: Provider | None = None


class ResponseRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/responses/create"""

    model: Model
    input: str | list[dict[str, Any]] | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    max_output_tokens: int | None = None
    provider: Provider | None = None


class InputTokensRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/responses/input-tokens"""

    model: Model
    input: Any = None
    provider: Provider | None = None


class CompactRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/responses/compact"""

    model: Model
    input: Any = None
    provider: Provider | None = None


class EmbeddingsRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/embeddings/create"""

    model: Model
    input: Any
    provider: Provider | None = None


class MessagesRequest(Struct, kw_only=True):
    """https://platform.claude.com/docs/en/api/messages"""

    model: Model
    messages: Objects
    max_tokens: int
    stream: bool | None = None


class CountTokensRequest(Struct, kw_only=True):
    """https://platform.claude.com/docs/en/api/messages-count-tokens"""

    model: Model
    messages: Objects


class GeminiRequest(Struct, kw_only=True):
    """https://ai.google.dev/api: of `generateContent`, `streamGenerateContent`, `countTokens`,
    `embedContent` or `batchEmbedContents`, which one the path says."""

    contents: list[dict[str, Any]] | dict[str, Any] | None = None


class BatchRequest(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/batch/create"""

    input_file_id: str | None = None
    endpoint: str | None = None
    completion_window: str | None = None
    metadata: dict[str, Any] | None = None


class FileForm(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/files/create"""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]
    purpose: str


class ChatCompletion(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/chat/object"""

    id: str | None = None
    object: str | None = None
    model: str | None = None
    choices: list[dict[str, Any]] | None = None
    usage: dict[str, Any] | None = None


class Response(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/responses/object"""

    id: str | None = None
    status: str | None = None
    model: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Message(Struct, kw_only=True):
    """https://platform.claude.com/docs/en/api/messages"""

    id: str | None = None
    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


class Embeddings(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/embeddings/object"""

    data: list[dict[str, Any]] | None = None
    usage: dict[str, Any] | None = None


class FileObject(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/files/object, with the instance that keeps it."""

    id: str
    object: str = "file"
    filename: str | None = None
    purpose: str | None = None
    bytes: int | None = None
    provider: str | None = None


class FileList(Struct, kw_only=True):
    """What all instances keep, or one."""

    data: list[FileObject]
    has_more: bool | None = None


class BatchObject(Struct, kw_only=True):
    """https://platform.openai.com/docs/api-reference/batch/object, with the instance that runs it."""

    id: str
    status: str | None = None
    endpoint: str | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    provider: str | None = None


class BatchList(Struct, kw_only=True):
    """What all instances run, or one."""

    data: list[BatchObject]
    has_more: bool | None = None


class Healthy(Struct):
    """The process lives."""

    status: Literal["ok"]


# Their members are their makers': more may come and be sent than stands here.
OPEN: tuple[type[Struct], ...] = (
    *(ChatCompletionRequest, CompletionRequest, ResponseRequest, InputTokensRequest),
    *(CompactRequest, EmbeddingsRequest, MessagesRequest, CountTokensRequest, GeminiRequest),
    *(BatchRequest, FileForm, ChatCompletion, Response, Message, Embeddings),
    *(FileObject, FileList, BatchObject, BatchList),
)
