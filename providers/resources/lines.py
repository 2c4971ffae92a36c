"""The requests of a batch that stand in its body: `requests: [{custom_id, method, url, body}]`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from providers.resources.shelf import Resolve
from schemas.errors import InvalidRequest, ModelNotFound

_DIALECTS = {
    "/v1/chat/completions": "openai_chat",
    "/v1/completions": "openai_completions",
    "/v1/responses": "openai_responses",
    "/v1/messages": "anthropic",
    "/v1/embeddings": "openai_embeddings",
}
DEFAULT_URL = "/v1/chat/completions"
MAX_REQUESTS = 10_000


class _Line(Struct):
    body: dict[str, Raw]
    custom_id: str | None = None
    method: str = "POST"
    url: str | None = None


class Batch(Struct):
    """The body of a new batch."""

    input_file_id: str | None = None
    requests: list[_Line] | None = None
    endpoint: str | None = None
    completion_window: str = "24h"
    metadata: dict[str, Raw] | None = None


class Line(Struct, frozen=True):
    """One request, its model named as the provider knows it."""

    custom_id: str
    url: str
    dialect: str
    body: dict[str, Raw]
    model: str


_batch = msgspec.json.Decoder(Batch).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def parse(body: bytes) -> Batch:
    """InvalidRequest if it describes no batch."""
    try:
        batch = _batch(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is no batch: {error}.") from error
    if batch.requests is None and batch.input_file_id is None:
        raise InvalidRequest("`input_file_id` or `requests` is required.", param="input_file_id")
    if batch.requests is not None and not 1 <= len(batch.requests) <= MAX_REQUESTS:
        raise InvalidRequest(
            f"`requests` must hold 1 to {MAX_REQUESTS} requests.", param="requests"
        )
    return batch


def instance_of(batch: Batch, resolve: Resolve) -> str | None:
    """The instance that has the model of the first request; None if no requests stand in the body."""
    if not batch.requests:
        return None
    return resolve(_name(batch.requests[0], "requests[0]")).instance


def lines(batch: Batch, instance: str, resolve: Resolve) -> Iterator[Line]:
    """Each request of the body, all for one instance; InvalidRequest names the one that cannot be asked."""
    for number, line in enumerate(batch.requests or ()):
        place = f"requests[{number}]"
        url = line.url or batch.endpoint or DEFAULT_URL
        if line.method != "POST" or url not in _DIALECTS:
            raise InvalidRequest(
                f"`{place}` must be a POST to one of {', '.join(_DIALECTS)}.", param=f"{place}.url"
            )
        model = _model(line, place, instance, resolve)
        body = {**line.body, "model": Raw(_encode(model))}
        yield Line(line.custom_id or f"req-{number}", url, _DIALECTS[url], body, model)


def _name(line: _Line, place: str) -> str:
    try:
        return _text(line.body.get("model", b"null"))
    except msgspec.DecodeError:
        raise InvalidRequest(
            f"`{place}.body.model` is required.", param=f"{place}.body.model"
        ) from None


def _model(line: _Line, place: str, instance: str, resolve: Resolve) -> str:
    name = _name(line, place)
    try:
        found = resolve(name)
    except ModelNotFound:
        found = None
    if found is not None and found.instance == instance:
        return found.model
    # The batch's own provider has it, too, unless the name says another one.
    if found is None or name.partition("/")[0] != found.instance:
        return resolve(f"{instance}/{name}").model
    raise InvalidRequest(
        f"`{place}.body.model` is of the provider {found.instance!r}; all requests of a batch go to"
        f" one, here {instance!r}.",
        param=f"{place}.body.model",
    )
