"""Keys, partitions, and which requests are equal."""

from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from schemas.identity import Scope, Sharing, meeting_key, partition_of, question, record_key
from schemas.ids import new_id
from schemas.requests import Request
from tests.schemas import equal_requests as table

SHARING = Sharing()


def key(request: Request, *models: str, sharing: Sharing = SHARING) -> str:
    found = question(request, sharing)
    assert found is not None
    return found.key(models or ("sim/m",))


def pairs(members: dict[str, list[tuple[str, Any]]]) -> list[Any]:
    return [
        pytest.param(dialect, path, value, id=f"{dialect}-{path}-{number}")
        for dialect, rows in members.items()
        for number, (path, value) in enumerate(rows)
    ]


@pytest.mark.parametrize(("dialect", "path", "value"), pairs(table.SHAPING))
def test_what_shapes_the_answer_is_part_of_the_question(
    dialect: str, path: str, value: Any
) -> None:
    """Another system prompt, picture, tool payload or parameter is another question."""
    body = table.BODIES[dialect]

    assert key(table.asked(body, dialect)) != key(table.asked(table.at(body, path, value), dialect))


@pytest.mark.parametrize(("dialect", "path", "value"), pairs(table.BESIDE))
def test_what_does_not_shape_the_answer_is_no_part_of_it(
    dialect: str, path: str, value: Any
) -> None:
    """How an answer travels, for whom it is and who keeps it may differ."""
    body = table.BODIES[dialect]

    assert key(table.asked(body, dialect)) == key(table.asked(table.at(body, path, value), dialect))


@pytest.mark.parametrize(("one", "other"), table.SPELLINGS)
def test_spelling_does_not_matter(one: bytes, other: bytes) -> None:
    """The order of members, white space and the spelling of texts and numbers say nothing."""
    assert key(table.asked(one)) == key(table.asked(other))


@pytest.mark.parametrize(("one", "other"), table.LOOKALIKES)
def test_lookalikes_differ(one: bytes, other: bytes) -> None:
    """Types, the order of lists, and every character of a text count."""
    assert key(table.asked(one)) != key(table.asked(other))


@pytest.mark.parametrize(("scope", "one", "other", "equal"), table.CALLERS)
def test_tenants(scope: Scope, one: Request, other: Request, equal: bool) -> None:
    """Two callers share what the scope lets them share, and headers that a provider acts on count."""
    sharing = Sharing(scope)

    assert (key(one, sharing=sharing) == key(other, sharing=sharing)) is equal


def test_all_shaping_members_differ_from_each_other() -> None:
    """No two changes of a body fall together."""
    for dialect, rows in table.SHAPING.items():
        body = table.BODIES[dialect]
        found = [key(table.asked(table.at(body, path, value), dialect)) for path, value in rows]
        assert len(set(found)) == len(rows)


@pytest.mark.parametrize(("one", "other"), list(combinations(table.BODIES, 2)))
def test_the_same_body_in_two_dialects(one: str, other: str) -> None:
    """An answer in one dialect is none in another, even if the request has the same bytes."""
    assert key(table.asked(b'{"messages":[]}', one)) != key(table.asked(b'{"messages":[]}', other))


def test_an_alias_is_what_it_stands_for() -> None:
    """The model as it was asked for does not count, the models that may answer do."""
    alias, target = table.at(table.CHAT, "model", "fast"), table.at(table.CHAT, "model", "sim/m")

    assert key(table.asked(alias), "sim/m") == key(table.asked(target), "sim/m")
    assert key(table.asked(alias), "sim/m") != key(table.asked(alias), "sim/n")
    assert key(table.asked(alias), "sim/m") != key(table.asked(alias), "east/m")
    assert key(table.asked(alias), "sim/m", "sim/n") != key(table.asked(alias), "sim/m")


def test_there_are_enough_pairs() -> None:
    """The table has at least 120 pairs of requests."""
    members = [*table.SHAPING.values(), *table.BESIDE.values()]
    assert sum(map(len, members)) >= 100
    rest = len(table.SPELLINGS) + len(table.LOOKALIKES) + len(table.CALLERS)
    assert sum(map(len, members)) + rest >= 120


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"conversation":"conv_1"}',
        b'{"background":true}',
        b'{"temperature":0.1}',
        b'{"generationConfig":{"temperature":0.1}}',
        b'{"generation_config":{"temperature":0.1}}',
    ],
)
def test_what_is_equal_to_nothing(body: bytes) -> None:
    """What cannot be read in one way only, what a provider's memory decides, and what is asked at a
    temperature wants an answer of its own."""
    assert question(table.asked(body), SHARING) is None


def test_temperatures_that_are_allowed() -> None:
    """A temperature up to the limit shares, and two temperatures are two questions."""
    sharing = Sharing(max_temperature=1.0)
    warm, cold = (table.asked(b'{"temperature":%d}' % number) for number in (1, 0))

    assert key(warm, sharing=sharing) != key(cold, sharing=sharing)
    assert question(table.asked(b'{"temperature":1.1}'), sharing) is None


@pytest.mark.parametrize("operation", ["relay", "files", "batches", "count_tokens", "compact"])
def test_only_answers_are_shared(operation: Any) -> None:
    """What is no question to a model has no equal."""
    assert question(table.asked(table.CHAT, operation=operation), SHARING) is None


def test_requests_spread_over_all_partitions() -> None:
    """Ids made in one millisecond do not crowd into one partition."""
    found = Counter(partition_of(record_key(new_id(5)), 8) for _ in range(8000))

    assert len(found) == 8
    assert min(found.values()) > 800


def test_equal_requests_meet() -> None:
    """Where answers are shared, equal requests have one partition, a stream and a plain one too."""
    plain = table.asked(table.CHAT)
    stream = table.asked(table.at(table.CHAT, "stream", True))
    found = meeting_key(plain, "m", SHARING)

    assert found == meeting_key(stream, "m", SHARING)
    assert found != meeting_key(plain, "n", SHARING)
    assert meeting_key(plain, "m", None) == b"r"
    assert meeting_key(table.asked(b'{"temperature":1}'), "m", SHARING) == b"r"


def test_the_partition_is_the_one_librdkafka_chooses() -> None:
    """CRC-32 of the key: a service with librdkafka's default meets our partitioning."""
    assert partition_of(b"123456789", 1000) == 0xCBF43926 % 1000
