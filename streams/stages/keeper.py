"""Keeps what is worth it of the answers that calls give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.clock import Clock
from schemas.errors import UpstreamError
from schemas.replies import Completed
from streams.caches import items
from streams.caches.base import Cache
from streams.caches.config import CacheConfig
from streams.caches.entry import Entry
from streams.caches.flight import Flight
from streams.caches.lookup import Lookup
from streams.caches.rules import may_be_kept

if TYPE_CHECKING:
    from streams.caches.meaning.semantic import Semantic


class Keeper:
    """Keeps whole answers."""

    def __init__(self, cache: Cache, config: CacheConfig, clock: Clock) -> None:
        self._cache = cache
        self._config = config
        self._clock = clock
        self.semantic: Semantic | None = None

    async def keep(self, flight: Flight) -> None:
        """Keep a whole answer, if it may be given again and came from whom it was asked of."""
        call, started, end = flight.call, flight.started, flight.end
        lookup = call.lookup
        if lookup is None or started is None or not isinstance(end, Completed):
            return
        other = (started.provider, started.model) != lookup.first or call.winner is not None
        if not lookup.control.write or other or len(flight.body) > self._config.max_entry:
            return
        now = self._clock.time()
        entry = Entry(
            key=lookup.key,
            body=flight.body,
            stored_at=now,
            expires_at=now + (lookup.control.ttl or self._config.ttl),
            provider=started.provider,
            model=started.model,
            finish_reason=end.finish_reason,
            response_model=end.response_model,
            usage=end.usage,
            seconds=call.attempts[-1].duration if call.attempts else 0.0,
            user_path=call.request.user_path,
            request_model=call.envelope.model,
            tags=lookup.control.tags,
        )
        if call.request.operation == "chat":
            answer = flight.listener.answer if flight.listener is not None else None
            if answer is not None and may_be_kept(answer, self._config.rules):
                await self._cache.put(entry)
                if self.semantic is not None and call.found is not None:
                    self.semantic.answered(call.found, entry, lookup.control.ttl)
        elif call.request.dialect == "openai_chat":
            await self._cache.put(*_vectors(entry, lookup))
        else:
            await self._cache.put(entry)


def _vectors(entry: Entry, lookup: Lookup) -> list[Entry]:
    """An entry for each text; none if the answer does not fit the question."""
    keys = items.keys(lookup.question, lookup.models)
    try:
        found = items.vectors(entry.body, len(keys))
    except UpstreamError:
        return []
    usage = entry.usage if len(keys) == 1 else None
    return [
        replace(entry, key=key, body=bytes(vector), usage=usage)
        for key, vector in zip(keys, found, strict=True)
    ]
