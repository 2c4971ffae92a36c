"""What operators' commands decide, as data: letters, plans, filters; and how they reach the log."""

from pathlib import Path

import pytest
from msgspec import Raw

from schemas import headers as h
from schemas.clock import rfc3339
from schemas.exchange import Body, ErrorInfo, Exchange, Timings
from schemas.headers import Headers
from schemas.requests import MAX_ID_CHARS, Position, from_record
from schemas.topics import Topics
from sluice.operations.dlq import Wanted, plans
from sluice.operations.filters import FIELDS, all_take, parse
from sluice.operations.letters import Letter, letter, shown
from sluice.operations.redrive import Known, bases, plan
from tests.brokers import embedded_broker
from tests.sluice.commands import typed
from tests.stack import Stack

TOPICS = Topics()
NOW = 1_800_000_000.0
FAILED = Known("failed", called=False)
DONE = Known("completed", called=True)


class Now:
    def time(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def dead(
    headers: Headers,
    value: bytes | None = b"{}",
    exception: str = "Malformed",
    topic: str = "llm.requests",
    number: int = 7,
) -> Letter:
    """A letter of a record that stood at 3:40 of a topic."""
    said: Headers = [
        (h.DLT_EXCEPTION_FQCN, exception.encode()),
        (h.DLT_EXCEPTION_MESSAGE, b"because"),
        (h.DLT_ORIGINAL_TOPIC, topic.encode()),
        (h.DLT_ORIGINAL_PARTITION, (3).to_bytes(4, "big")),
        (h.DLT_ORIGINAL_OFFSET, (40).to_bytes(8, "big")),
        (h.DLT_ORIGINAL_TIMESTAMP, (5000).to_bytes(8, "big")),
    ]
    return letter(number, 9.0, ([*headers, *said], b"key", value), TOPICS)


def named(name: bytes = b"42", source: bytes = b"/billing") -> Headers:
    return [(h.CE_SOURCE, source), (h.CE_ID, name)]


def test_what_a_record_says_of_its_death_comes_last() -> None:
    """A record that had such headers itself neither hides where it stood nor is sent elsewhere."""
    forged = [*named(), (h.DLT_ORIGINAL_TOPIC, b"llm.control")]
    found = dead(forged)
    assert found.headers == forged
    assert found.origin == Position("llm.requests", 3, 40)
    assert (found.made, found.at, found.request_id) == (5.0, 9.0, "/billing/42")


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("llm.requests", "request"),
        ("llm.requests.batch", "request"),
        ("llm.exchanges", "exchange"),
        ("llm.control", "unknown"),
        ("other", "unknown"),
    ],
)
def test_only_what_stood_on_a_topic_of_ours_goes_back(topic: str, kind: str) -> None:
    """Requests of every lane and exchanges are redriven; anything else is left where it is."""
    found = dead(named(), topic=topic)
    assert found.kind == kind
    action = "keep" if kind == "unknown" else "redrive"
    assert plan(found, {}, NOW, force=True).action == action
    foreign = letter(1, 1.0, ([], None, b"x"), TOPICS)
    assert plan(foreign, {}, NOW, force=True).action == "keep"


def test_bodies_are_shown_as_what_they_are() -> None:
    """JSON stays JSON, text is a text, bytes are base64, and nothing is null."""
    bodies = [shown(dead([], value)).body for value in (b'{"a":1}', b"no", b"\xff", None)]
    assert [bytes(body) for body in bodies] == [b'{"a":1}', b'"no"', b'"base64:/w=="', b"null"]


def test_names_of_redriven_requests() -> None:
    """The first name without an outcome, whose id the outcomes are searched for."""
    found = dead(named())
    outcomes: dict[str, Known] = {}
    for name in ("42", "42~1", "42~2"):
        step = plan(found, outcomes, NOW, force=False)
        assert (step.action, step.request_id) == ("redrive", f"/billing/{name}")
        request = from_record(h.first(step.headers), b"{}", Position("llm.requests", 3, 99), NOW)
        assert request.request_id == step.request_id
        assert step.request_id.rpartition("~")[0] in bases(found) | {""}
        outcomes[step.request_id] = FAILED
    outcomes[step.request_id] = DONE
    assert plan(found, outcomes, NOW, force=True).action == "keep"


@pytest.mark.parametrize("outcome", ["completed", "cancelled", "expired"])
def test_an_outcome_that_is_no_failure_stands(outcome: str) -> None:
    """No force runs a request again whose caller has had an answer, went away or was too late."""
    known = {"/billing/42": Known(outcome, called=False)}  # type: ignore[arg-type]
    assert plan(dead(named()), known, NOW, force=True).why == f"its outcome stands: {outcome}"


def test_a_paid_call_needs_force() -> None:
    """Whatever called a provider, or may have, is not run again without a word."""
    called = {"/billing/42": Known("failed", called=True)}
    assert plan(dead(named()), called, NOW, force=False).action == "keep"
    assert plan(dead(named()), called, NOW, force=True).action == "redrive"
    assert plan(dead(named(), exception="GivenUp"), {}, NOW, force=False).action == "keep"


def test_the_ingress_own_ids_have_no_source_before_them() -> None:
    """The new name of a request of our ingress is its id, too."""
    found = dead(named(b"01", b"/sluice/ingress/0"))
    step = plan(found, {"01": FAILED}, NOW, force=False)
    assert step.request_id == "01~1"
    assert bases(found) == {"01"}


