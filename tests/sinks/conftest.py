"""Logs that speak Kafka's protocol: a real Kafka and the embedded broker."""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sluice.broker import Broker, BrokerConfig
from tests.sinks.cluster import Cluster


@pytest.fixture(params=["kafka", "embedded"])
async def cluster(
    request: pytest.FixtureRequest, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Cluster]:
    """Topics of this test alone, on either log."""
    if request.param == "kafka":
        found = Cluster(request.getfixturevalue("kafka_bootstrap"), topic_prefix)
        await found.create()
        yield found
        return
    broker = Broker(BrokerConfig(folder=tmp_path / "broker"))
    found = Cluster(await broker.start(), topic_prefix)
    await found.create()
    yield found
    await broker.close()


@pytest.fixture
async def kafka_cluster(kafka_bootstrap: str, topic_prefix: str) -> Cluster:
    """The same on a real Kafka only."""
    found = Cluster(kafka_bootstrap, topic_prefix)
    await found.create()
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "_pymongo_leaks" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture
def _pymongo_leaks() -> Iterator[None]:
    """pymongo leaves sockets to the garbage collector when it is closed while it connects in vain.

    They are collected during the test, where its marker lets them pass, or here.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
