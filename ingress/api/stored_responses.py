"""`/v1/responses/<id>`: what was stored of a response, whoever made it.

https://platform.openai.com/docs/api-reference/responses/get and the pages beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from ingress.api.background_responses import (
    Asker,
    cancelled,
    events_after,
    forget,
    look_up,
)
from ingress.api.passthrough import query_of
from ingress.auth import who
from ingress.background import response_object
from ingress.caller import user_path
from ingress.errors import error_answer, identity_lines
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.intake import Asked, ask, take
from ingress.wire import Answer
from schemas import response_items as items
from schemas.envelopes import EVENT_STREAM
from schemas.errors import GatewayError, InvalidRequest, ResponseNotFound
from schemas.kept import Kept, is_ours, may_read, response_of
from schemas.replies import Head
from schemas.requests import Relay

PATIENCE = 2.0  # seconds: an answer is stored some moments after its caller has it
MAX_LIMIT = 100
_POLL = 0.1  # seconds
_JSON = b"content-type: application/json\r\n"
_EVENTS = b"content-type: text/event-stream\r\ncache-control: no-cache\r\n"
_encode = msgspec.json.Encoder().encode

Work = Callable[[Gateway, IncomingRequest, Kept, str], Awaitable[tuple[bytes, bytes]]]


class DeletedResponse(Struct):
    """It is forgotten."""

    id: str
    object: str = "response"
    deleted: bool = True


class ItemList(Struct):
    """A page of items."""

    data: Sequence[Raw]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


class _Event(Struct):
    sequence_number: int = -1


class _State(Struct):
    id: str = ""
    status: str | None = None


class _Running(Exception):
    """The provider works on it in the background, and only it knows how far it is."""

    def __init__(self, provider: str, response_id: str) -> None:
        self.provider = provider
        self.response_id = response_id


class _Refused(Exception):
    """The provider's own answer."""

    def __init__(self, head: Head, body: bytes) -> None:
        self.head = head
        self.body = body


_event = msgspec.json.Decoder(_Event).decode
_state = msgspec.json.Decoder(_State).decode
# A provider that keeps none says so in one of these ways, and so does a gateway without that provider.
_NOT_THERE = (400, 404, 405, 410, 501)
_RUNS = ("queued", "in_progress")


async def stored_response(request: IncomingRequest, name: str) -> Answer | None:
    """GET: the response. DELETE: forget it."""
    work = _deleted if request.method == "DELETE" else _shown
    return await _answered(request, name, work)


async def cancel_response(request: IncomingRequest, name: str) -> Answer | None:
    """POST: what runs in the background can be cancelled; what is stored has ended."""
    return await _answered(request, name, _cancelled, "/cancel")


async def input_items(request: IncomingRequest, name: str) -> Answer | None:
    """GET: the items of its input, page by page."""
    return await _answered(request, name, _items)


async def _answered(
    request: IncomingRequest, name: str, work: Work, action: str = ""
) -> Answer | None:
    gateway: Gateway = request.app.ctx.gateway
    began = gateway.clock.monotonic()
    try:
        gateway.identify(request)
        principal = who(gateway, request)
        client = principal.name
        asker = Asker(client, principal.path(user_path(request.headers)))
        found = await _find(gateway, request, name, asker)
        if found is None or not may_read(found, client, asker.user_path):
            raise ResponseNotFound(f"Response with id '{name[:100]}' not found.")
        if found.background:
            answer = await _in_background(gateway, request, found, asker, work)
        else:
            lines, content = await work(gateway, request, found, name)
            answer = Answer(200, lines + identity_lines(request), content)
    except _Running as running:
        path = f"/responses/{quote(running.response_id, safe='')}{action}{query_of(request)}"
        relay = Relay(running.provider, request.method, path)
        return await take(request, Asked("stored_responses", "relay", relay=relay))
    except _Refused as refused:
        lines = f"content-type: {refused.head.content_type}\r\n".encode() + identity_lines(request)
        answer = Answer(refused.head.status, lines, refused.body)
    except GatewayError as error:
        answer = error_answer(request, error)
    gateway.observe("stored_responses", 200 if answer is None else answer.status, began)
    return answer


async def _find(gateway: Gateway, request: IncomingRequest, name: str, asker: Asker) -> Kept | None:
    """What is stored; of one that is made in the background, what the log says of it."""
    until = gateway.clock.monotonic() + PATIENCE
    found = await gateway.answers.find(name)
    if found is None and (running := await look_up(gateway, request, name, asker)) is not None:
        return running
    while found is None:
        if gateway.clock.monotonic() >= until:
            return None
        await asyncio.sleep(_POLL)
        found = await gateway.answers.find(name)
    return found if found.response_id is not None else None


