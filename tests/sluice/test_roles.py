"""The roles started singly, with Kafka away at first."""

import asyncio
import json
from pathlib import Path

import httpx

from sluice.broker import Broker, BrokerConfig
from tests import services
from tests.stack import Stack, until

CHAT = {"model": "sim/sim-echo", "messages": [{"role": "user", "content": "Hello"}]}


async def test_roles_wait_for_kafka(tmp_path: Path) -> None:
    """Started before Kafka, the ingress refuses with 503 and the others wait; when Kafka is there,
    they make the topics and the gateway answers. Metrics are served; SIGTERM ends each cleanly."""
    port = services.free_port()
    stack = Stack(tmp_path, f"127.0.0.1:{port}", "r.")
    broker: Broker | None = None
    try:
        metrics = {name: services.free_port() for name in ("streams", "sinks")}
        await stack.start("sim")
        ingress = stack.launch("ingress")
        streams = stack.launch("streams", METRICS_PORT=str(metrics["streams"]))
        sinks = stack.launch("sinks", METRICS_PORT=str(metrics["sinks"]))
        async with httpx.AsyncClient(base_url=stack.url, timeout=10) as client:

            async def status() -> int:
                try:
                    return (await client.post("/v1/chat/completions", json=CHAT)).status_code
                except httpx.ConnectError:
                    return 0

            await until(lambda: "kafka_away" in streams.text() and "kafka_away" in sinks.text())

            async def refused() -> bool:
                return await status() == 503

            await until(refused)
            broker = Broker(BrokerConfig(folder=tmp_path / "broker", port=port))
            await broker.start()
            await asyncio.gather(ingress.ready(), streams.ready(), sinks.ready())

            async def answered() -> bool:
                return await status() == 200

            await until(answered)
            page = await client.get(f"http://127.0.0.1:{metrics['streams']}/metrics")
            assert 'sluice_outcomes_total{outcome="completed"}' in page.text
            page = await client.get(f"http://127.0.0.1:{metrics['sinks']}/metrics")
            assert "sluice_sink_documents" in page.text
        await until(stack.documents)
        for process in (ingress, streams, sinks):
            process.terminate()
            assert await process.ended() == 0
            assert json.loads(process.text().splitlines()[-1])["event"] == "stopped"
    finally:
        stack.erase()
        if broker is not None:
            await broker.close()


async def test_a_role_with_other_partition_counts(tmp_path: Path) -> None:
    """Topics of other settings: the role ends with the topic, both counts and the remedy."""
    broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
    address = await broker.start()
    stack = Stack(tmp_path, address, "p.")
    try:
        created = stack.launch("topics", "create", SLUICE_PARTITIONS="3")
        assert await created.ended() == 0
        for role in ("ingress", "streams", "sinks"):
            process = stack.launch(role)
            assert await process.ended() == 1
            assert "p.requests has 3 partitions instead of 4" in process.text()
            assert "Traceback" not in process.text()
    finally:
        stack.erase()
        await broker.close()


async def test_a_taken_port_ends_the_ingress(tmp_path: Path) -> None:
    """The ingress names the address that it cannot have, and the setting."""
    broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
    stack = Stack(tmp_path, await broker.start(), "q.")
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", stack.http)
    try:
        process = stack.launch("ingress")
        assert await process.ended() == 1
        assert f"cannot listen on 127.0.0.1:{stack.http}" in process.text()
        assert "Traceback" not in process.text()
    finally:
        taken.close()
        stack.erase()
        await broker.close()
