"""What a semantic cache is made of."""

from __future__ import annotations

from msgspec import Struct

from streams.caches.embedders.base import Embedder
from streams.caches.meaning.backstage import Backstage
from streams.caches.meaning.config import SemanticConfig
from streams.caches.meaning.decisions import Decisions
from streams.caches.semantic.judges import Judge
from streams.caches.vectors.base import VectorStore


class Parts(Struct, frozen=True):
    """Each could be another one."""

    config: SemanticConfig
    embedder: Embedder
    store: VectorStore
    judge: Judge
    decisions: Decisions
    backstage: Backstage
