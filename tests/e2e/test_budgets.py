"""Budgets that hold to the nano-dollar: over workers and ingresses, and over their death."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from schemas.costs import NANO
from streams.budgets.redis import RedisAccounts
from tests import services
from tests.brokers import embedded_broker
from tests.stack import Process, Stack, until

KEY = "sk-budgets"
ASKED, AFFORDED = 500, 100
WORDS = 10
PRICE = NANO // 100  # of an answer of ten words at a thousand dollars a million
YEAR = 31_536_000  # seconds: no period ends while this runs
PRICES = """
prices:
  sim/sim-lorem-10: {input_per_mtok: 0, output_per_mtok: 1000}
  sim/sim-400-lorem-10: {input_per_mtok: 0, output_per_mtok: 1000}
"""
ADMIN = {"authorization": f"Bearer {KEY}"}


class World:
    """A stack with three workers and two ingresses."""

    def __init__(self, stack: Stack, second: str, workers: list[Process]) -> None:
        self.stack = stack
        self.urls = (stack.url, second)
        self.workers = workers

    async def budget(self, path: str, dollars: float) -> None:
        name = path.replace("/", "%2F")
        async with httpx.AsyncClient(base_url=self.stack.url, headers=ADMIN) as client:
            answer = await client.put(
                f"/admin/api/v1/budgets/{name}/{YEAR}", json={"amount": dollars}
            )
        assert answer.status_code == 200, answer.text

    async def ask(self, path: str, model: str, count: int) -> list[httpx.Response]:
        """So many requests at once, half of them by each ingress."""
        body = {
            "model": model,
            "max_tokens": WORDS,
            "messages": [{"role": "user", "content": "Hello"}],
        }
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            headers=ADMIN | {"x-sluice-user-path": f"{path}/ann"}, timeout=120, limits=limits
        ) as client:
            return await asyncio.gather(
                *(
                    client.post(f"{self.urls[n % 2]}/v1/chat/completions", json=body)
                    for n in range(count)
                )
            )

    async def recorded(self, path: str) -> list[int]:
        """What the documents of a path say that was paid, of those that were answered."""
        found = [each for each in await self.stack.exchanges() if each.user_path == f"{path}/ann"]
        assert len({each.request_id for each in found}) == len(found) == ASKED
        assert {each.status for each in found} == {200, 429}
        refused = [each for each in found if each.status == 429]
        assert all(each.cost is not None and each.cost.total == 0 for each in refused)
        return [each.cost.total for each in found if each.status == 200 and each.cost is not None]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_bootstrap: str,
    redis_url: str,
    session_prefix: str,
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("budgets")
    (folder / "config.yaml").write_text(PRICES)
    prefix = f"{session_prefix}budgets."
    stack = Stack(
        folder,
        kafka_bootstrap,
        prefix,
        SLUICE_MASTER_KEY=KEY,
        REDIS_URL=redis_url,
        REDIS_KEY_BUDGETS=prefix,
        BUDGET_REDIS_TIMEOUT="10s",  # a busy machine is no outage
        INGRESS_PUBLISH_TIMEOUT="10s",
    )
    port = services.free_port()
    try:
        await stack.start("sim")
        workers = await asyncio.gather(*(stack.start("streams") for _ in range(3)))
        await stack.start("ingress")
        await stack.start("ingress", SLUICE_SLOT="1", PORT=str(port))
        yield World(stack, f"http://127.0.0.1:{port}", workers)
    finally:
        stack.erase()


async def spent(world: World, redis_url: str, path: str) -> tuple[int, int]:
    """What the accounts say: spent, reserved."""
    accounts = RedisAccounts(redis_url, world.stack.topics.prefix, 10.0)
    try:
        keys = await accounts._redis.keys(f"{accounts._prefix}[sr]:*{path}|usd|*")
        names = {key.decode().removeprefix(f"{accounts._prefix}")[2:] for key in keys}
        (name,) = names
        ((found, reserved),) = await accounts.read([name])
        return found, reserved
    finally:
        await accounts.close()


def check(answers: list[httpx.Response], path: str) -> None:
    """As many as can be paid were answered, and the others told so, in GoModel's words."""
    assert Counter(each.status_code for each in answers) == {
        200: AFFORDED,
        429: ASKED - AFFORDED,
    }
    for each in answers:
        if each.status_code == 200:
            assert each.json()["usage"]["completion_tokens"] == WORDS
            continue
        error = each.json()["error"]
        said = f"budget exceeded for {path} {YEAR}s limit: spent 1.000000 of 1.000000"
        assert (error["code"], error["type"]) == ("budget_exceeded", "rate_limit_error")
        assert error["message"] == said
        assert 0 < int(each.headers["retry-after"]) <= YEAR


