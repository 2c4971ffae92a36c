"""The stage that reserves, over accounts in memory."""

from collections.abc import Sequence

import pytest

from providers.base import Endpoint, Target
from schemas.bodies import Envelope
from schemas.budgets import ANCHORS, BUDGETS, DAILY, LIMITS, Budget
from schemas.metrics import Metrics
from schemas.objects import Objects
from schemas.prices import Pricing
from schemas.replies import Completed, Failed, Reply, Started
from schemas.requests import Request
from streams.budgets.base import Span
from streams.budgets.book import Book
from streams.budgets.config import BudgetsConfig
from streams.budgets.memory import MemoryAccounts
from streams.budgets.stage import Desk, Reserving
from streams.stages import Call, Replies
from tests.streams.fakes import Clock

PRICES = {
    "cheap": Pricing(input_per_mtok=0.0, output_per_mtok=1.0),  # 1000 nano-dollars a token
    "dear": Pricing(input_per_mtok=0.0, output_per_mtok=2.0),
}


class Plan:
    def __init__(self, *instances: str) -> None:
        self._instances = instances

    def targets(self, call: Call) -> Sequence[Target]:
        return [Target(Endpoint(name, {}, "", "", {}), "m") for name in self._instances]


class Bench:
    """A worker's stage before a provider that always answers."""

    def __init__(self, *instances: str, amount: int = 10_000, **config: object) -> None:
        seed = Budget(user_path="/", period_seconds=DAILY, amount=amount)
        self.accounts = MemoryAccounts()
        objects = Objects((BUDGETS, LIMITS, ANCHORS))
        settings = BudgetsConfig(**({"max_tokens": 8} | config))
        clock = Clock()
        desk = Desk(
            settings, Book((seed,), objects), self.accounts, Plan(*instances), clock, Metrics()
        )
        desk.prices = lambda instance, model: PRICES.get(instance)
        self.handler = Reserving(_answers, desk)
        self.calls = 0
        self.headers: dict[str, str] = {}  # of the last answer

    async def known(self) -> "Bench":
        await self.accounts.settle(Span(0, None, 0), (), 0.0)
        return self

    async def ask(self, body: str = '{"max_tokens": 5}') -> Reply:
        self.calls += 1
        request = Request(request_id=f"r{self.calls}", body=body.encode(), user_path="/a")
        replies = [reply async for reply in self.handler(Call(request, Envelope("m")))]
        self.headers = getattr(replies[0], "http_headers", {})
        return replies[-1]


async def _answers(call: Call) -> Replies:
    headers = {"x-ratelimit-limit-tokens": "1", "x-other": "kept"}
    yield Started(200, "application/json", "cheap", "m", headers)
    yield Completed(b"{}")


def code(reply: Reply) -> str | None:
    return reply.error.code if isinstance(reply, Failed) else None


async def test_the_worst_case_is_reserved() -> None:
    """The caller's limit of the answer, else ours, by the dearest of the candidates."""
    bench = await Bench("cheap", "dear", amount=27_000).known()
    assert code(await bench.ask()) is None  # 5 tokens at 2000
    assert code(await bench.ask("{}")) is None  # 8 tokens at 2000
    assert code(await bench.ask('{"max_tokens": 1}')) == "budget_exceeded"


async def test_the_refusal_says_when_to_come_again() -> None:
    """429 with Retry-After, in its message what is used."""
    bench = await Bench("cheap", amount=4_000).known()
    refused = await bench.ask()
    assert isinstance(refused, Failed)
    assert refused.status == 429
    assert 0 < int((refused.http_headers or {})["retry-after"]) <= DAILY
    assert refused.error.message == (
        "budget exceeded for / daily limit: spent 0.000000 of 0.000004"
    )


async def test_answers_say_what_is_left() -> None:
    """With what the request itself has reserved, in place of what the provider says; a refusal, too."""
    bench = await Bench("cheap", amount=9_000).known()  # 9 micro-dollars
    await bench.ask()
    assert bench.headers["ratelimit"].startswith('"/ daily usd";r=4;t=')
    assert bench.headers["x-other"] == "kept"
    assert "x-ratelimit-limit-tokens" not in bench.headers
    assert code(await bench.ask()) == "budget_exceeded"
    assert bench.headers["ratelimit"].startswith('"/ daily usd";r=4;t=')


async def test_nothing_is_told_where_nobody_knows() -> None:
    """Let through without the accounts, the answer is the provider's alone."""
    bench = Bench("cheap", on_failure="open")
    await bench.ask()
    assert bench.headers == {"x-ratelimit-limit-tokens": "1", "x-other": "kept"}


@pytest.mark.parametrize(
    ("on_failure", "said"), [("closed", "budget_check_failed"), ("open", None)]
)
async def test_when_nobody_knows_what_is_spent(on_failure: str, said: str | None) -> None:
    """Refused with 503, or let through, as it is set."""
    assert code(await Bench("cheap", on_failure=on_failure).ask()) == said


@pytest.mark.parametrize(("unknown", "said"), [("refuse", "unknown_price"), ("allow", None)])
async def test_a_model_without_a_price(unknown: str, said: str | None) -> None:
    """Refused where it is set so; else it reserves nothing."""
    bench = await Bench("nobody", amount=1, unknown_price=unknown).known()
    assert code(await bench.ask()) == said


async def test_without_budgets_nothing_is_asked() -> None:
    """The request goes straight to the next stage."""
    bench = Bench("cheap")
    bench.handler._desk.book = Book((), Objects((BUDGETS, LIMITS, ANCHORS)))
    assert bench.handler(Call(Request(request_id="r", body=b"{}"), Envelope("m"))).__name__ == (
        "_answers"
    )