async def _in_background(
    gateway: Gateway, request: IncomingRequest, found: Kept, asker: Asker, work: Work
) -> Answer | None:
    """The same of a Response whose caller did not wait: it may still be made."""
    if work is _shown and _argument(request, "stream") == "true":
        after = _number(request, "starting_after", -1, None)
        await events_after(gateway, request, found, after, asker)
        return None
    if work is _cancelled:
        lines, content = _JSON, await cancelled(gateway, request, found, asker)
    elif work is _shown:
        lines, content = _JSON, response_object(found)
    else:
        if work is _deleted:
            await forget(gateway, found)
        lines, content = await work(gateway, request, found, found.response_id or "")
    return Answer(200, lines + identity_lines(request), content)


def _check_ended(found: Kept) -> None:
    """_Running if it has not."""
    try:
        state = _state(response_of(found) or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return
    if state.status in _RUNS and state.id and found.provider:
        raise _Running(found.provider, state.id)


async def _shown(
    gateway: Gateway, request: IncomingRequest, found: Kept, name: str
) -> tuple[bytes, bytes]:
    _check_ended(found)
    if _argument(request, "stream") == "true":
        return _EVENTS, _events_after(found, _number(request, "starting_after", -1, None))
    response = response_of(found)
    if response is None:
        raise ResponseNotFound(f"Response with id '{name[:100]}' not found.")
    return _JSON, bytes(response)


async def _deleted(
    gateway: Gateway, request: IncomingRequest, found: Kept, name: str
) -> tuple[bytes, bytes]:
    if not found.background:
        await _delete_there(gateway, request, found)
    await gateway.answers.delete(found.request_id)
    return _JSON, _encode(DeletedResponse(name))


async def _delete_there(gateway: Gateway, request: IncomingRequest, found: Kept) -> None:
    """Who made the response may keep it, too. _Refused if it is not deleted there: so it is not here."""
    own = found.response_id or ""
    if found.provider is None or not own or is_ours(own):
        return  # it was translated, and only we know it
    path = f"/responses/{quote(own, safe='')}"
    relay = Relay(found.provider, "DELETE", path)
    head, body = await ask(request, Asked("stored_responses", "relay", relay=relay))
    if head.status not in _NOT_THERE and not 200 <= head.status < 300:
        raise _Refused(head, body)


async def _cancelled(
    gateway: Gateway, request: IncomingRequest, found: Kept, name: str
) -> tuple[bytes, bytes]:
    _check_ended(found)
    raise InvalidRequest("Cannot cancel a response that has ended.")


async def _items(
    gateway: Gateway, request: IncomingRequest, found: Kept, name: str
) -> tuple[bytes, bytes]:
    limit = _number(request, "limit", 20, MAX_LIMIT)
    order = _argument(request, "order") or "desc"
    if order not in ("asc", "desc"):
        raise InvalidRequest("`order` must be asc or desc.", param="order")
    listed = items.input_items(found.request, found.request_id)
    if order == "desc":
        listed.reverse()
    names = [items.response_id(item) or "" for item in listed]
    start = 0
    if (after := _argument(request, "after")) is not None:
        if after not in names:
            raise InvalidRequest(f"There is no item '{after[:100]}'.", param="after")
        start = names.index(after) + 1
    page, named = listed[start : start + limit], names[start : start + limit]
    first, last = (named[0], named[-1]) if named else (None, None)
    return _JSON, _encode(ItemList(page, first, last, start + limit < len(listed)))


def _events_after(found: Kept, number: int) -> bytes:
    """The events of a stream that come after the one of that number."""
    if not found.content_type.startswith(EVENT_STREAM):
        raise InvalidRequest("This response was not streamed.", param="stream")
    kept = []
    for event in found.answer.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = event.partition(b"data:")[2]
        try:
            wanted = _event(data).sequence_number > number
        except msgspec.DecodeError:
            wanted = False
        if wanted:
            kept.append(event + b"\n\n")
    return b"".join(kept)


def _argument(request: IncomingRequest, name: str) -> str | None:
    found: str | None = request.args.get(name)
    return found


def _number(request: IncomingRequest, name: str, default: int, highest: int | None) -> int:
    given = _argument(request, name)
    if given is None:
        return default
    if not given.isascii() or not given.isdecimal() or (highest and not 1 <= int(given) <= highest):
        text = f"a number from 1 to {highest}" if highest else "a number"
        raise InvalidRequest(f"`{name}` must be {text}.", param=name)
    return int(given)
