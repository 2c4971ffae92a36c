"""What each role is made of: settings become the folders' structs, and these become a running role.

Every role imports its parts itself: none pays for another's libraries.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.price_overrides import PRICE_OVERRIDES
from sluice.process import CannotStart, Context
from sluice.settings import configs, gateway, kafka as kafka_rows, switches, work

if TYPE_CHECKING:
    from ingress.gateway import Gateway
    from providers.registry import Registry
    from schemas.objects import Objects
    from sluice.config_log import ConfigLog
    from sluice.steering import Steering


async def ingress(context: Context) -> None:
    """HTTP in, SSE out."""
    from ingress import app
    from ingress.producer import PartitionMismatch
    from schemas.kafka import MissingPartition
    from schemas.kinds import KINDS
    from sluice import answers, connections, reports, tracing
    from sluice.config_log import ConfigLog
    from sluice.operations.api import desks
    from sluice.steering import Steering

    kafka = connections.kafka_config(context.settings)
    config = configs.ingress_config(context.settings)
    async with (
        connections.providers(context) as (registry, _transport),
        connections.spool(context, "ingress"),
        answers.answers(context) as store,
        reports.reports(context) as told,
        tracing.tracer(context, "ingress") as tracer,
        desks(context, kafka, config.slot) as operations,
    ):
        steering = Steering(context.settings, lambda steer: registry.name(steer.aliases))
        context.rereads.append(steering.reread)
        # It listens although Kafka is away, to say so; the topics are made when they can be.
        complete = await connections.topics_once(context, kafka)
        while not context.stop.is_set():
            http = app.create_app(config, kafka, registry, store, context.metrics, context.clock)
            governed, ours = ConfigLog(kafka, context.clock, KINDS), http.ctx.gateway
            _follow(governed.objects, steering, registry)
            _govern(context, ours, governed, steering)
            ours.inventory, ours.threads, ours.operations, ours.reports, ours.tracer = (
                registry,
                store,
                operations,
                told,
                tracer,
            )
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
                complete = await connections.topics_made(context, kafka)


def _follow(objects: Objects, steering: Steering, registry: Registry) -> None:
    """Routing and prices are those of `llm.config` from now on."""
    steering.follow(objects)
    registry.follow(objects.table(PRICE_OVERRIDES))


def _govern(context: Context, ours: Gateway, governed: ConfigLog, steering: Steering) -> None:
    """What is changed while it runs, and what operators are told of the rest."""
    from sluice import configured

    ours.govern(governed, context.settings.tables.guardrails)
    ours.routing, ours.switches = steering, switches.switches(context.settings)
    ours.configured = partial(configured.configuration, context.settings)


async def streams(context: Context) -> None:
    """Kafka in, Kafka out."""
    from providers.dialogue import converse
    from sluice import answers, batching, budgeting, caching, connections, guarding, tracing
    from sluice.routing import routed
    from streams import app, topology
    from streams.keys import Keys
    from streams.recall import Recall
    from streams.stages import Handler
    from streams.stages.call import Caller
    from streams.stages.idempotency import Idempotency, Read
    from streams.stages.resources import Resources

    kafka = connections.kafka_config(context.settings)
    async with (
        connections.metrics(context),
        connections.providers(context) as (registry, transport),
        connections.spool(context, "streams") as spool,
        answers.answers(context) as store,
    ):
        if not await connections.topics_made(context, kafka):
            return
        recall = Recall(store, context.clock)
        caller = Caller(registry, converse, transport, context.clock, context.metrics, recall)
        config = configs.streams_config(context.settings)
        sharing = batching.opened(context, spool, registry)
        router, failover, steering, troubled = routed(context, registry)
        context.rereads.append(steering.reread)
        async with (
            connections.config_log(context, kafka) as governed,
            caching.cached(context, router, registry.price) as cached,
            budgeting.budgeted(
                context, kafka, governed.objects, router, registry.pricing
            ) as budgets,
            guarding.guarded(context, governed.objects, router, registry, transport) as guards,
            tracing.tracer(context, "streams") as caller.tracer,
        ):
            _follow(governed.objects, steering, registry)

            def pipeline(keys: Keys, read: Read) -> Handler:
                return topology.pipeline(
                    caller,
                    before=guards.behind_claims(spool, config.max_held_bytes),
                    idempotency=lambda handler: Idempotency(
                        handler, keys, read, context.clock, context.metrics
                    ),
                    resources=lambda handler: Resources(
                        handler,
                        registry,
                        transport,
                        context.clock,
                        sharing.own if sharing else None,
                    ),
                    failover=failover,
                    cached=(*cached.stages, *budgets),
                )

            worker = app.Worker(config, kafka, pipeline, context.clock, context.metrics)
            worker.inflight.cancellations.finishes = router.finishes
            batching.attach(sharing, worker)
            worker.control.on_purge, worker.handling.masks = cached.purge, guards.policy
            worker.handling.prices, worker.handling.tracer = registry.pricing, caller.tracer
            worker.beat.breakers, worker.beat.cache, worker.control.on_purge = (
                troubled,
                cached.report,
                cached.purge,
            )
            await app.run(worker, context.stop, lambda: context.ready(""))


async def sinks(context: Context) -> None:
    """Kafka in, stores out."""
    from sinks.several import Several
    from sluice import connections, tracing

    kafka = connections.kafka_config(context.settings)
    async with connections.metrics(context):
        if not await connections.topics_made(context, kafka):
            return
        config = configs.sink_config(context.settings)
        stores = context.settings[work.SINKS] or (config.storage_type,)
        each = [replace(config, storage_type=store) for store in stores]
        several = Several(each, kafka, context.clock, context.metrics)
        async with tracing.tracer(context, "sinks") as tracer:
            several.trace(tracer)
            await several.run(context.stop, lambda: context.ready(""))


async def broker(context: Context) -> None:
    """The embedded broker; its address stands in the data folder for all who look for it."""
    from sluice.broker import BrokerConfig, FolderInUse, run

    settings = context.settings
    config = BrokerConfig(
        folder=settings.data_dir / "broker",
        port=settings[kafka_rows.BROKER_PORT] or 0,
        bootstrap_file=settings.data_dir / "bootstrap",
        fsync_ms=settings[kafka_rows.BROKER_FSYNC_MS],
        max_connections=settings[kafka_rows.BROKER_MAX_CONNECTIONS],
        request_memory_bytes=settings[kafka_rows.BROKER_REQUEST_MEMORY],
        response_memory_bytes=settings[kafka_rows.BROKER_RESPONSE_MEMORY],
        tail_memory_bytes=settings[kafka_rows.BROKER_TAIL_MEMORY],
    )
    try:
        await run(config, context.ready, stop=context.stop)
    except FolderInUse as error:
        raise CannotStart(f"{error}: stop that one, or set SLUICE_DATA_DIR") from error
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"the broker cannot start on port {config.port or '(any)'} in {config.folder}: {error}; "
            "see SLUICE_BROKER_PORT and SLUICE_DATA_DIR"
        ) from error


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