@pytest.mark.asyncio(loop_scope="module")
async def test_a_budget_for_a_hundred_lets_a_hundred_pass(world: World, redis_url: str) -> None:
    """500 at once, on three workers and by two ingresses: 100 pass, and what is spent is what the
    documents say, to the nano-dollar."""
    await world.budget("/team", AFFORDED * PRICE / NANO)
    await asyncio.sleep(1)  # every worker has heard of it
    answers = await world.ask("/team", "sim/sim-lorem-10", ASKED)

    check(answers, "/team")
    assert await world.recorded("/team") == [PRICE] * AFFORDED

    async def settled() -> bool:
        return await spent(world, redis_url, "/team") == (AFFORDED * PRICE, 0)

    await until(settled)


@pytest.mark.asyncio(loop_scope="module")
async def test_it_holds_while_a_worker_is_killed(world: World, redis_url: str) -> None:
    """The same while a worker dies with calls under way: they run again with what they had reserved."""
    await world.budget("/crew", AFFORDED * PRICE / NANO)
    await asyncio.sleep(1)
    asking = asyncio.ensure_future(world.ask("/crew", "sim/sim-400-lorem-10", ASKED))

    async def under_way() -> bool:
        outcomes = [e for e in await world.stack.exchanges() if e.user_path == "/crew/ann"]
        return len(outcomes) > 50

    await until(under_way)
    world.workers[0].kill()
    replacement = await world.stack.start("streams")
    answers = await asking
    world.workers[0] = replacement

    check(answers, "/crew")
    assert await world.recorded("/crew") == [PRICE] * AFFORDED

    async def settled() -> bool:
        return await spent(world, redis_url, "/crew") == (AFFORDED * PRICE, 0)

    await until(settled)


