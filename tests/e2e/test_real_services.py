"""The whole on Kafka, MongoDB and Redis: the roles one by one, and `sluice serve`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient

from tests.stack import Stack, until


@pytest.fixture
def database(mongodb_url: str, topic_prefix: str) -> str:
    return topic_prefix.rstrip(".")


@pytest_asyncio.fixture
async def stack(
    tmp_path: Path,
    kafka_bootstrap: str,
    mongodb_url: str,
    redis_url: str,
    database: str,
    topic_prefix: str,
) -> AsyncIterator[Stack]:
    built = Stack(
        tmp_path,
        kafka_bootstrap,
        topic_prefix,
        MONGODB_URL=mongodb_url,
        MONGODB_DATABASE=database,
        REDIS_URL=redis_url,
        STORAGE_TYPE="",
        SLUICE_MASTER_KEY="sk-test",
    )
    yield built
    built.erase()
    with MongoClient(mongodb_url) as client:
        client.drop_database(database)


async def one_of_each(stack: Stack) -> set[str]:
    """A plain and a streamed answer; their request ids."""
    body = {"model": "sim-echo", "messages": [{"role": "user", "content": "one two"}]}
    headers = {"authorization": "Bearer sk-test"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:
        plain = await client.post("/v1/chat/completions", json=body)
        assert plain.json()["choices"][0]["message"]["content"] == "one two"
        streamed = await client.post("/v1/chat/completions", json=body | {"stream": True})
        assert streamed.text.endswith("data: [DONE]\n\n")
    return {answer.headers["sluice-request-id"] for answer in (plain, streamed)}


async def stored(url: str, database: str, ids: set[str]) -> None:
    """Wait until MongoDB has one document for each, with both bodies."""
    with MongoClient(url) as client:
        collection = client[database]["exchanges"]
        await until(lambda: set(collection.distinct("_id")) >= ids, what="the documents are stored")
        for document in collection.find({"_id": {"$in": sorted(ids)}}):
            assert document["request"]["body"]["model"] == "sim-echo"
            message = document["response"]["body"]["choices"][0]["message"]
            assert message["content"] == "one two"


async def test_the_roles_one_by_one(stack: Stack, mongodb_url: str, database: str) -> None:
    """Each is started singly; MongoDB is the store because MONGODB_URL is set."""
    await stack.start_all()
    ids = await one_of_each(stack)

    await stored(mongodb_url, database, ids)


async def test_serve_on_the_real_services(stack: Stack, mongodb_url: str, database: str) -> None:
    """The same command as on one machine uses the cluster, and starts no broker of its own."""
    await stack.start("sim")
    serve = stack.launch("serve", SLUICE_SUPERVISOR="")
    await until(lambda: ready(stack), what=f"serve is ready: {serve.text()[-2000:]}")
    ids = await one_of_each(stack)
    await stored(mongodb_url, database, ids)
    serve.terminate()

    assert await serve.ended() == 0
    assert '"role": "broker"' not in serve.text()


async def ready(stack: Stack) -> bool:
    try:
        async with httpx.AsyncClient(base_url=stack.url, timeout=5) as client:
            return (await client.get("/health/ready")).status_code == 200
    except httpx.HTTPError:
        await asyncio.sleep(0)
        return False
