"""The semantic cache over the processes that the gateway is, with each store that is a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import AsyncClient

from tests.brokers import embedded_broker
from tests.contracts.pinecone_server import KEY
from tests.contracts.vector_subjects import (
    PineconeSubject,
    PostgresSubject,
    Subject,
    WeaviateSubject,
)
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "sk-test"
ASKED = "How do I reset my {} password?"
OTHERWISE = "How can I reset my {} password?"
# Qdrant has no server here: its client's local mode is no address that a user may give.
SUBJECTS: Mapping[str, Callable[[Path], Subject]] = {
    "pgvector": PostgresSubject,
    "weaviate": WeaviateSubject,
    "pinecone": PineconeSubject,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> AsyncIterator[Stack]:
    """All but the worker, whose store differs."""
    folder = tmp_path_factory.mktemp("stores")
    async with embedded_broker(folder) as broker:
        built = Stack(
            folder,
            broker.bootstrap,
            "llm.",
            SLUICE_MASTER_KEY=SECRET,
            SEMANTIC_CACHE_ENABLED="true",
            SEMANTIC_CACHE_EMBEDDER_PROVIDER="local",
            SEMANTIC_CACHE_EMBEDDER_MODEL=str(shared_dir / "semantic" / "model"),
            SEMANTIC_CACHE_THRESHOLD="0.8",
            SEMANTIC_CACHE_TIMEOUT="30s",
        )
        await asyncio.gather(built.start("sim"), built.start("ingress"))
        yield built
        built.erase()


@pytest_asyncio.fixture(loop_scope="module", params=list(SUBJECTS))
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    made = SUBJECTS[request.param](tmp_path)
    await made.start()
    yield made
    await made.stop()


def settings(subject: Subject) -> Mapping[str, str]:
    """What a user sets."""
    match subject:
        case PostgresSubject():
            said = {"PGVECTOR_URL": subject.url, "PGVECTOR_TABLE": subject.table}
        case WeaviateSubject():
            said = {
                "WEAVIATE_URL": subject.url,
                "WEAVIATE_GRPC": subject.grpc,
                "WEAVIATE_CLASS": subject.name,
            }
        case PineconeSubject():
            said = {"PINECONE_HOST": subject.server.url, "PINECONE_API_KEY": KEY}
        case _:
            raise AssertionError(subject)
    named = {"VECTOR_STORE_TYPE": subject.title, **said}
    return {f"SEMANTIC_CACHE_{name}": value for name, value in named.items()}


async def test_a_hit_from_a_server(stack: Stack, subject: Subject) -> None:
    """A worker that is told of a server keeps its questions there, in no file of its own, and answers
    a paraphrase from it; what denies the question gets a call."""
    worker = await stack.start("streams", **settings(subject))
    headers = {"authorization": f"Bearer {SECRET}"}
    async with AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:

        async def ask(form: str, **said: str) -> tuple[str, str]:
            text = form.format(subject.title)
            body = {"model": "sim-echo", "messages": [{"role": "user", "content": text}]}
            found = await client.post("/v1/chat/completions", json=body, headers=said)
            return found.headers["x-cache"], found.text

        async def kept() -> bool:
            return (await ask(OTHERWISE, **{"cache-control": "only-if-cached"}))[0] != "MISS"

        async def known() -> bool:
            return "sim-echo" in (await client.get("/v1/models")).text

        await until(known)
        assert (await ask(ASKED))[0] == "MISS"
        await until(kept)
        result, answer = await ask(OTHERWISE)
        assert result == "HIT (semantic)"
        assert ASKED.format(subject.title) in answer
        assert (await ask("How can I not reset my {} password?"))[0] == "MISS"
    await worker.stop()
    assert not list(stack.folder.rglob("vectors"))