@pytest.mark.asyncio(loop_scope="module")
async def test_accounts_that_were_lost_are_charged_anew(world: World, redis_url: str) -> None:
    """Redis found empty: nobody is let through before all outcomes of the period are charged again."""
    accounts = RedisAccounts(redis_url, world.stack.topics.prefix, 10.0)
    await accounts._redis.delete(*await accounts._redis.keys(f"{accounts._prefix}*"))
    await accounts.close()
    seen = Counter[int]()

    async def refused() -> bool:
        (answer,) = await world.ask("/team", "sim/sim-lorem-10", 1)
        seen[answer.status_code] += 1
        return answer.status_code == 429

    await until(refused)
    assert set(seen) <= {429, 503}
    assert await spent(world, redis_url, "/team") == (AFFORDED * PRICE, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "budgets/%2Fx/daily", {"amount": 0}, 400),
        ("PUT", "budgets/%2Fx/daily", {}, 400),
        ("PUT", "budgets/%2Fx/never", {"amount": 1}, 400),
        ("PUT", "budgets/%2Fx/daily", {"amount": "much"}, 400),
        ("DELETE", "budgets/%2Fx/daily", None, 404),
        ("POST", "budgets/reset-one", {"user_path": "/x", "period": "daily"}, 404),
        ("POST", "budgets/reset", {}, 400),
        ("PUT", "budgets/settings", {"daily_reset_hour": 24}, 400),
        ("PUT", "limits/a", {}, 400),
        ("PUT", "limits/a", {"requests": -1}, 400),
        ("DELETE", "limits/a", None, 404),
    ],
    ids=[
        "free",
        "empty",
        "period",
        "text",
        "no-budget",
        "no-reset",
        "unconfirmed",
        "hour",
        "no-limit",
        "negative",
        "not-there",
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_the_admin_api_refuses(
    world: World, method: str, path: str, body: object, status: int
) -> None:
    """With a problem, and nothing is changed."""
    async with httpx.AsyncClient(base_url=world.urls[0], headers=ADMIN) as client:
        answer = await client.request(method, f"/admin/api/v1/{path}", json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio(loop_scope="module")
async def test_budgets_are_shown_reset_and_deleted(world: World) -> None:
    """GoModel's shape; a reset budget lets requests pass again."""
    async with httpx.AsyncClient(base_url=world.urls[1], headers=ADMIN) as client:
        path = "/admin/api/v1/budgets"
        await client.put(f"{path}/%2Fshown/{YEAR}", json={"amount": 0.01})
        await asyncio.sleep(1)

        async def statuses() -> list[int]:
            return [
                (await world.ask("/shown", "sim/sim-lorem-10", 1))[0].status_code for _ in range(2)
            ]

        assert await statuses() == [200, 429]
        listed = (await client.get(path)).json()["budgets"]
        (shown,) = [each for each in listed if each["user_path"] == "/shown"]
        assert (shown["amount"], shown["period_seconds"], shown["source"]) == (0.01, YEAR, "manual")
        reset = await client.post(
            f"{path}/reset-one", json={"user_path": "/shown", "period_seconds": YEAR}
        )
        assert reset.json()["last_reset_at"] is not None
        await asyncio.sleep(1)
        assert await statuses() == [200, 429]
        assert (await client.delete(f"{path}/%2Fshown/{YEAR}")).status_code == 204
        await asyncio.sleep(1)
        assert await statuses() == [200, 200]
        assert (await client.get(f"{path}/settings")).json()["weekly_reset_weekday"] == 1


async def test_a_worker_alone_keeps_what_is_spent(tmp_path: Path) -> None:
    """Without Redis, with a budget that a variable seeds: a restart forgets nothing; limits hold, too."""
    (tmp_path / "config.yaml").write_text(PRICES)
    async with embedded_broker(tmp_path) as broker:
        stack = Stack(
            tmp_path,
            broker.bootstrap,
            "b.",
            SLUICE_MASTER_KEY=KEY,
            SET_BUDGET_SOLO=f"{YEAR}=0.03",
        )
        try:
            await stack.start("sim")
            worker, _ = await asyncio.gather(stack.start("streams"), stack.start("ingress"))
            world = World(stack, stack.url, [worker])
            ask = ("/solo", "sim/sim-lorem-10", 1)
            statuses = [(await world.ask(*ask))[0].status_code for _ in range(2)]
            await worker.stop()
            worker = await stack.start("streams")
            statuses += [(await world.ask(*ask))[0].status_code for _ in range(2)]
            assert statuses == [200, 200, 200, 429]
            async with httpx.AsyncClient(base_url=stack.url, headers=ADMIN) as client:
                made = await client.put(
                    "/admin/api/v1/limits/slow",
                    json={"user_path": "/lim", "requests": 2, "window_seconds": 604_800},
                )
                assert made.status_code == 200, made.text
            await asyncio.sleep(1)
            ask = ("/lim", "sim/sim-lorem-10", 3)
            answers = await world.ask(*ask)
            assert Counter(each.status_code for each in answers) == {200: 2, 429: 1}
            (refused,) = [each for each in answers if each.status_code == 429]
            assert refused.json()["error"]["code"] == "rate_limit_exceeded"
            assert int(refused.headers["retry-after"]) > 0
            left = sorted(each.headers["x-ratelimit-remaining-requests"] for each in answers)
            assert left == ["0", "0", "1"]
            policy = '"slow requests";q=2;w=604800;qu="requests"'
            assert {each.headers["ratelimit-policy"] for each in answers} == {policy}
        finally:
            stack.erase()
