"""Answers that can be asked for again, by the id of their request or of their response."""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from schemas.exchange import Exchange
from schemas.response_items import response_id, terminal_response


class Kept(Struct, frozen=True, kw_only=True):
    """A finished request with its answer, whole: no body switch or cap applies to it."""

    request_id: str
    response_id: str | None = None  # of an OpenAI response: what its caller knows it by
    client: str | None = None  # name of the key
    user_path: str = "/"
    created_at: str = ""  # RFC 3339
    operation: str = "chat"
    dialect: str = "openai_chat"
    provider: str | None = None  # instance
    outcome: str = "completed"
    status: int = 200
    content_type: str = "application/json"
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

    async def close(self) -> None: ...


class NoAnswers:
    """The store of a gateway that keeps none."""

    async def find(self, name: str) -> Kept | None:
        return None

    async def delete(self, name: str) -> bool:
        return False

    async def close(self) -> None:
        return


class _Asked(Struct):
    store: bool | None = None


_asked = msgspec.json.Decoder(_Asked).decode


def kept(exchange: Exchange) -> Kept | None:
    """What of an exchange is to be kept; None if nothing: its caller did not ask for it."""
    if exchange.dialect != "openai_responses" or exchange.operation != "chat":
        return None
    if exchange.outcome != "completed" or exchange.response is None:
        return None
    try:
        if _asked(exchange.request.body).store is False:
            return None
    except msgspec.DecodeError:
        return None
    answer = exchange.response.content()
    name = response_id(terminal_response(answer, exchange.response.content_type))
    if name is None:
        return None
    return Kept(
        request_id=exchange.request_id,
        response_id=name,
        client=exchange.client,
        user_path=exchange.user_path,
        created_at=exchange.created_at,
        operation=exchange.operation,
        dialect=exchange.dialect,
        provider=exchange.provider,
        outcome=exchange.outcome,
        status=exchange.status,
        content_type=exchange.response.content_type,
        request=exchange.request.content(),
        answer=answer,
    )


def may_read(found: Kept, client: str | None, user_path: str) -> bool:
    """Whether a caller may see it: who asked for it, from the same user path or one above."""
    if found.client != client:
        return False
    return user_path == "/" or f"{found.user_path}/".startswith(f"{user_path}/")


def response_of(found: Kept) -> Raw | None:
    """The response object in a kept answer."""
    return terminal_response(found.answer, found.content_type)
