"""The ingress as a Sanic application, and its life as one process among others."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections.abc import Callable
from typing import Any

import structlog
from sanic import Sanic
from sanic.http import Http
from sanic.server import AsyncioServer

from ingress import cors
from ingress.config import IngressConfig
from ingress.connection import Connection
from ingress.contract.documents import Documents
from ingress.errors import Errors
from ingress.gateway import Gateway
from ingress.guards import IncomingRequest
from ingress.routes import add_routes, table
from schemas.clock import Clock
from schemas.kafka import KafkaConfig
from schemas.kept import AnswerStore
from schemas.metrics import Metrics
from schemas.models import ModelCatalog

log = structlog.get_logger()

_serial = itertools.count()
# Sanic reads on after an answer to a body that was refused, up to this much beyond the body limit.
_DISCARD = 32 << 20
HEAD_TIMEOUT = 10.0  # seconds


def create_app(
    config: IngressConfig,
    kafka: KafkaConfig,
    catalog: ModelCatalog,
    answers: AnswerStore,
    metrics: Metrics,
    clock: Clock,
) -> Sanic[Any, Any]:
    """The application; nothing is connected before `run`."""
    app = Sanic(
        f"sluice-ingress-{config.slot}-{next(_serial)}",
        request_class=IncomingRequest,
        error_handler=Errors(clock, config.slot),
        configure_logging=False,
    )
    app.config.update(
        ACCESS_LOG=False,
        MOTD=False,
        NOISY_EXCEPTIONS=False,
        # Sanic compiles its signals out of its classes, which it can do once in a process.
        TOUCHUP=not getattr(Http, "__touched__", False),
        REQUEST_MAX_SIZE=config.body_limit + _DISCARD,
        REQUEST_TIMEOUT=HEAD_TIMEOUT,
        KEEP_ALIVE_TIMEOUT=75.0,
        # Ours are exact; Sanic's only catches what slipped through them.
        RESPONSE_TIMEOUT=max(config.request_timeout, config.body_timeout) + 60.0,
    )
    app.ctx.gateway = Gateway(config, kafka, catalog, answers, metrics, clock)
    app.ctx.base_path = config.base_path.encode()
    app.ctx.documents = Documents(table(config), config.base_path, kafka.topics)
    add_routes(app, config)
    cors.install(app, config.cors, config.base_path)
    return app


async def run(app: Sanic[Any, Any], *, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serve until `stop` is set, then drain.

    It listens at once, so that health can be asked; `ready` is called with the address when
    requests are taken in, which is when the broker has been reached. Raises what makes it
    impossible to serve: OSError if it cannot listen, MissingPartition, PartitionMismatch; and what
    ended one of its own loops, so that the supervisor starts it again.
    """
    gateway: Gateway = app.ctx.gateway
    server = await _listen(app, gateway.config)
    try:
        start = gateway.tasks.start(gateway.start(), name="ingress start")
        stopped = gateway.tasks.start(stop.wait(), name="ingress stop")
        await asyncio.wait((start, stopped), return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            _tune()
            host, port = server.server.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]
            ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await asyncio.wait((stopped, *gateway.loops), return_when=asyncio.FIRST_COMPLETED)
        await gateway.drain()
        for loop in gateway.loops:
            if loop.done():
                loop.result()  # a loop that ended did so by an error of ours
    finally:
        await _close(app, server)
        await gateway.stop()
        Sanic.unregister_app(app)


async def _listen(app: Sanic[Any, Any], config: IngressConfig) -> AsyncioServer:
    server = await app.create_server(
        host=config.host,
        port=config.port,
        debug=False,
        access_log=False,
        return_asyncio_server=True,
        protocol=Connection,
        backlog=1024,
        asyncio_server_kwargs={"start_serving": False},
    )
    assert server is not None
    await server.startup()  # type: ignore[no-untyped-call]  # Sanic has no annotations there
    await server.start_serving()  # type: ignore[no-untyped-call]
    return server


async def _close(app: Sanic[Any, Any], server: AsyncioServer) -> None:
    """Take no more connections, close those that are idle, break the others after a moment."""
    server.server.close()  # type: ignore[attr-defined]
    for connection in list(server.connections):
        connection.close_if_idle()
    for _ in range(20):
        if not server.connections:
            break
        await asyncio.sleep(0.05)
    for connection in list(server.connections):
        connection.abort()
    await asyncio.sleep(0)


def _tune() -> None:
    """What lives now lives to the end: the collector need not look at it again, nor run so often."""
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
