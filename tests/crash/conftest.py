"""One stack per module: the process under test is started by each test, the others live on."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.stack import Stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_bootstrap: str,
    session_prefix: str,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stack]:
    """Ingress, sink and simulated provider on real Kafka; the workers are the tests' own."""
    folder: Path = tmp_path_factory.mktemp("stack")
    name = request.module.__name__.rpartition("_")[2]
    built = Stack(folder, kafka_bootstrap, f"{session_prefix}{name}.")
    try:
        for role in ("sim", "sinks", "ingress"):
            built.base[role] = await built.start(role)
        yield built
    finally:
        built.erase()


@pytest.fixture(autouse=True)
def only_the_base_lives_on(stack: Stack) -> Iterator[None]:
    """What a failed test leaves behind does not disturb the next one."""
    yield
    for process in stack.processes:
        if process not in stack.base.values() and process.returncode is None:
            process.kill()
