"""An ingress of one's own in the test's process, over whatever broker there is."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import structs

from ingress.app import create_app, run
from ingress.config import IngressConfig
from ingress.gateway import Gateway
from schemas.clock import SystemClock
from schemas.kafka import KafkaConfig
from schemas.kept import AnswerStore, NoAnswers
from schemas.metrics import Metrics
from schemas.models import Model
from schemas.topics import Retention, Topics, table
from tests.ingress.worker import Worker

PARTITIONS = 2
KEY = "sk-test-master"


class Catalog:
    """Two models, one with slashes in its name."""

    _models = (
        Model("groq/openai/gpt-oss-120b", 1_700_000_000, "groq"),
        Model("sim/sim-1", 1_700_000_000, "sim"),
    )

    def models(self, user_path: str) -> tuple[Model, ...]:
        return self._models

    def find(self, name: str, user_path: str) -> Model | None:
        for model in self._models:
            if name in (model.id, model.id.partition("/")[2]):
                return model
        return None

    def vendor(self, name: str) -> str | None:
        return {"sim": "sim", "groq": "groq", "groq-east": "groq"}.get(name)


class Ingress:
    """A running ingress and a client of it."""

    def __init__(
        self, gateway: Gateway, url: str, client: httpx.AsyncClient, stop: asyncio.Event
    ) -> None:
        self.gateway = gateway
        self.url = url
        self.host, _, port = url.removeprefix("http://").rpartition(":")
        self.port = int(port)
        self.client = client
        self.stop = stop

    def listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    async def chat(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        return await self.client.post("/v1/chat/completions", json=body(**fields), headers=headers)

    async def raw(self, data: bytes, *, timeout: float = 10.0) -> bytes:
        """Send bytes on a new connection; everything that comes back until it is closed."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(timeout):
                return await reader.read()
        finally:
            writer.close()


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "sim/sim-1", "messages": [{"role": "user", "content": "hi"}]} | fields


async def until(done: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until `done()` is true; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110  # what is waited for is in another process or task
            await asyncio.sleep(0.01)


async def create_topics(kafka: KafkaConfig) -> None:
    """The topics of one test."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config)
                for topic in table(kafka.topics, PARTITIONS, 2, Retention())
            ]
        )
    finally:
        await admin.close()


def settings_of(port: int, **settings: Any) -> IngressConfig:
    return structs.replace(
        IngressConfig(port=port, partitions=PARTITIONS, master_key=KEY, shutdown_timeout=1.0),
        **settings,
    )


def start_without_waiting(
    config: IngressConfig, kafka: KafkaConfig
) -> tuple[asyncio.Task[None], asyncio.Event]:
    """An ingress that may never be ready, and the event that stops it."""
    app = create_app(config, kafka, Catalog(), NoAnswers(), Metrics(), SystemClock())
    stop = asyncio.Event()
    return asyncio.create_task(run(app, stop=stop, ready=lambda _: None)), stop


@asynccontextmanager
async def ingress_over(
    kafka: KafkaConfig, port: int, *, answers: AnswerStore | None = None, **settings: Any
) -> AsyncIterator[Ingress]:
    """An ingress that is ready; it is stopped at the end if the test has not stopped it."""
    config, kept = settings_of(port, **settings), answers or NoAnswers()
    app = create_app(config, kafka, Catalog(), kept, Metrics(), SystemClock())
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(run(app, stop=stop, ready=ready.set_result))
    try:
        await asyncio.wait((running, ready), timeout=20, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            stop.set()
            await running
        async with client_of(ready.result()) as client:
            yield Ingress(app.ctx.gateway, ready.result(), client, stop)
    finally:
        stop.set()
        await asyncio.wait((running,))
    running.result()


def client_of(url: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {KEY}"}
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=20, limits=limits)


Start = Callable[..., Awaitable[Ingress]]


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap_servers=kafka_bootstrap, topics=Topics(topic_prefix))
    await create_topics(config)
    return config


@pytest.fixture
async def worker(kafka: KafkaConfig) -> AsyncIterator[Worker]:
    async with Worker(kafka).running() as worker:
        yield worker


@pytest.fixture
async def start(kafka: KafkaConfig, free_port: Callable[[], int]) -> AsyncIterator[Start]:
    """`await start(body_limit=…)` starts an ingress with these settings, maybe with a store of answers."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> Ingress:
            settings.setdefault("publish_timeout", 10.0)  # a busy machine is no outage of the log
            return await stack.enter_async_context(ingress_over(kafka, free_port(), **settings))

        yield begin
