"""What went before a response that continues another: from the store of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Raw
from msgspec.structs import replace

from providers.base import Target
from schemas import response_items as items
from schemas.clock import Clock
from schemas.errors import InvalidRequest, PreviousResponseNotFound
from schemas.kept import AnswerStore, Kept, is_ours, may_read, response_of
from schemas.requests import Request

DIALECT = "openai_responses"
PATIENCE = 3.0  # seconds: an answer is stored some moments after its caller has it
LONGEST = 500  # responses in a row
_POLL = 0.1  # seconds


class Recall:
    """Makes requests that continue a response whole, for providers that do not know it."""

    def __init__(self, store: AnswerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def request_for(self, request: Request, target: Target) -> Request:
        """The request as `target` can answer it.

        Who made the previous response and keeps what it makes knows it, and so may any provider that
        keeps some if we do not. All others get the conversation in full, also those that speak this
        dialect: a provider that keeps nothing may answer without what went before, and not say so.
        PreviousResponseNotFound, or StoreUnavailable.
        """
        if request.dialect != DIALECT:
            return request
        name = items.previous_id(request.body)
        if name is None:
            return request
        route = target.endpoint.routes.get(DIALECT)
        keeps = route is not None and route.keeps
        ours = is_ours(name)
        found = await self._find(name, request, PATIENCE if ours or not keeps else 0.0)
        if found is None:
            if keeps and not ours:
                return request
            raise PreviousResponseNotFound(
                f"Previous response with id '{name[:100]}' not found.", param="previous_response_id"
            )
        if keeps and found.provider == target.instance and not ours:
            return request
        return await self._whole(request, name, found)

    async def retold(self, request: Request) -> Request | None:
        """The same in full, after its provider has not found what it continues: one forgets sooner than we
        do, and each of its accounts knows its own. None if we do not know it either."""
        name = items.previous_id(request.body)
        found = None if name is None else await self._find(name, request, 0.0)
        return None if name is None or found is None else await self._whole(request, name, found)

    async def _whole(self, request: Request, name: str, found: Kept) -> Request:
        history = await self._history(found, request)
        body = items.with_history(request.body, history)
        return replace(request, body=body, continues=name)

    async def _history(self, found: Kept, request: Request) -> Sequence[Raw]:
        """The items of the whole conversation up to `found`, in order."""
        turns: list[list[Raw]] = []
        last: Kept | None = found
        while last is not None:
            response = response_of(last)
            output = items.output_items(response) if response is not None else []
            own = items.input_items(last.request, last.request_id)
            turns.append(items.as_input([*own, *output]))
            if len(turns) > LONGEST:
                raise InvalidRequest(
                    f"The conversation is longer than {LONGEST} responses.",
                    param="previous_response_id",
                )
            name = items.previous_id(last.request)
            if name is None:
                break
            last = await self._find(name, request, 0.0)
            if last is None:
                raise PreviousResponseNotFound(
                    f"Response with id '{name[:100]}', earlier in the conversation, not found.",
                    param="previous_response_id",
                )
        return [item for turn in reversed(turns) for item in turn]

    async def _find(self, name: str, request: Request, patience: float) -> Kept | None:
        """Who may not see a response is told that there is none, and so nobody else is asked for it."""
        until = self._clock.monotonic() + patience
        while (found := await self._store.find(name)) is None:
            if self._clock.monotonic() >= until:
                return None
            await asyncio.sleep(_POLL)
        if found.response_id is None or found.outcome != "completed":
            return None  # an answer of another kind, or none
        if not may_read(found, request.client, request.user_path):
            raise PreviousResponseNotFound(
                f"Previous response with id '{name[:100]}' not found.", param="previous_response_id"
            )
        return found