def test_a_moved_record_is_a_request_of_its_own_again() -> None:
    """A worker would take a copy that was moved forward for one that has ended."""
    moved = [*named(), (h.REQUEST_ID, b"/billing/42")]
    step = plan(dead(moved), {}, NOW, force=False)
    assert step.headers == [(h.CE_ID, b"42"), (h.CE_SOURCE, b"/billing")]


@pytest.mark.parametrize(
    ("deadline", "kept"), [(NOW - 1, False), (NOW + 1, True), (None, True)], ids=str
)
def test_deadlines(deadline: float | None, kept: bool) -> None:
    """A deadline to come is kept, as is one that cannot be read: it is the sender's mistake."""
    text = b"soon" if deadline is None else rfc3339(deadline).encode()
    step = plan(dead([*named(), (h.CE_EXPIRYTIME, text)]), {}, NOW, force=False)
    assert ((h.CE_EXPIRYTIME, text) in step.headers) is kept


def test_long_names() -> None:
    """A name without room for a number is told apart by its hash."""
    name = b"x" * MAX_ID_CHARS
    found = dead(named(name))
    step = plan(found, {found.request_id: FAILED}, NOW, force=False)
    assert step.request_id.rpartition("~")[0] in bases(found)
    assert len(step.request_id) < 100


def test_letters_of_one_request() -> None:
    """Of several letters of a request the last is redriven: it would be the same request."""
    found = [dead(named(), number=number) for number in (1, 2)]
    found.append(dead(named(), number=3, topic="llm.exchanges"))
    steps = plans(found, {}, Now(), force=False)
    assert [step.action for step in steps] == ["keep", "redrive", "redrive"]
    assert steps[0].why == "letter 2 is of the same request"


def test_wanted() -> None:
    """By number, by request id, by part of the class or the reason in any case."""
    found = dead(named())
    for wanted in (Wanted(), Wanted(("7",)), Wanted(("/billing/42",)), Wanted((), "MALFORMED: be")):
        assert wanted.takes(found)
    for wanted in (Wanted(("8",)), Wanted(("7",), "other")):
        assert not wanted.takes(found)


def exchange() -> Exchange:
    return Exchange(
        request_id="1",
        outcome="failed",
        created_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:01Z",
        operation="chat",
        dialect="openai_chat",
        stream=True,
        source="/kafka",
        user_path="/team/ann",
        request_model="gpt-4o",
        status=502,
        delivery_attempt=1,
        kafka=Position("llm.requests", 0, 0),
        timings=Timings(1.0),
        request=Body(Raw(b"{}")),
        error=ErrorInfo("upstream_error", "provider_error", "no"),
    )


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("model=gpt-4o", True),
        ("model=gpt-*", True),
        ("model=GPT-4o", False),
        ("status=5??", True),
        ("stream=true", True),
        ("outcome!=completed", True),
        ("outcome!=failed", False),
        ("provider=", True),
        ("provider=*", True),
        ("user_path=/team/*", True),
        ("error=upstream_*", True),
    ],
)
def test_filters(text: str, taken: bool) -> None:
    """A whole field against a pattern; what an exchange has not is the empty text."""
    assert all_take([parse(text)], exchange()) is taken
    assert all_take([parse(text), parse("operation=chat")], exchange()) is taken


def test_every_field_can_be_asked() -> None:
    """Each has a text of every exchange."""
    assert all_take([parse(f"{name}=*") for name in FIELDS], exchange())


@pytest.mark.parametrize("text", ["model", "modle=x", "=x", ""])
def test_no_filters(text: str) -> None:
    """Anything else says what a filter is."""
    with pytest.raises(ValueError, match="user_path"):
        parse(text)


# -- how they reach the log


@pytest.mark.parametrize("listener", ["kafka_sasl", "kafka_ssl"])
async def test_a_cluster_with_security(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str, listener: str
) -> None:
    """Kafka's own settings for passwords and TLS hold for the commands as for the roles."""
    security: dict[str, str] = request.getfixturevalue(listener)
    stack = Stack(tmp_path, "", topic_prefix, **security)
    assert (await typed(stack, "topics", "create", "--json")).code == 0
    assert (await typed(stack, "dlq", "list", "--json")).json == []
    assert (await typed(stack, "tail", "--no-follow")).lines == []


async def test_the_broker_of_a_serve_that_runs(tmp_path: Path) -> None:
    """Without a cluster the commands find the embedded broker by the file in the data folder."""
    async with embedded_broker(tmp_path) as broker:
        stack = Stack(tmp_path, broker.bootstrap, "llm.")
        del stack.env["KAFKA_BOOTSTRAP_SERVERS"]
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "bootstrap").write_text(broker.bootstrap)
        missing = await typed(stack, "dlq", "list")
        assert (missing.code, missing.err) == (
            1,
            "Error: llm.dead-letters does not exist: run `sluice topics create`\n",
        )
        assert (await typed(stack, "topics", "create", "--json")).code == 0
        assert (await typed(stack, "dlq", "list", "--json")).json == []
        assert (await typed(stack, "requests", "show", "x")).code == 1


async def test_a_log_that_is_away(tmp_path: Path) -> None:
    """One line says which address does not answer."""
    stack = Stack(tmp_path, "127.0.0.1:9", "llm.")
    for command in (["dlq", "list"], ["tail"], ["requests", "show", "x"]):
        done = await typed(stack, *command)
        assert done.code == 1
        assert "Error: Kafka at 127.0.0.1:9 cannot be used" in done.err
