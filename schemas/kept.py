"""Answers that can be asked for again, by the id of their request or of their response.

An OpenAI response is kept unless its caller says `store: false`; any other answer if its request asked
for it (`Request.keep`): also one that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from schemas.exchange import Exchange
from schemas.response_items import previous_id, response_id, terminal_response


class Owned(Protocol):
    """What has an owner."""

    @property
    def client(self) -> str | None: ...
    @property
    def user_path(self) -> str: ...


class Kept(Struct, frozen=True, kw_only=True):
    """A finished request with its answer, whole: no body switch or cap applies to it."""

    request_id: str
    response_id: str | None = None  # of an OpenAI response: what its caller knows it by
    previous_id: str | None = None  # the response that it goes on with
    client: str | None = None  # name of the key
    user_path: str = "/"
    created_at: str = ""  # RFC 3339
    operation: str = "chat"
    dialect: str = "openai_chat"
    provider: str | None = None  # instance
    model: str | None = None  # as the provider knows it
    outcome: str = "completed"
    status: int = 200
    content_type: str = "application/json"
    http_headers: dict[str, str] = {}  # of the provider, that were passed on
    background: bool = False  # a Response whose caller did not wait for it
    request: bytes = b""
    answer: bytes = b""  # as it went out


class AnswerStore(Protocol):
    """Where kept answers are looked up. Raises StoreUnavailable when it cannot be asked."""

    async def find(self, name: str) -> Kept | None:
        """By request id or response id; None if it is not there, or not yet."""
        ...

    async def delete(self, name: str) -> bool:
        """For good: it does not come back when it is stored again. False if it was not there."""
        ...

    async def deleted(self, name: str) -> bool:
        """Whether it was there and was deleted."""
        ...

    async def close(self) -> None: ...


class Threads(Protocol):
    """Of a store of answers: what goes on with what."""

    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        """Ids of the requests that went on with a response, the oldest first; those that were kept.
        StoreUnavailable."""
        ...


class Answers(AnswerStore, Threads, Protocol):
    """What every store of answers is."""


class NoAnswers:
    """The store of a gateway that keeps none."""

    async def find(self, name: str) -> Kept | None:
        return None

    async def delete(self, name: str) -> bool:
        return False

    async def deleted(self, name: str) -> bool:
        return False

    async def continuing(self, response_id: str, limit: int) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        return


class Asked(Struct, frozen=True):
    """What the body of a request for a Response says of its keeping."""

    store: bool | None = None
    background: bool | None = None


_asked = msgspec.json.Decoder(Asked).decode
_ID_CHARS = 36  # of a request's id
_UNKNOWN = Asked(store=False)


def asked(body: bytes) -> Asked:
    """Nothing is to be stored of a body that cannot be read."""
    try:
        return _asked(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNKNOWN


def name_of_response(request_id: str) -> str:
    """The id of a Response that the gateway names."""
    return f"resp_{request_id}"


def is_ours(response_id: str) -> bool:
    """Whether the gateway has named a Response, and not its provider."""
    return response_id.startswith("resp_") and len(response_id) == len("resp_") + _ID_CHARS


def kept(exchange: Exchange) -> Kept | None:
    """What of an exchange is to be kept; None if nothing: its caller did not ask for it."""
    responds = exchange.dialect == "openai_responses" and exchange.operation == "chat"
    completed = exchange.outcome == "completed" and exchange.response is not None
    if not exchange.keep and not (responds and completed):
        return None
    wanted = asked(exchange.request.content()) if responds else _UNKNOWN
    if not exchange.keep and wanted.store is False:
        return None
    body = exchange.response
    answer = body.content() if body is not None else b""
    name = None
    if wanted.background:
        name = name_of_response(exchange.request_id)
    elif completed and wanted.store is not False and body is not None:
        name = response_id(terminal_response(answer, body.content_type))
    if name is None and not exchange.keep:
        return None
    return Kept(
        request_id=exchange.request_id,
        response_id=name,
        previous_id=previous_id(exchange.request.content()) if responds else None,
        client=exchange.client,
        user_path=exchange.user_path,
        created_at=exchange.created_at,
        operation=exchange.operation,
        dialect=exchange.dialect,
        provider=exchange.provider,
        model=exchange.attempts[-1].model if exchange.attempts else None,
        outcome=exchange.outcome,
        status=exchange.status,
        content_type=body.content_type if body is not None else "application/json",
        http_headers=exchange.http_headers or {},
        background=bool(wanted.background),
        request=exchange.request.content(),
        answer=answer,
    )


def may_read(found: Owned, client: str | None, user_path: str) -> bool:
    """Whether a caller may see it: who asked for it, from the same user path or one above."""
    if found.client != client:
        return False
    return user_path == "/" or f"{found.user_path}/".startswith(f"{user_path}/")


def response_of(found: Kept) -> Raw | None:
    """The response object in a kept answer."""
    return terminal_response(found.answer, found.content_type)
