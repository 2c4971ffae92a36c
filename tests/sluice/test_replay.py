"""`sluice replay`: recorded requests on another model, on both brokers; and what it compares, as data."""

import asyncio
import json
import signal
import uuid
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from providers.catalog import Catalog
from schemas import headers as h
from schemas.exchange import Attempt, Body, Exchange, Timings
from schemas.prices import Metadata, Pricing
from schemas.usage import Usage
from sinks.config import SinkConfig
from sinks.document import document, to_json
from sluice.operations.comparison import compared, latency
from sluice.operations.differences import said, verdict
from sluice.operations.prices import Prices
from sluice.operations.recorded import Wanted, from_document, from_store, replayable
from sluice.operations.replay import Pair, Terms, again
from tests.e2e.log import tail
from tests.gateway import KEY, Gateway
from tests.sluice.commands import started, typed
from tests.sluice.test_operations import exchange
from tests.stack import until


def new_name() -> str:
    return f"replay-{uuid.uuid4()}"


async def recorded(gateway: Gateway, name: str, path: str, *bodies: dict[str, Any]) -> None:
    """Asked at the ingress under one X-Request-ID, and answered."""
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": name}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as client:
        for body in bodies:
            answer = await client.post(path, json=body)
            assert answer.status_code == 200, answer.text


def chat(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def replayed(gateway: Gateway, name: str, model: str, *more: str) -> dict[str, Any]:
    arguments = ("--from", "1h", "--filter", f"client_request_id={name}", "--json", *more)
    done = await typed(gateway.stack, "replay", "--model", model, *arguments)
    found: dict[str, Any] = done.json
    return found


async def test_equal_changed_failed(gateway: Gateway) -> None:
    """Plain and streamed answers are compared by what they say; a model that refuses has failed."""
    name = new_name()
    bodies = (chat("sim-echo", "one"), chat("sim-echo", "two", stream=True))
    await recorded(gateway, name, "/v1/chat/completions", *bodies)
    same = await replayed(gateway, name, "sim-1")
    assert (same["requests"], same["equal"], same["changed"], same["failed"]) == (2, 2, 0, 0)
    assert same["after"]["completed"] == 2
    assert same["before"]["input_tokens"] == same["after"]["input_tokens"] > 0
    other = await replayed(gateway, name, "sim-lorem-7")
    assert (other["changed"], other["after"]["output_tokens"]) == (2, 14)
    none = await replayed(gateway, name, "sim-status-400")
    assert none["failed"] == 2
    assert none["after"]["latency"]["p50"] is None
    assert {each["error"] for each in none["answers"]} != {None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", chat("sim-echo", "three", max_tokens=50, stream=True)),
        ("/v1/responses", {"model": "sim-echo", "input": "four", "stream": True}),
        ("/v1/responses", {"model": "sim-echo", "input": "five"}),
    ],
    ids=["messages", "responses-streamed", "responses"],
)
async def test_in_the_callers_dialect(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    """A request is run again in the dialect in which it was asked."""
    name = new_name()
    await recorded(gateway, name, path, body)
    found = await replayed(gateway, name, "sim-1")
    assert (found["equal"], found["failed"]) == (1, 0)


async def test_nothing_reaches_those_who_asked(gateway: Gateway) -> None:
    """The answers stand on the shadow topic, their requests are of another source and user path, and
    are no recorded traffic themselves."""
    name, topics = new_name(), gateway.stack.topics
    await recorded(gateway, name, "/v1/chat/completions", chat("sim-echo", "six"))
    async with tail(gateway.stack.bootstrap, topics.requests, topics.replies) as reading:
        found = await replayed(gateway, name, "sim-lorem-2")
        (answer,) = found["answers"]
        key = answer["replayed_as"].encode()
        (record,) = await reading.take(topics.requests, lambda each: each.key == key)
        headers = dict(record.headers)
        shadow = f"{topics.replies}.replay"
        assert headers[h.REPLY_TOPIC] == shadow.encode()
        assert headers[h.USER_PATH] == b"/sluice/replay"
        assert h.CLIENT_REQUEST_ID not in headers
        assert json.loads(record.value)["model"] == "sim-lorem-2"
        await reading.upto_now()
        assert [each for each in reading.records[topics.replies] if each.key == key] == []
    told = [each for each in await gateway.stack.read(shadow) if each[3] == key]
    assert told[-1][2]["ce_type"] == b"llm.reply.completed"
    source = headers[h.CE_SOURCE].decode()
    nothing = await typed(gateway.stack, "replay", "--model", "x", "--filter", f"source={source}")
    assert nothing.code == 1
    assert "no recorded request" in nothing.err


async def test_from_the_store_with_prices(gateway: Gateway, tmp_path: Path) -> None:
    """What the store has can be run again as well; a table says what it would have cost."""
    name = new_name()
    await recorded(gateway, name, "/v1/chat/completions", chat("sim-echo", "seven", stream=True))
    mine = ("--filter", f"client_request_id={name}")
    done = await typed(gateway.stack, "tail", "--no-follow", "--since", "1h", "--json", *mine)
    (line,) = map(json.loads, done.lines)
    await until(lambda: line["request_id"] in gateway.stack.documents())
    rates = "{input_per_mtok: 1000000, output_per_mtok: 0}"
    (tmp_path / "config.yaml").write_text(f"prices:\n  sim/sim-1: {rates}\n")
    arguments = ("replay", "--source", "store", "--model", "sim-1", *mine)
    dry = await typed(gateway.stack, *arguments, "--dry-run", folder=tmp_path)
    assert dry.lines == ["1 requests would be run on sim-1."]
    table = (await typed(gateway.stack, *arguments, folder=tmp_path)).lines
    rows = {line[:22].strip(): line[22:].split() for line in table if line}
    assert rows["requests"] == ["1", "1"]
    tokens = int(rows["input tokens"][1])
    assert rows["cost"] == ["unknown", f"${tokens:.6f}"]
    assert rows["first token p50 / p95"][0].endswith("s")
    assert table[-1] == "Answers: 1 equal, 0 changed, 0 failed."


async def test_ended_early(gateway: Gateway) -> None:
    """Ctrl-C asks for the end of what still runs: nothing is paid for that nobody will look at."""
    name, topics = new_name(), gateway.stack.topics
    await recorded(gateway, name, "/v1/chat/completions", chat("sim-echo", "eight"))
    async with tail(gateway.stack.bootstrap, topics.requests, topics.exchanges) as reading:
        mine = ("--filter", f"client_request_id={name}")
        process = await started(gateway.stack, "replay", "--model", "sim-hang", *mine)
        (record,) = await reading.take(
            topics.requests,
            lambda each: (
                (each.key or b"").startswith(b"/sluice/replay/") and b"eight" in each.value
            ),
        )
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            _, err = await process.communicate()
        assert b"Traceback" not in err
        (ended,) = await reading.take(topics.exchanges, lambda each: each.key == record.key)
        assert dict(ended.headers)[h.CE_TYPE] == b"llm.exchange.cancelled"


# -- as data

TERMS = Terms(model="new", shadow="llm.replies.replay", run="1")


def answered(text: str, seconds: float = 1.0, **more: Any) -> Exchange:
    message = {"role": "assistant", "content": text, **more}
    body = {"id": "1", "model": "m", "choices": [{"index": 0, "message": message}]}
    return replace(
        exchange(),
        outcome="completed",
        status=200,
        error=None,
        timings=Timings(seconds, upstream=seconds),
        usage=Usage(10, 2),
        attempts=(Attempt("sim", "m", "2026-01-01T00:00:00Z", seconds, 200),),
        response=Body(Raw(msgspec.json.encode(body))),
    )


def call(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"id": "1", "type": "function", "function": function}]}


