"""The gateway of the scenarios, started once for each broker in each pytest process."""

from collections.abc import Iterator

import pytest

from tests.brokers import BROKERS
from tests.gomodel.world import World, running


@pytest.fixture(scope="session")
def embedded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("gomodel"), "llm.", None, None) as found:
        yield found


@pytest.fixture(scope="session")
def kafka_world(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_bootstrap: str,
    mongodb_url: str,
    session_prefix: str,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("gomodel")
    with running(folder, f"{session_prefix}gomodel.", kafka_bootstrap, mongodb_url) as found:
        yield found


@pytest.fixture(scope="module", params=BROKERS)
def world(request: pytest.FixtureRequest) -> World:
    """On the embedded broker with SQLite, and on Kafka with MongoDB."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
