"""Answers a request by what was kept of an equal one, and keeps what is worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Raw
from msgspec.structs import replace

from providers.base import Target
from providers.retelling import as_answer, as_stream
from schemas.clock import Clock
from schemas.envelopes import EVENT_STREAM, JSON
from schemas.errors import GatewayError, NotCached, UpstreamError
from schemas.exchange import Cached
from schemas.identity import question
from schemas.metrics import Counter, Metrics
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from streams.caches import items
from streams.caches.base import Cache
from streams.caches.config import CacheConfig
from streams.caches.control import Control, control
from streams.caches.entry import Entry
from streams.caches.lookup import SIMILARITY_HEADER, Lookup, headers
from streams.stages import Call, Handler, Replies
from streams.stages.coalesce import bypassed

if TYPE_CHECKING:
    from streams.caches.meaning.semantic import Semantic

Kind = Literal["exact", "semantic"]
Targets = Callable[[Call], Sequence[Target]]
_ASKED = frozenset({"chat", "embeddings"})


class ExactCache:
    """A Handler around the one that makes calls; it says on the Call by what these may be shared."""

    def __init__(
        self,
        handler: Handler,
        cache: Cache,
        config: CacheConfig,
        targets: Targets,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """`targets`: who may answer, the one that is asked first in front."""
        self._handler = handler
        self._cache = cache
        self._config = config
        self._targets = targets
        self._clock = clock
        self.semantic: Semantic | None = None
        self.under_way: Callable[[Lookup], bool] = lambda lookup: False  # an equal request's call
        self._hits: dict[Kind, Counter] = {
            kind: metrics.counter("sluice_cache_requests", kind) for kind in get_args(Kind)
        }
        self._bypasses = metrics.counter("sluice_cache_requests", "bypass")

    def __call__(self, call: Call) -> Replies:
        if call.request.operation not in _ASKED:
            return self._handler(call)
        if call.features is not None and not call.features.cache:
            return self._bypassed(call)
        try:
            lookup = self._lookup(call)
        except GatewayError:
            return self._handler(call)  # nobody may answer; it is said there
        if lookup is None:
            return self._bypassed(call)
        if call.request.operation == "embeddings" and call.request.dialect == "openai_chat":
            return self._embedded(call, lookup)
        return self._looked_up(call, lookup)

    def _lookup(self, call: Call) -> Lookup | None:
        """None if no other may have the answer."""
        said = control(call.request.cache)
        if said.bypasses:
            return None
        epoch = call.guarded.epoch if call.guarded is not None else ""
        found = question(call.request, self._config.sharing, epoch)
        if found is None:
            return None
        targets = self._targets(call)
        models = tuple(sorted(f"{target.instance}/{target.model}" for target in targets))
        first = (targets[0].instance, targets[0].model) if targets else ("", "")
        return Lookup(found.key(models), found, said, models, first)

    async def _bypassed(self, call: Call) -> Replies:
        self._bypasses.inc()
        call.cached = Cached("bypass")
        if control(call.request.cache).only_if_cached:
            yield _not_cached()
            return
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                yield bypassed(reply)

    # -- answers

    async def _looked_up(self, call: Call, lookup: Lookup) -> Replies:
        (entry,) = await self._found(lookup.control, lookup.key)
        if entry is not None and (hit := self._hit(call, entry)) is not None:
            for reply in hit:
                yield reply
            return
        if self.semantic is not None and not self.under_way(lookup):
            for reply in await self._in_other_words(self.semantic, call, lookup):
                yield reply
            if call.cached is not None:
                return
        if lookup.control.only_if_cached:
            call.cached = Cached("miss", lookup.key)
            yield _not_cached()
            return
        call.lookup = lookup
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                yield reply

    async def _in_other_words(
        self, semantic: Semantic, call: Call, lookup: Lookup
    ) -> Sequence[Reply]:
        """Nothing if no such answer may be given; what is to be learnt then stands on the call."""
        found = await semantic.find(call, lookup)
        if found is not None and found.entry is not None:
            candidate = found.verdict.candidate
            similarity = candidate.similarity if candidate is not None else 0.0
            hit = self._hit(call, found.entry, "semantic", similarity)
            if hit is not None:
                semantic.served(call, lookup, found)
                return hit
        call.found = found
        return ()

    async def _found(self, said: Control, *keys: str) -> tuple[Entry | None, ...]:
        """What is kept and not too old for the caller."""
        if not (said.read and said.exact):
            return (None,) * len(keys)
        found = await self._cache.get(*keys)
        if said.max_age is None:
            return found
        oldest = self._clock.time() - said.max_age
        return tuple(entry if entry and entry.stored_at > oldest else None for entry in found)

    def _hit(
        self, call: Call, entry: Entry, kind: Kind = "exact", similarity: float | None = None
    ) -> list[Reply] | None:
        """None if the kept answer cannot be told as it is asked for."""
        request = call.request
        try:
            if request.operation == "embeddings":
                data = entry.body
            elif call.streamed:
                data = as_stream(request, entry.body, entry.model)
            else:
                data = as_answer(request, entry.body)
        except GatewayError:
            return None
        found: list[Reply] = [self._started(call, entry.key, (entry,), kind, similarity)]
        if call.streamed:
            found.append(Chunk(data))
            data = b""
        end = Completed(data, entry.finish_reason, None, entry.response_model)
        return [*found, end]

    def _started(
        self,
        call: Call,
        key: str,
        entries: Sequence[Entry],
        kind: Kind = "exact",
        similarity: float | None = None,
    ) -> Started:
        """The head of a hit: as old as the oldest of what it is made of."""
        self._hits[kind].inc()
        age = max(0.0, self._clock.time() - min(entry.stored_at for entry in entries))
        saved = entries[0].usage if len(entries) == 1 else None
        seconds = entries[0].seconds or None if len(entries) == 1 else None
        near = None if similarity is None else round(similarity, 4)
        call.cached = Cached(kind, key, round(age, 3), saved, seconds=seconds, similarity=near)
        content_type = EVENT_STREAM if call.streamed else JSON
        told = headers(f"HIT ({kind})", key, age)
        if near is not None:
            told[SIMILARITY_HEADER] = f"{near:.4f}"
        return Started(200, content_type, entries[0].provider, entries[0].model, told)

    # -- embeddings, text by text

    async def _embedded(self, call: Call, lookup: Lookup) -> Replies:
        wanted = items.texts(lookup.question)
        keys = items.keys(lookup.question, lookup.models)
        entries = await self._found(lookup.control, *keys)
        kept = [entry for entry in entries if entry is not None]
        missing = [index for index, entry in enumerate(entries) if entry is None]
        if kept and not missing:
            rest = items.nothing_used(kept[0].response_model or kept[0].model)
            body = items.together([Raw(entry.body) for entry in kept], rest)
            yield self._started(call, lookup.key, kept)
            yield Completed(body, None, None, kept[0].response_model)
            return
        if lookup.control.only_if_cached:
            call.cached = Cached("miss", lookup.key)
            yield _not_cached()
            return
        if not kept:
            call.lookup = lookup
            async with aclosing(self._handler(call)) as replies:
                async for reply in replies:
                    yield reply
            return
        asked = _part(call, lookup, [wanted[index] for index in missing])
        async with aclosing(self._handler(asked)) as replies:
            pieces: list[bytes] = []
            async for reply in replies:
                if isinstance(reply, Chunk):
                    pieces.append(reply.data)
                elif isinstance(reply, Completed):
                    _learnt(call, asked)
                    yield _completed(reply, pieces, entries, missing)
                else:
                    _learnt(call, asked)
                    yield reply


def _part(call: Call, lookup: Lookup, wanted: list[object]) -> Call:
    """A call for some of the texts."""
    asked = Call(replace(call.request, body=items.asking(call.request.body, wanted)), call.envelope)
    part = lookup.question.of(input=wanted)
    asked.lookup = replace(lookup, key=part.key(lookup.models), question=part)
    asked.waits = call.waits
    return asked


def _learnt(call: Call, asked: Call) -> None:
    """What a part of the call has learnt, the whole one knows."""
    call.attempts = asked.attempts
    call.upstream_started, call.first_content = asked.upstream_started, asked.first_content
    call.rule, call.winner, call.cached = asked.rule, asked.winner, asked.cached


def _completed(
    reply: Completed, pieces: list[bytes], entries: Sequence[Entry | None], missing: list[int]
) -> Reply:
    body = b"".join([*pieces, reply.data])
    try:
        fresh = dict(zip(missing, items.vectors(body, len(missing)), strict=True))
        rest = items.rest_of(body)
    except UpstreamError as error:
        return Failed(error, error.status)
    found = [Raw(entry.body) if entry else fresh[index] for index, entry in enumerate(entries)]
    return replace(reply, data=items.together(found, rest))


def _not_cached() -> Failed:
    error = NotCached()
    return Failed(error, error.status, http_headers=headers("MISS"))