def test_verdicts() -> None:
    """Space around a text, ids and the spelling of arguments do not matter; what is said does."""
    assert verdict(answered("yes"), answered(" yes\n")) == "equal"
    assert verdict(answered("yes"), answered("no")) == "changed"
    spaced, tight = call('{"a": 1, "b": 2}'), call('{"b":2,"a":1}')
    assert verdict(answered("", **spaced), answered("", **tight)) == "equal"
    assert verdict(answered("", **spaced), answered("", **call("{}"))) == "changed"
    assert verdict(answered("yes"), exchange()) == "failed"
    assert verdict(answered("yes"), None) == "failed"
    assert verdict(exchange(), answered("yes")) == "changed"


def test_an_answer_that_is_none() -> None:
    """A body that cannot be read is compared as it is."""
    odd = replace(answered(""), response=Body(Raw(b'"what"'), "text", "text/plain"))
    assert said(odd) == (b"what",)


def test_what_can_be_run_again() -> None:
    """Requests for answers, in JSON; no files, no replays."""
    assert replayable(answered("yes"))
    assert not replayable(replace(answered("yes"), operation="files"))
    assert not replayable(replace(answered("yes"), source="/sluice/replay/1"))
    assert not replayable(replace(answered("yes"), request=Body(Raw(b'"x"'), "text")))


