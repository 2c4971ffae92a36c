"""Checks of the semantic cache: its model on this machine, and the store that it shares."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sluice.doctor.finding import Finding
from sluice.settings import Settings, semantic as rows

_NOBODY = "doctor"  # a namespace that no question has


async def check_semantic_cache(settings: Settings) -> list[Finding]:
    """What it needs beside providers; nothing is made or changed."""
    if rows.config(settings) is None:
        return []
    return [*await _check_embedder(settings), *await _check_store(settings)]


async def _check_embedder(settings: Settings) -> list[Finding]:
    from sluice.semantic import local_embedder
    from streams.caches.embedders.base import EmbedderError

    model = settings[rows.EMBEDDER_MODEL]
    if settings[rows.EMBEDDER_PROVIDER] != rows.LOCAL or not await asyncio.to_thread(
        _is_folder, model
    ):
        return []  # a provider is checked as such; what is not there is fetched at the start
    try:
        embedder = await asyncio.to_thread(local_embedder, model, settings.data_dir)
        vector = await embedder.embed("hello")
        await embedder.close()
    except EmbedderError as error:
        mend = f"Check {rows.EMBEDDER_MODEL.name}."
        return [Finding("embedder", "wrong", str(error), mend)]
    length = 0 if vector is None else len(vector)
    return [Finding("embedder", "ok", f"{model} makes vectors of {length} numbers")]


def _is_folder(path: str) -> bool:
    return bool(path) and Path(path).is_dir()


async def _check_store(settings: Settings) -> list[Finding]:
    from sluice.semantic import shared_store
    from streams.caches.vectors.base import ByNamespace, VectorError

    kind = rows.store_type(settings)
    try:
        store = shared_store(settings)
        if store is None:
            return [Finding("vector store", "ok", f"{kind}, in {settings.data_dir}")]
        try:
            await store.remove(ByNamespace(_NOBODY))
        finally:
            await store.close()
    except VectorError as error:
        named = " and ".join(row.name for row in rows.NEEDED[kind])
        return [Finding("vector store", "wrong", str(error), f"Check {named}, and that it runs.")]
    return [Finding("vector store", "ok", f"{kind} answers")]
