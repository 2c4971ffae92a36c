"""Fixtures for all tests: services, ports, names, the event loop; the network is closed."""

import asyncio
import itertools
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from sluice.settings.sources import share_the_cores
from tests import network, parallel, services
from tests.brokers import BROKERS
from tests.gateway import Gateway, gateway as running_gateway
from tests.postgres import fetch

network.install()
share_the_cores()  # before numpy is loaded
_numbers = itertools.count(1)
# Of pytest-xdist; in the process that only divides the tests both are unset.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"t{secrets.token_hex(3)}"


def pytest_configure(config: pytest.Config) -> None:
    if not WORKER:
        config.option.testrunuid = RUN


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Thousands of topics are deleted when no worker needs Kafka any more: it answers nobody meanwhile."""
    if WORKER or not session.config.option.numprocesses:
        return
    address = services.endpoints().get("KAFKA_BOOTSTRAP_SERVERS")
    if address and services.answers("KAFKA_BOOTSTRAP_SERVERS", address):
        asyncio.run(_delete_topics(address, f"{RUN}-"))


@pytest.hookimpl(wrapper=True, tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    parallel.arrange(items)
    yield
    parallel.name_groups(items)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": network.LoopbackLoop}


@pytest.fixture(scope="session")
def session_prefix() -> str:
    """Begins the name of every topic and key of this process; other runs may share the services."""
    return f"{RUN}-{WORKER}-" if WORKER else f"{RUN}-"


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """ "host:port" of a real Kafka, without security; this run's topics are deleted at the end."""
    address = services.endpoint("KAFKA_BOOTSTRAP_SERVERS")
    yield address
    if not WORKER:
        asyncio.run(_delete_topics(address, f"{RUN}-"))


@pytest.fixture(scope="session")
def kafka_sasl(kafka_bootstrap: str) -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener that asks for a password."""
    return services.sasl_settings()


@pytest.fixture(scope="session")
def kafka_ssl(kafka_bootstrap: str) -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener with TLS."""
    return services.ssl_settings()


@pytest.fixture(scope="session")
def kafka_sasl_ssl(kafka_bootstrap: str) -> dict[str, str]:
    """Kafka's settings, as environment variables, for the listener with TLS that asks for a password."""
    return services.sasl_ssl_settings()


@pytest.fixture(scope="session")
def redis_url() -> str:
    return services.endpoint("REDIS_URL")


@pytest.fixture(scope="session")
def mongodb_url() -> str:
    return services.endpoint("MONGODB_URL")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    return services.endpoint("POSTGRES_URL")


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """The address of a schema of one test's own."""
    name = f"t{secrets.token_hex(6)}"
    fetch(postgres_url, f"CREATE SCHEMA {name}")
    yield f"{postgres_url}?search_path={name}"
    fetch(postgres_url, f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def topic_prefix(session_prefix: str) -> str:
    """One test's own topics and consumer groups, as in `Topics(prefix=…)`."""
    return f"{session_prefix}{next(_numbers)}."


@pytest.fixture
def free_port() -> Callable[[], int]:
    return services.free_port


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Callable[[str], services.OwnService]]:
    """`own_service("kafka")` starts one that this test alone uses, kills and restarts."""
    owned: list[services.OwnService] = []

    def start(name: str) -> services.OwnService:
        service = services.OwnService(name, tmp_path / f"services-{len(owned)}")
        owned.append(service)
        try:
            service.start()
        except services.ServiceError as error:
            services.missing(str(error))
        return service

    yield start
    for service in owned:
        service.erase()


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Recordings and data sets: where they are absent, their tests are skipped."""
    if not services.SHARED.is_dir():
        pytest.skip(f"no recordings and data sets: {services.SHARED} (SHARED_DIR) is absent")
    return services.SHARED


@pytest.fixture(scope="session")
def embedded_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway"), "llm.", None) as found:
        yield found


@pytest.fixture(scope="session")
def kafka_gateway(
    tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, session_prefix: str
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(folder, f"{session_prefix}gateway.", kafka_bootstrap) as found:
        yield found


@pytest.fixture(scope="module", params=BROKERS)
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """The shared gateway, on each broker in turn: tests/gateway.py."""
    found: Gateway = request.getfixturevalue(f"{request.param}_gateway")
    return found


async def _delete_topics(address: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        ours = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if ours:
            await admin.delete_topics(ours)
    finally:
        await admin.close()
