"""`make test-long`: everybody is killed at every point under plain, streamed and asynchronous requests and
a batch on real Kafka, and docs/crash-matrix.md has what came of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from schemas.faultpoints import FAULT_POINTS
from tests import services
from tests.crash.kinds import CHAT, KINDS, Load
from tests.crash.load import Seen, body, called, cancel, produce_many
from tests.crash.matrix import BEGIN, END, PAGE, Row, crash, table, write
from tests.stack import Process, Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOAD = Load(40)
SLOW = Load(40, plain="sim-12000", stream="sim-900", line="sim-12000")  # they outlast a join
KEYED = Load(40, keyed=True)
STATIC = {"KAFKA_GROUP_INSTANCE_ID": "w1"}  # a worker that comes back causes no rebalance
MIB = 1 << 20

# Where somebody dies, and at which passing. The first requests of a load are those that make its batch.
WORKER = {
    "streams.delivered": 60,
    "streams.started": 60,
    "streams.called": 50,
    "streams.first_reply": 10,
    "streams.mid_stream": 30,
    "streams.answered": 15,
    "streams.recorded": 15,
    "streams.result_kept": 10,
    "streams.replied": 15,
    "streams.finished": 5,
    "streams.committed": 5,
    "streams.batch_planned": 1,
    "streams.batch_submitted": 1,
    "streams.batch_written": 1,
}
JOINED = {"streams.handed": 5, "streams.revoked": 2}  # its own joining is the first revocation
OTHERS = ("streams.counted", "streams.remembered", "streams.moved", "ingress.spooled")
INGRESS = {"ingress.accepted": 30, "ingress.first_reply": 30, "ingress.mid_stream": 30}
SINKS = {"sinks.read": 3, "sinks.written": 3, "sinks.committed": 3}
POINTS = (*WORKER, *JOINED, *OTHERS, *INGRESS, *SINKS)
ROWS: list[Row] = []  # of this run


def done(row: Row, *whole: str) -> None:
    """The row is one of the table; clients of these kinds must have had their answers."""
    for kind in whole:
        assert {each.ended for each in row.seen[kind]} == {"whole"}, kind
    ROWS.append(row)


def succeeded_by(stack: Stack, dying: Process, *armed: str) -> Callable[[], Awaitable[None]]:
    """It dies, then those that take its place with one more point armed each, then one lives."""

    async def dies() -> None:
        assert await dying.ended() == -9
        for point in armed:
            following = stack.launch("streams", SLUICE_FAULT_POINT=point, **STATIC)
            assert await following.ended() == -9
        await stack.start("streams", **STATIC)

    return dies


async def armed(stack: Stack, spec: str, **env: str) -> Process:
    return await stack.start("streams", SLUICE_FAULT_POINT=spec, **{**STATIC, **env})


@pytest.mark.long
@pytest.mark.parametrize("point", WORKER)
async def test_worker(stack: Stack, point: str) -> None:
    """Its successor runs again what ran in it, and nothing else; clients of the ingress have their
    answers, but for streams that had begun."""
    dying = await armed(stack, f"{point}:{WORKER[point]}")
    row = await crash(stack, "worker", point, LOAD, succeeded_by(stack, dying))

    done(row, "plain", "async", "batch")


@pytest.mark.long
@pytest.mark.parametrize("point", JOINED)
async def test_worker_that_gives_partitions_away(stack: Stack, point: str) -> None:
    """Another joins, and the first one dies as it hands over: what ran in it, and nothing else, is run
    again by the others."""
    dying = await armed(stack, f"{point}:{JOINED[point]}", KAFKA_GROUP_INSTANCE_ID="")

    async def dies() -> None:
        await called(stack, LOAD.each)
        await stack.start("streams")
        assert await dying.ended() == -9
        await stack.start("streams")

    row = await crash(stack, "worker", point, SLOW, dies)

    done(row, "plain", "async", "batch")


@pytest.mark.long
async def test_worker_that_counts(stack: Stack) -> None:
    """Two die in a row, the second one as it counts what came again."""
    dying = await armed(stack, f"streams.called:{WORKER['streams.called']}")
    dies = succeeded_by(stack, dying, "streams.counted")
    row = await crash(stack, "worker", "streams.counted", LOAD, dies)

    done(row, "plain", "async", "batch")


@pytest.mark.long
async def test_worker_that_remembers_a_key(stack: Stack) -> None:
    """All requests but a batch's lines have an idempotency key."""
    dying = await armed(stack, "streams.remembered:10")
    row = await crash(stack, "worker", "streams.remembered", KEYED, succeeded_by(stack, dying))

    done(row, "plain", "async", "batch")


@pytest.mark.long
async def test_worker_that_moves_a_request(stack: Stack) -> None:
    """Beside the load runs a request of an hour, and six hundred short ones that it keeps from being
    committed."""
    dying = await armed(stack, "streams.moved", STREAMS_PIN_LIMIT="100")
    await produce_many(stack, ["pinning"], "sim-3600000")
    succeed = succeeded_by(stack, dying)

    async def dies() -> None:
        await produce_many(stack, [f"pinned-{index}" for index in range(600)], "sim-echo")
        await succeed()
        await cancel(stack, "/kafka/pinning")

    row = await crash(stack, "worker", "streams.moved", LOAD, dies)

    done(row, "plain", "async", "batch")


