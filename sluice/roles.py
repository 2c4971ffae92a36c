"""What each role is made of: settings become the folders' structs, and these become a running role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from providers.registry import Registry, instances
from providers.transport import Transport
from schemas.kafka import KafkaConfig
from schemas.tasks import Tasks
from sluice import scrape, topics
from sluice.process import CannotStart, Context
from sluice.settings import Settings, configs, gateway, kafka as kafka_rows

log = structlog.get_logger()


async def ingress(context: Context) -> None:
    """HTTP in, SSE out."""
    from ingress import app
    from ingress.producer import PartitionMismatch
    from ingress.reader import MissingPartition

    settings = context.settings
    kafka = kafka_config(settings)
    config = configs.ingress_config(settings)
    async with _providers(context) as (registry, _transport):
        # It listens although Kafka is away, to say so; the topics are made when they can be.
        complete = await _topics_once(settings, kafka)
        while not context.stop.is_set():
            http = app.create_app(config, kafka, registry, context.metrics, context.clock)
            try:
                await app.run(http, stop=context.stop, ready=context.ready)
            except OSError as error:
                raise CannotStart(
                    f"cannot listen on {config.host}:{config.port}: {error.strerror or error}; "
                    "set HOST and PORT to an address that is free"
                ) from error
            except (MissingPartition, PartitionMismatch) as error:
                if complete:
                    raise CannotStart(str(error)) from error
                complete = await _topics(context, kafka)


async def streams(context: Context) -> None:
    """Kafka in, Kafka out."""
    from providers import DIALECTS
    from streams import app
    from streams.stages.call import Caller

    kafka = kafka_config(context.settings)
    async with _metrics(context), _providers(context) as (registry, transport):
        if not await _topics(context, kafka):
            return
        caller = Caller(registry.resolve, DIALECTS, transport, context.clock, context.metrics)
        config = configs.streams_config(context.settings)
        worker = app.Worker(config, kafka, caller, context.clock, context.metrics)
        await app.run(worker, context.stop, lambda: context.ready(""))


async def sinks(context: Context) -> None:
    """Kafka in, stores out."""
    from sinks import runner

    kafka = kafka_config(context.settings)
    async with _metrics(context):
        if not await _topics(context, kafka):
            return
        await runner.run(
            configs.sink_config(context.settings),
            kafka,
            context.clock,
            context.metrics,
            context.stop,
            lambda: context.ready(""),
        )


async def sim(context: Context) -> None:
    """A provider that makes its answers up."""
    from sluice.sim import SimConfig, run

    host, port = "127.0.0.1", context.settings[gateway.SIM_PORT] or SimConfig().port
    config = SimConfig(host=host, port=port)
    try:
        await run(config, context.stop, context.ready)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host}:{port}: {error.strerror or error}; set SLUICE_SIM_PORT"
        ) from error


def kafka_config(settings: Settings) -> KafkaConfig:
    """How to reach the log; CannotStart if nobody says where it is."""
    servers = configs.bootstrap_servers(settings)
    if servers is None:
        raise CannotStart(
            "KAFKA_BOOTSTRAP_SERVERS is not set, and no embedded broker has run in "
            f"{settings.data_dir}: set it, or run `sluice serve`"
        )
    return configs.kafka_config(settings, servers)


@asynccontextmanager
async def _metrics(context: Context) -> AsyncIterator[None]:
    host = context.settings[gateway.METRICS_HOST]
    port = context.settings[gateway.METRICS_PORT]
    try:
        async with scrape.metrics_server(context.metrics, host, port):
            yield
    except scrape.CannotListen as error:
        raise CannotStart(f"METRICS_PORT: {error}") from error


@asynccontextmanager
async def _providers(context: Context) -> AsyncIterator[tuple[Registry, Transport]]:
    """The instances with their model lists, which are refreshed while the block runs."""
    settings = context.settings
    found = instances(settings.environment)
    transport = Transport(configs.transport_config(settings))
    await transport.open()
    registry = Registry(
        found, transport, configs.registry_config(settings), configs.cache_dir(settings)
    )
    tasks = Tasks()
    tasks.start(registry.refresh_forever(), name="model lists")
    try:
        yield registry, transport
    finally:
        await tasks.abort()
        await transport.close()


def _ensure(settings: Settings, kafka: KafkaConfig) -> Callable[[], Awaitable[list[topics.Change]]]:
    wanted = configs.topic_table(settings)
    return lambda: topics.ensure(kafka, wanted, settings[kafka_rows.REPLICATION_FACTOR])


async def _topics(context: Context, kafka: KafkaConfig) -> bool:
    """Make the topics as soon as Kafka answers; False if the stop came first."""
    make = _ensure(context.settings, kafka)
    try:
        return await topics.wait_and_ensure(make, context.stop, kafka.bootstrap_servers)
    except topics.TopicsError as error:
        raise CannotStart(str(error)) from error


async def _topics_once(settings: Settings, kafka: KafkaConfig) -> bool:
    try:
        return await topics.try_ensure(_ensure(settings, kafka), kafka.bootstrap_servers)
    except topics.TopicsError as error:
        raise CannotStart(str(error)) from error
