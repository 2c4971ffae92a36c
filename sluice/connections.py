"""What several roles stand on: the log with its topics, the providers, /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from schemas.kafka import KafkaConfig
from schemas.kinds import KINDS
from schemas.spool import Spool
from schemas.tasks import Tasks
from sluice import aiokafka_uvloop, scrape, topics
from sluice.config_log import ConfigLog
from sluice.process import CannotStart, Context
from sluice.settings import Settings, configs, gateway, kafka as kafka_rows, spool as spool_rows

SIGNING = 3600.0  # seconds

if TYPE_CHECKING:
    from providers.registry import Registry
    from providers.transport import Transport


def kafka_config(settings: Settings) -> KafkaConfig:
    """How to reach the log, asked by every role that does; CannotStart if nobody says where it is."""
    aiokafka_uvloop.install()
    servers = configs.bootstrap_servers(settings)
    if servers is None:
        raise CannotStart(
            "KAFKA_BOOTSTRAP_SERVERS is not set, and no embedded broker has run in "
            f"{settings.data_dir}: set it, or run `sluice serve`"
        )
    return configs.kafka_config(settings, servers)


@asynccontextmanager
async def spool(context: Context, role: str) -> AsyncIterator[Spool | None]:
    """The folder of large bodies, if there is one; while the block runs the folder says who uses it."""
    if (folder := spool_rows.folder(context.settings)) is None:
        yield None
        return
    try:
        found = Spool(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotStart(f"{spool_rows.SPOOL_DIR.name}: {folder}: {reason}") from error
    tasks = Tasks()
    tasks.start(_signing(found, role), name="sign the spool")
    try:
        yield found
    finally:
        await tasks.abort()


async def _signing(found: Spool, role: str) -> None:
    while True:
        await asyncio.to_thread(found.sign, role)
        await asyncio.sleep(SIGNING)


@asynccontextmanager
async def metrics(context: Context) -> AsyncIterator[None]:
    """/metrics on METRICS_PORT, if it is set, while the block runs."""
    host = context.settings[gateway.METRICS_HOST]
    port = context.settings[gateway.METRICS_PORT]
    try:
        async with scrape.metrics_server(context.metrics, host, port):
            yield
    except scrape.CannotListen as error:
        raise CannotStart(f"METRICS_PORT: {error}") from error


@asynccontextmanager
async def providers(context: Context) -> AsyncIterator[tuple[Registry, Transport]]:
    """The instances with their model lists, which are refreshed while the block runs."""
    # A role that calls no provider, as the sinks, does without the 9 MB of an HTTP client.
    from providers.registry import Registry
    from providers.transport import Transport

    settings = context.settings
    transport = Transport(configs.transport_config(settings))
    await transport.open()
    registry = Registry(
        configs.instances(settings),
        transport,
        configs.registry_config(settings),
        configs.cache_dir(settings),
        context.clock,
    )
    tasks = Tasks()
    tasks.start(registry.refresh_forever(), name="model lists")
    try:
        yield registry, transport
    finally:
        await tasks.abort()
        await transport.close()


@asynccontextmanager
async def config_log(context: Context, kafka: KafkaConfig) -> AsyncIterator[ConfigLog]:
    """`llm.config`, read to its end when the block begins and followed while it runs.

    For a role that has made the topics. If the following ends by a fault of ours, the role is stopped
    and the fault raised, as it would go on with what was once true.
    """
    found = ConfigLog(kafka, context.clock, KINDS)
    tasks = Tasks()
    try:
        await found.read(context.stop)
        following = tasks.start(found.run(), name="config")
        following.add_done_callback(lambda _: context.stop.set())
        yield found
        if following.done():
            following.result()
    finally:
        await tasks.abort()
        await found.stop()


def _ensure(settings: Settings, kafka: KafkaConfig) -> Callable[[], Awaitable[list[topics.Change]]]:
    wanted = configs.topic_table(settings)
    return lambda: topics.ensure(kafka, wanted, settings[kafka_rows.REPLICATION_FACTOR])


async def topics_made(context: Context, kafka: KafkaConfig) -> bool:
    """Make the topics as soon as Kafka answers; False if the stop came first."""
    make = _ensure(context.settings, kafka)
    try:
        return await topics.wait_and_ensure(make, context.stop, kafka.bootstrap_servers)
    except topics.TopicsError as error:
        raise CannotStart(str(error)) from error


async def topics_once(context: Context, kafka: KafkaConfig) -> bool:
    """The same in one attempt; False if the cluster is away."""
    try:
        return await topics.try_ensure(_ensure(context.settings, kafka), kafka.bootstrap_servers)
    except topics.TopicsError as error:
        raise CannotStart(str(error)) from error
