"""`make test-long`: everybody is killed at every point under plain, streamed and asynchronous requests on
real Kafka, and docs/crash-matrix.md has what came of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.faultpoints import FAULT_POINTS
from tests import services
from tests.crash.load import called
from tests.crash.matrix import BEGIN, END, KINDS, Row, Seen, crash, table, write
from tests.crash.test_worker import POINTS
from tests.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOAD = 40  # requests of each kind
INGRESS = {"ingress.accepted": 30, "ingress.first_reply": 30, "ingress.mid_stream": 30}
SINKS = {"sinks.read": 1, "sinks.written": 1, "sinks.committed": 1}
ROWS: list[Row] = []  # of this run


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
async def test_worker(stack: Stack, point: str) -> None:
    """Its successor runs again what ran in it, and nothing else; clients of the ingress have their
    answers, but for streams that had begun."""

    async def dies() -> None:
        dying = await starting
        assert await dying.ended() == -9
        workers.append(await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1"))

    workers: list[object] = []
    spec = f"{point}:{POINTS[point]}"
    starting = asyncio.ensure_future(
        stack.start("streams", SLUICE_FAULT_POINT=spec, KAFKA_GROUP_INSTANCE_ID="w1")
    )
    await asyncio.wait((starting,))
    row = await crash(stack, "worker", point, LOAD, dies)

    for kind in ("plain", "async"):
        assert {each.ended for each in row.seen[kind]} == {"whole"}
    ROWS.append(row)


@pytest.mark.long
@pytest.mark.parametrize("point", INGRESS)
async def test_ingress(stack: Stack, point: str) -> None:
    """Its clients' connections break; what they left is fetched from another, and nothing is called
    twice."""
    await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    other = Stack(stack.folder, stack.bootstrap, stack.topics.prefix)
    other.env |= {"SLUICE_SIM_URL": stack.env["SLUICE_SIM_URL"], "SLUICE_SLOT": "1"}
    dying = await other.start("ingress", SLUICE_FAULT_POINT=f"{point}:{INGRESS[point]}")

    async def dies() -> None:
        assert await dying.ended() == -9

    try:
        row = await crash(stack, "ingress", point, LOAD, dies, (other.url, stack.url))
    finally:
        other.erase()

    assert sum(row.repeated.values()) == 0
    ROWS.append(row)


@pytest.mark.long
@pytest.mark.parametrize("point", SINKS)
async def test_sink(stack: Stack, point: str) -> None:
    """Clients notice nothing, and every outcome becomes one document."""
    await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    await stack.base["sinks"].stop()
    dying = await stack.start("sinks", SLUICE_FAULT_POINT=f"{point}:{SINKS[point]}")

    async def dies() -> None:
        assert await dying.ended() == -9
        stack.base["sinks"] = await stack.start("sinks")

    row = await crash(stack, "sink", point, LOAD, dies)

    assert {each.ended for kind in KINDS for each in row.seen[kind]} == {"whole"}
    assert sum(row.repeated.values()) == 0
    ROWS.append(row)


@pytest.mark.long
async def test_broker(own_service: Callable[[str], services.OwnService], tmp_path: Path) -> None:
    """Kafka itself, killed and started again: whoever was not accepted is told so, everybody else has an
    answer, and nobody needs a restart."""
    broker = await asyncio.to_thread(own_service, "kafka")
    stack = Stack(tmp_path, broker.endpoints["KAFKA_BOOTSTRAP_SERVERS"], "llm.")
    try:
        await stack.start_all()

        async def dies() -> None:
            await called(stack, LOAD)
            broker.kill()
            await asyncio.to_thread(broker.start)

        row = await crash(stack, "broker", "restart", LOAD, dies)
    finally:
        stack.erase()

    assert {each.ended for each in row.seen["async"]} <= {"whole", "error"}
    ROWS.append(row)


@pytest.mark.long
async def test_the_page() -> None:
    """A run of all rows becomes the table."""
    expected = len(POINTS) + len(INGRESS) + len(SINKS) + 1
    if len(ROWS) != expected:
        pytest.skip(f"{len(ROWS)} of {expected} rows were run")
    write(ROWS)


async def test_the_table(tmp_path: Path) -> None:
    """A cell says how clients of a kind ended, and how many were called twice."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    seen = {kind: [Seen(kind, streamed=False, ended="whole")] for kind in KINDS}
    seen["stream"] += [Seen("s", streamed=True, ended="error"), Seen("t", streamed=True)]
    row = Row("worker", "streams.called", 3, seen, {"plain": 0, "stream": 2, "async": 0})
    write([row], page)

    text = page.read_text()
    assert text == f"before\n{BEGIN}{table([row])}{END}after\n"
    cell = "1 whole, 1 ended with an error, 1 connection broken, 2 called twice"
    assert f"| worker | `streams.called` | 1 whole | {cell} | 1 whole |\n" in text
    assert {*POINTS, *INGRESS, *SINKS} <= set(FAULT_POINTS)
