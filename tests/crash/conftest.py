"""One stack per module: the process under test is started by each test, the others live on."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests import services
from tests.stack import Stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Stack]:
    """Ingress, sink and simulated provider; the workers are the tests' own.

    On real Kafka, or with BROKER = "embedded" in the module on an embedded broker of its own.
    """
    folder = tmp_path_factory.mktemp("stack")
    spool = str(folder / "spool")
    if getattr(request.module, "BROKER", "kafka") == "embedded":
        port = services.free_port()
        built = Stack(
            folder, f"127.0.0.1:{port}", "llm.", SLUICE_BROKER_PORT=str(port), SPOOL_DIR=spool
        )
        roles = ["broker", "sim", "sinks", "ingress"]
    else:
        name = request.module.__name__.rpartition("_")[2]
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        prefix = f"{request.getfixturevalue('session_prefix')}{name}."
        # Here nobody kills the broker, and a busy machine is no outage of it.
        built = Stack(folder, bootstrap, prefix, INGRESS_PUBLISH_TIMEOUT="10s", SPOOL_DIR=spool)
        roles = ["sim", "sinks", "ingress"]
    try:
        for role in roles:
            built.base[role] = await built.start(role)
        yield built
    finally:
        built.erase()


@pytest.fixture(autouse=True)
def only_the_base_lives_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test leaves behind does not disturb the next one."""
    if "stack" not in request.fixturenames:
        yield
        return
    stack: Stack = request.getfixturevalue("stack")
    yield
    for process in stack.processes:
        if process not in stack.base.values() and process.returncode is None:
            process.kill()
