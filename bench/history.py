"""A year of exchanges in an SQLite file, made up, the same for the same day: for looking at and for timing.

What stands there is what the sink would have written: its rows, its documents, its roll-ups.
"""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET, Raw
from msgspec.structs import replace

from schemas.clock import rfc3339
from schemas.exchange import Attempt, Body, Cached, ErrorInfo
from schemas.requests import Position
from schemas.usage import Usage
from sinks.bodies import stored
from sinks.columns import row
from sinks.document import Document, StoredCost, StoredTimings, StoredUsage, to_json
from sinks.rollups import rolled
from sinks.sqlite_schema import ADD, INSERT, migrate

DAYS = 360  # all of which the overview shows
DAY = 86_400.0
KINDS = 400  # exchanges of which the others are repetitions at other times
BATCH = 20_000
QUESTION = Body(
    Raw(b'{"model":"auto","messages":[{"role":"user","content":"How deep is the lake?"}]}')
)
ANSWER = Body(Raw(b'{"choices":[{"message":{"role":"assistant","content":"Deep enough."}}]}'))


class Made(NamedTuple):
    """A model, dollars for a million tokens, seconds to the first token."""

    provider: str
    model: str
    input: float
    output: float
    first: float


MODELS = (
    Made("openai", "gpt-5-mini", 0.25, 2.0, 0.42),
    Made("openai", "gpt-5", 1.25, 10.0, 0.85),
    Made("anthropic", "claude-sonnet-4-5", 3.0, 15.0, 0.70),
    Made("gemini", "gemini-2.5-flash", 0.3, 2.5, 0.33),
    Made("groq", "llama-3.3-70b-versatile", 0.59, 0.79, 0.12),
)
# User path, key, and which of MODELS are asked there.
CALLERS = (
    ("/acme/support", "support bot", (0, 3)),
    ("/acme/sales", "sales desk", (0, 2)),
    ("/acme/research", "notebooks", (1, 2)),
    ("/lab/eval", "notebooks", (1, 4)),
    ("/lab", "master", (0, 4)),
)
TROUBLE = (("provider_timeout", 504), ("rate_limited", 429), ("provider_error", 502))


def fill(path: Path, count: int, now: float) -> None:
    """Write so many exchanges of the year before `now` (epoch seconds) into a new file."""
    chance = random.Random(7)
    kinds = [_kind(chance, number) for number in range(KINDS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    ages = sorted((_age(chance) for _ in range(count)), reverse=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # Nobody else has it yet, and what is half made is thrown away.
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        migrate(connection)
        for first in range(0, count, BATCH):
            times = [now - age * DAY for age in ages[first : first + BATCH]]
            found = list(_exchanges(chance, kinds, first, times))
            connection.execute("BEGIN")
            connection.executemany(INSERT, ((*row(each), to_json(each).decode()) for each in found))
            connection.executemany(ADD, ((*key, *sums) for key, sums in rolled(found).items()))
            connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _exchanges(
    chance: random.Random, kinds: list[Document], first: int, times: list[float]
) -> Iterator[Document]:
    for number, begun in enumerate(times, first):
        kind = kinds[chance.randrange(KINDS)]
        yield replace(
            kind,
            request_id=f"0198a000-0000-7000-8000-{number:012x}",
            created_at=rfc3339(begun),
            finished_at=rfc3339(begun + kind.timings.total),
        )


def _age(chance: random.Random) -> float:
    """Days: more of late than long ago, by day more than at night, on weekends less."""
    while True:
        age: float = DAYS * chance.random() ** 2.2
        day = int(age)
        busy = 0.6 + 0.4 * math.cos((age - day - 0.4) * 2 * math.pi)
        if chance.random() < busy * (0.45 if day % 7 < 2 else 1.0):
            return age


def _kind(chance: random.Random, number: int) -> Document:
    path, client, asked = chance.choices(CALLERS, (6, 4, 3, 2, 1))[0]
    made = MODELS[chance.choice(asked)]
    kind, chosen = chance.random(), chance.random()
    first = made.first * chance.lognormvariate(0, 0.35)
    used = (int(chance.lognormvariate(6.6, 0.9)) + 20, int(chance.lognormvariate(5.2, 0.8)) + 5)
    document = _completed(made, used, first, number)
    document = replace(
        document,
        user_path=path,
        client=client,
        stream=chosen < 0.6,
    )
    if kind < 0.17:
        return _hit(document, "exact" if kind < 0.11 else "semantic")
    if kind < 0.19:
        return _failed(document, *chance.choice(TROUBLE))
    return document


def _completed(made: Made, used: tuple[int, int], first: float, number: int) -> Document:
    cost = [round(tokens * rate * 1000) for tokens, rate in zip(used, made[2:4], strict=True)]
    upstream = first + used[1] * 0.008
    return Document(
        request_id="",
        schema_version=1,
        outcome="completed",
        created_at="",
        finished_at="",
        operation="chat",
        dialect="openai_chat",
        stream=False,
        source="/sluice/ingress/host-0",
        user_path="/",
        request_model=made.model,
        provider=made.provider,
        response_model=made.model,
        status=200,
        finish_reason="stop",
        usage=StoredUsage(
            input_tokens=used[0],
            output_tokens=used[1],
            total_tokens=sum(used),
            cached_input_tokens=used[0] // 3 if number % 4 == 0 else 0,
            cache_creation_input_tokens=0,
            reasoning_tokens=0,
        ),
        cost=StoredCost(
            total=sum(cost), input=cost[0], output=cost[1], attempts=0, source="prices"
        ),
        timings=StoredTimings(
            total=upstream + 0.006, queued=0.002, upstream=upstream, first_token=first
        ),
        attempts=(Attempt(made.provider, made.model, rfc3339(0.0), upstream, status=200),),
        cache=Cached("miss"),
        delivery_attempt=1,
        kafka=Position("llm.requests", number % 8, number),
        request=stored(QUESTION, 1 << 20),
        response=stored(ANSWER, 1 << 20),
    )


def _hit(kind: Document, result: str) -> Document:
    """The same, answered by a cache."""
    assert kind.usage is not None
    assert kind.cost is not None
    return replace(
        kind,
        usage=None,
        cost=StoredCost(total=0, input=0, output=0, attempts=0, source="cache"),
        attempts=(),
        timings=StoredTimings(total=0.006, queued=0.002),
        cache=Cached(
            result,  # type: ignore[arg-type]  # one of the kinds of hits
            age=600.0,
            saved=Usage(
                input_tokens=kind.usage.input_tokens, output_tokens=kind.usage.output_tokens
            ),
            saved_cost=kind.cost.total,
        ),
    )


def _failed(kind: Document, code: str, status: int) -> Document:
    return replace(
        kind,
        outcome="failed",
        status=status,
        usage=None,
        cost=None,
        response=None,
        finish_reason=None,
        error=ErrorInfo(code, "server_error", "The provider did not answer."),
        timings=replace(kind.timings, first_token=UNSET),
    )
