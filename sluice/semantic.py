"""The semantic cache of a worker, made from its settings. What it needs costs nothing where it is off."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.process import CannotStart, Context
from sluice.settings import Settings, semantic as rows, work
from streams.caches.embedders.base import Embedder, EmbedderError
from streams.caches.meaning.backstage import Backstage
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.decisions import Decisions, Learning, One
from streams.caches.meaning.learning import whole
from streams.caches.meaning.memory import Files, Memory
from streams.caches.meaning.parts import Parts
from streams.caches.meaning.seat import Seat
from streams.caches.meaning.semantic import Semantic
from streams.caches.semantic.judges import ByEmbedding, ByModel, Exact, Judge
from streams.caches.semantic.ledger import Ledger
from streams.caches.semantic.threshold import Threshold
from streams.caches.semantic.verified import Limits
from streams.caches.vectors.base import VectorError, VectorStore

if TYPE_CHECKING:
    from schemas.control import SemanticReport


async def semantic(
    context: Context,
    config: SemanticConfig,
    seat: Seat,
    backstage: Backstage,
    before: SemanticReport | None,
) -> Semantic:
    """All of it, not started yet; CannotStart if a part of it cannot be had here. `before` is what was
    counted until the last stop."""
    settings = context.settings
    try:
        embedder = await _embedder(settings, backstage)
        store = shared_store(settings)
        if store is None:
            from streams.caches.vectors.embedded import Embedded

            limits = (config.max_entries, config.max_answer_bytes)
            store = Embedded(seat.folder / "vectors", *limits)
    except (EmbedderError, VectorError) as error:
        raise CannotStart(f"the semantic cache: {error}") from error
    parts = Parts(
        config=config,
        embedder=embedder,
        store=store,
        judge=_judge(config, backstage, embedder),
        decisions=_decisions(context, config, seat, before),
        backstage=backstage,
    )
    return Semantic(parts, context.clock, context.metrics)


async def _embedder(settings: Settings, backstage: Backstage) -> Embedder:
    provider, model = settings[rows.EMBEDDER_PROVIDER], settings[rows.EMBEDDER_MODEL]
    if provider == rows.LOCAL:
        named = model or rows.DEFAULT_LOCAL_MODEL
        return await asyncio.to_thread(local_embedder, named, settings.data_dir / "models")
    from streams.caches.embedders.remote import Remote

    vendors = {each.name: each.vendor for each in settings.providers.instances}
    model = model or rows.DEFAULT_MODELS.get(vendors[provider], rows.DEFAULT_MODEL)

    async def send(body: bytes) -> bytes:
        return await backstage.embed(f"{provider}/{model}", body)

    return Remote(send, provider, model)


def local_embedder(model: str, folder: Path) -> Embedder:
    """Blocks: reads the model, maybe fetches it."""
    if Path(model).is_dir():
        from streams.caches.embedders.local import Local

        return Local(Path(model))
    from streams.caches.embedders.fetched import Fetched

    return Fetched(model, folder)


def shared_store(settings: Settings) -> VectorStore | None:
    """The store that is a server; None where each worker has its own."""
    match rows.store_type(settings):
        case "weaviate":
            from streams.caches.vectors.weaviate import Weaviate

            return Weaviate(
                settings[rows.WEAVIATE_URL] or "",
                settings[rows.WEAVIATE_KEY] or None,
                settings[rows.WEAVIATE_CLASS],
                settings[rows.WEAVIATE_GRPC],
            )
        case "qdrant":
            from streams.caches.vectors.qdrant import Qdrant

            return Qdrant(
                settings[rows.QDRANT_URL] or "",
                settings[rows.QDRANT_KEY] or None,
                settings[rows.QDRANT_COLLECTION],
            )
        case "pgvector":
            from streams.caches.vectors.pgvector import PgVector

            return PgVector(settings[rows.PGVECTOR_URL] or "", settings[rows.PGVECTOR_TABLE])
        case "pinecone":
            from streams.caches.vectors.pinecone import Pinecone

            return Pinecone(
                settings[rows.PINECONE_HOST],
                settings[rows.PINECONE_KEY],
                settings[rows.PINECONE_NAMESPACE],
            )
        case "embedded":
            return None


def _judge(config: SemanticConfig, backstage: Backstage, embedder: Embedder) -> Judge:
    if (model := config.judge_model) is not None:

        async def complete(prompt: str) -> str:
            return await backstage.complete(model, prompt)

        return ByModel(complete)
    return Exact() if config.judge == "exact" else ByEmbedding(whole(embedder))


def _decisions(
    context: Context, config: SemanticConfig, seat: Seat, before: SemanticReport | None
) -> Decisions:
    if config.max_error_rate is None:
        threshold = Threshold(config.threshold, judged=config.shadow)
        if before is not None and before.mode == "threshold" and before.shadow == config.shadow:
            counted = (before.requests, before.served, before.wrong, before.variance, before.judged)
            threshold.ledger = Ledger(*counted)
        return One(threshold)
    limits = Limits(max_error_rate=config.max_error_rate)
    if config.shadow:  # the fresh answer is there anyway: all are compared
        limits = Limits(max_error_rate=config.max_error_rate, judged=1.0, judged_least=1.0)
    learning = Learning(limits, seat.name, _memory(context), random.Random().random)
    learning.start()
    return learning


def _memory(context: Context) -> Memory:
    if (url := context.settings[work.REDIS_URL]) is None:
        return Files(context.settings.data_dir / "caches" / "learnt", context.clock)
    from streams.caches.meaning.memory_redis import InRedis

    return InRedis(url, context.settings[rows.KEY_LEARNT])
