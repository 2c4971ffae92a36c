"""Bodies that are larger than a record, from an SDK's call to the provider and back, over crashes."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests import services
from tests.brokers import embedded_broker
from tests.stack import Process, Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-large-master"
MIB = 1 << 20
CONTENT = os.urandom(MIB) * 40


class World:
    def __init__(self, stack: Stack, ingress: Process, client: AsyncOpenAI) -> None:
        self.stack = stack
        self.ingress = ingress
        self.client = client
        self.spool = stack.folder / "data" / "spool"

    def bodies(self) -> list[str]:
        return [each for each in os.listdir(self.spool) if not each.startswith(".seen-")]

    async def upload(self, content: bytes, client: AsyncOpenAI | None = None) -> str:
        extra = {
            "provider": "openai"
        }  # a field of the gateway's own, which the provider must not see
        file = await (client or self.client).files.create(
            file=("a.bin", content), purpose="user_data", extra_body=extra
        )
        return file.id

    async def kept(self, file_id: str) -> bytes:
        """What the provider has."""
        url = f"http://127.0.0.1:{self.stack.sim_port}/v1/files/{file_id}/content"
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("large")
    async with embedded_broker(folder) as broker:
        sim = services.free_port()
        stack = Stack(
            folder,
            broker.bootstrap,
            "llm.",
            GOMODEL_MASTER_KEY=KEY,
            BODY_SIZE_LIMIT="60M",
            HTTP_MAX_RESPONSE_SIZE="60M",
            SPOOL_DIR=str(folder / "data" / "spool"),
            SLUICE_PARTITIONS="1",
            KAFKA_GROUP_INSTANCE_ID="large",  # who comes back has its partitions at once
            OPENAI_BASE_URL=f"http://127.0.0.1:{sim}/v1",
            OPENAI_API_KEY="sk-sim",
        )
        stack.sim_port = sim
        stack.env |= {"SLUICE_SIM_PORT": str(sim), "SLUICE_SIM_URL": f"http://127.0.0.1:{sim}/v1"}
        try:
            await stack.start("sim")
            ingress, stack.base["streams"] = await asyncio.gather(
                stack.start("ingress"), stack.start("streams")
            )
            async with AsyncOpenAI(
                base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0, timeout=60
            ) as client:
                yield World(stack, ingress, client)
        finally:
            stack.erase()


def resident(process: Process, what: str) -> int:
    """Bytes: `VmRSS` now, `VmHWM` at most so far."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == what:
            return int(rest.split()[0]) << 10
    raise LookupError(what)


async def test_an_upload_is_never_in_memory(world: World) -> None:
    """40 MiB reach the provider byte by byte and come back so, through processes that grow by less than
    half of it; then nothing of it is left. Its exchange says what it was."""
    processes = (world.ingress, world.stack.base["streams"])
    before = [resident(each, "VmRSS") for each in processes]

    file_id = await world.upload(CONTENT)
    found = await world.client.files.content(file_id, extra_query={"provider": "openai"})

    assert hashlib.sha256(found.content).digest() == hashlib.sha256(CONTENT).digest()
    assert await world.kept(file_id) == CONTENT
    after = [resident(each, "VmHWM") for each in processes]
    assert [late - early < 20 * MIB for early, late in zip(before, after, strict=True)] == [
        True
    ] * 2
    await until(lambda: not world.bodies())
    sent, returned = (await world.stack.exchanges())[-2:]
    assert sent.outcome == returned.outcome == "completed"
    assert sent.request.claim is not None
    assert sent.request.claim.size is not None
    assert sent.request.claim.size > len(CONTENT)
    assert returned.response is not None
    assert returned.response.claim is not None
    assert returned.response.claim.size == len(CONTENT)


async def test_json_is_understood(world: World) -> None:
    """A chat of more than a record is answered as any other, and streamed."""
    image = f"data:image/png;base64,{'iVBORw0K' * (2 * MIB)}"
    stream = await world.client.chat.completions.create(
        model="openai/sim-3",
        messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}
        ],
        stream=True,
    )
    events = [event async for event in stream]

    said = "".join(event.choices[0].delta.content or "" for event in events)
    assert said == f" [image image/png {12 * MIB}]"  # the provider has understood all of it
    await until(lambda: not world.bodies())


async def test_a_key_may_ask_no_more_by_a_large_body(world: World) -> None:
    """What a key may ask for holds for what stands in a file, too, and nothing of it is left."""
    made = {"name": "one model", "models": ["openai/sim-2"]}
    body = {"model": "openai/sim-3", "input": "x" * 16 * MIB}
    async with httpx.AsyncClient(base_url=world.stack.url, timeout=60) as client:
        master = {"authorization": f"Bearer {KEY}"}
        key = await client.post("/admin/api/v1/auth-keys", json=made, headers=master)
        limited = {"authorization": f"Bearer {key.json()['value']}"}
        found = await client.post("/v1/embeddings", json=body, headers=limited)

    assert (found.status_code, found.json()["error"]["code"]) == (400, "model_access_denied")
    assert world.bodies() == []


async def test_a_killed_worker_finds_the_body_again(world: World) -> None:
    """The file is there for whoever runs the request next, until its outcome is recorded."""
    content = b"again " + CONTENT[: 16 * MIB]
    await world.stack.base["streams"].stop()
    armed = await world.stack.start("streams", SLUICE_FAULT_POINT="streams.answered")
    uploading = asyncio.create_task(world.upload(content))
    assert await armed.ended() == -9
    assert len(world.bodies()) == 1

    world.stack.base["streams"] = await world.stack.start("streams")
    file_id = await uploading

    assert await world.kept(file_id) == content
    await until(lambda: not world.bodies())


async def test_a_body_that_is_gone_is_told(world: World) -> None:
    """In its caller's dialect, and once: no provider is asked, and the outcome is recorded."""
    await world.stack.base["streams"].stop()
    body = {"model": "openai/sim-3", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * 16 * MIB}]}  # fmt: skip
    async with httpx.AsyncClient(headers={"x-api-key": KEY}, timeout=60) as client:
        asking = asyncio.create_task(client.post(f"{world.stack.url}/v1/messages", json=body))
        await until(lambda: [each for each in world.bodies() if not each.endswith(".part")])
        for each in world.bodies():
            (world.spool / each).unlink()
        world.stack.base["streams"] = await world.stack.start("streams")
        found = await asking

    assert found.status_code == 500
    assert found.json()["type"] == "error"
    assert "SPOOL_DIR" in found.json()["error"]["message"]
    exchange = (await world.stack.exchanges())[-1]
    assert (exchange.outcome, exchange.attempts) == ("failed", ())
    assert exchange.error is not None
    assert exchange.error.code == "body_lost"


async def test_an_ingress_that_dies_leaves_a_file_to_sweep(world: World) -> None:
    """Nobody refers to it, so that its age alone removes it; the caller has no answer."""
    await world.ingress.stop()
    armed = await world.stack.start("ingress", SLUICE_FAULT_POINT="ingress.spooled")
    with pytest.raises(openai.APIConnectionError):
        await world.upload(CONTENT[: 16 * MIB])
    assert await armed.ended() == -9
    (left,) = world.bodies()
    os.utime(world.spool / left, (1e9, 1e9))

    world.ingress = await world.stack.start("ingress")

    await until(lambda: not world.bodies())