@pytest.mark.parametrize(
    ("dialect", "body", "expected", "model"),
    [
        ("openai_chat", {"model": "old", "x": 1}, {"model": "new", "x": 1}, None),
        ("gemini", {"contents": []}, {"contents": []}, "new"),
        (
            "openai_responses",
            {"model": "old", "background": True, "store": True},
            {"model": "new", "store": False},
            None,
        ),
    ],
)
def test_the_request_once_more(
    dialect: str, body: dict[str, Any], expected: dict[str, Any], model: str | None
) -> None:
    """Only the model is another one, in the body or beside it; nothing of it is kept."""
    before = replace(answered("yes"), dialect=dialect, request=Body(Raw(msgspec.json.encode(body))))
    request = again(before, TERMS, "name", 100.0)
    assert json.loads(request.body) == expected
    assert (request.model, request.source) == (model, "/sluice/replay/1")
    assert request.deadline == 700.0
    assert request.client_request_id is None


def test_percentiles() -> None:
    """The nearest rank of what was measured; nothing of nothing."""
    found = latency([None, *(each / 10 for each in range(1, 21))])
    assert (found.p50, found.p95) == (1.0, 1.9)
    assert latency([None]).p50 is None


def test_the_table() -> None:
    """Counts, tokens and costs of both sides; a price that is not known is left out of the sum."""
    metadata = {"sim/m": Metadata(pricing=Pricing(input_per_mtok=1e6, output_per_mtok=5e5))}
    catalog = Catalog([], {}, {}, metadata)
    assert Prices(catalog).of(answered("yes")) is None
    pairs = [
        Pair(answered("yes", 1.0), "a", answered("yes", 3.0)),
        Pair(answered("yes", 1.0), "b", answered("no", 2.0)),
        Pair(answered("yes", 1.0), "c", None),
    ]
    found = compared("new", pairs, lambda each: 2.0 if each.timings.total > 2 else None)
    assert (found.equal, found.changed, found.failed) == (1, 1, 1)
    assert (found.before.cost, found.after.cost, found.after.priced) == (None, 2.0, 1)
    assert (found.after.completed, found.after.output_tokens) == (2, 4)
    assert (found.after.latency.p50, found.after.latency.p95) == (2.0, 3.0)
    assert [each.error for each in found.answers] == [None, None, "no_outcome"]


def test_documents_are_exchanges_again() -> None:
    """What a store has of an exchange is run again like the exchange; without its whole body it is not."""
    before = replace(answered("yes"), request=Body(Raw(b'{"model":"m"}')))
    stored = to_json(document(before, bodies=True, body_limit=1 << 20))
    found = from_document(stored)
    assert found is not None
    assert (found.request_id, found.request.content()) == ("1", b'{"model":"m"}')
    assert verdict(before, found) == "equal"
    assert from_document(to_json(document(before, bodies=False, body_limit=1 << 20))) is None
    cut = from_document(to_json(document(before, bodies=True, body_limit=20)))
    assert cut is not None
    assert said(cut) is None


async def test_documents_in_lines(tmp_path: Path) -> None:
    """The store of JSON lines can be read, too; one that is not there says so."""
    config = SinkConfig(storage_type="jsonl", jsonl_path=str(tmp_path / "lines"))
    before = replace(answered("yes"), request=Body(Raw(b'{"model":"m"}')))
    line = to_json(document(before, bodies=True, body_limit=1 << 20))
    (tmp_path / "lines").write_bytes(line + b"\n")
    assert len(await from_store(config, Wanted())) == 1
    assert await from_store(config, Wanted(until=1.0)) == []
    for kind in ("sqlite", "jsonl"):
        missing = SinkConfig(
            storage_type=kind,  # type: ignore[arg-type]
            sqlite_path=str(tmp_path / "none"),
            jsonl_path=str(tmp_path / "none"),
        )
        with pytest.raises(OSError, match="none"):
            await from_store(missing, Wanted())


async def test_documents_in_mongodb(mongodb_url: str) -> None:
    """MongoDB's documents are the exchanges that they were, times and numbers included."""
    from pymongo import AsyncMongoClient

    from schemas.clock import SystemClock
    from sinks.mongodb import MongoDBSink

    database = f"replay_{uuid.uuid4().hex}"
    config = SinkConfig(storage_type="mongodb", mongodb_url=mongodb_url, mongodb_database=database)
    before = replace(
        answered("yes"), request=Body(Raw(b'{"model":"m","seed":5000000000,"top_p":0.5}'))
    )
    sink = MongoDBSink(config, SystemClock())
    await sink.open()
    try:
        await sink.write([document(before, bodies=True, body_limit=1 << 20)])
        (found,) = await from_store(config, Wanted())
        assert found.created_at == "2026-01-01T00:00:00.000000Z"
        assert json.loads(found.request.content()) == json.loads(before.request.content())
        assert verdict(before, found) == "equal"
        assert await from_store(config, Wanted(until=1.0)) == []
    finally:
        await sink.close()
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(mongodb_url)
        await client.drop_database(database)
        await client.close()