async def die_as_ingress(stack: Stack, point: str, passing: int, large: bool = False) -> Row:
    """An ingress of its own is asked and dies; answers are fetched from the one that lives."""
    await stack.start("streams", **STATIC)
    other = Stack(stack.folder, stack.bootstrap, stack.topics.prefix)
    same = {name: stack.env[name] for name in ("SLUICE_SIM_URL", "SPOOL_DIR")}
    other.env |= {**same, "SLUICE_SLOT": "1", "BODY_SIZE_LIMIT": "20M"}
    dying = await other.start("ingress", SLUICE_FAULT_POINT=f"{point}:{passing}")

    async def dies() -> None:
        if large:
            await called(stack, LOAD.each)
            content = body("x" * 17 * MIB, "sim-10", streamed=False)
            async with httpx.AsyncClient(base_url=other.url, timeout=60) as client:
                with suppress(httpx.HTTPError):
                    await client.post(CHAT, json=content)
        assert await dying.ended() == -9

    try:
        return await crash(stack, "ingress", point, LOAD, dies, (other.url, stack.url))
    finally:
        other.erase()


@pytest.mark.long
@pytest.mark.parametrize("point", INGRESS)
async def test_ingress(stack: Stack, point: str) -> None:
    """Its clients' connections break; what they left is fetched from another, and nothing is called
    twice."""
    row = await die_as_ingress(stack, point, INGRESS[point])

    assert sum(row.repeated.values()) == 0
    done(row, "batch")


@pytest.mark.long
async def test_ingress_with_a_large_body(stack: Stack) -> None:
    """The same as it has put a body of 17 MiB into its file."""
    row = await die_as_ingress(stack, "ingress.spooled", 1, large=True)

    assert sum(row.repeated.values()) == 0
    done(row, "batch")


@pytest.mark.long
@pytest.mark.parametrize("point", SINKS)
async def test_sink(stack: Stack, point: str) -> None:
    """Clients notice nothing, and every outcome becomes one document."""
    await stack.start("streams", **STATIC)
    await stack.base["sinks"].stop()
    dying = await stack.start("sinks", SLUICE_FAULT_POINT=f"{point}:{SINKS[point]}")

    async def dies() -> None:
        assert await dying.ended() == -9
        stack.base["sinks"] = await stack.start("sinks")

    row = await crash(stack, "sink", point, LOAD, dies)

    assert sum(row.repeated.values()) == 0
    done(row, *KINDS)


@pytest.mark.long
async def test_broker(own_service: Callable[[str], services.OwnService], tmp_path: Path) -> None:
    """Kafka itself, killed and started again: whoever was not accepted is told so, everybody else has an
    answer, and nobody needs a restart."""
    broker = await asyncio.to_thread(own_service, "kafka")
    servers, spool = broker.endpoints["KAFKA_BOOTSTRAP_SERVERS"], str(tmp_path / "spool")
    stack = Stack(tmp_path, servers, "llm.", SPOOL_DIR=spool)
    try:
        await stack.start_all()

        async def dies() -> None:
            await called(stack, 2 * LOAD.each)
            broker.kill()
            await asyncio.to_thread(broker.start)

        row = await crash(stack, "broker", "restart", LOAD, dies)
    finally:
        stack.erase()

    assert {each.ended for each in row.seen["async"]} <= {"whole", "error"}
    done(row, "batch")


@pytest.mark.long
async def test_the_page() -> None:
    """A run of all rows becomes the table."""
    expected = len(POINTS) + 1
    if len(ROWS) != expected:
        pytest.skip(f"{len(ROWS)} of {expected} rows were run")
    write(ROWS)


async def test_the_table(tmp_path: Path) -> None:
    """A cell says how clients of a kind ended, and how many were called twice."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    seen = {kind: [Seen(kind, streamed=False, ended="whole")] for kind in KINDS}
    seen["stream"] += [Seen("s", streamed=True, ended="error"), Seen("t", streamed=True)]
    row = Row("worker", "streams.called", seen, {**dict.fromkeys(KINDS, 0), "stream": 2})
    write([row], page)

    text = page.read_text()
    assert text == f"before\n{BEGIN}{table([row])}{END}after\n"
    cell = "1 whole, 1 ended with an error, 1 connection broken, 2 called twice"
    assert f"| worker | `streams.called` | 1 whole | {cell} | 1 whole | 1 whole |\n" in text


async def test_every_fault_point_has_its_row() -> None:
    """In the long run, in its table, and once in the tests that always run."""
    assert sorted(POINTS) == sorted(FAULT_POINTS)
    found = re.findall(
        r"^\| \w+ \| `([\w.]+)` \|" + r" [^|]+ \|" * len(KINDS), PAGE.read_text(), re.M
    )
    assert sorted(found) == sorted([*FAULT_POINTS, "restart"])
    tests = [
        path for path in (services.ROOT / "tests").rglob("test_*.py") if path != Path(__file__)
    ]
    text = "\n".join(path.read_text() for path in tests)
    assert [point for point in FAULT_POINTS if not re.search(rf'"{point}[:"]', text)] == []
