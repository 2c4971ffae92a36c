"""Clients of a gateway that is being killed, and the count at the end."""

import asyncio
import json
from collections import Counter

import httpx
from aiokafka import AIOKafkaProducer
from msgspec import Struct

from schemas.control import Cancellation, encode
from schemas.exchange import Exchange
from tests.stack import Stack, until

WORDS = 12


class Seen(Struct):
    """What one client saw."""

    name: str
    streamed: bool
    request_id: str | None = None
    status: int | None = None  # None: the connection broke before any answer
    text: str = ""
    ended: str = "broken"  # whole | error (an HTTP or in-band error) | broken (the connection)


def prompt(name: str) -> str:
    return " ".join([name, *(f"w{index}" for index in range(WORDS))])


def body(name: str, model: str, streamed: bool) -> dict[str, object]:
    messages = [{"role": "user", "content": prompt(name)}]
    return {"model": model, "messages": messages, "stream": streamed}


async def ask(
    client: httpx.AsyncClient,
    name: str,
    model: str,
    streamed: bool,
    headers: dict[str, str] | None = None,
) -> Seen:
    """One request by HTTP, read to whatever end it has."""
    seen, content = Seen(name, streamed), body(name, model, streamed)
    try:
        async with client.stream(
            "POST", "/v1/chat/completions", json=content, headers=headers
        ) as response:
            seen.status = response.status_code
            seen.request_id = response.headers.get("sluice-request-id")
            raw = ""
            async for piece in response.aiter_text():
                raw += piece
                seen.text = raw
    except (httpx.HTTPError, AttributeError):  # the latter by anyio: it broke as it was made
        return seen
    if seen.status != 200:
        seen.ended = "error"
    elif streamed:
        _read_stream(seen, raw)
    else:
        seen.text = json.loads(raw)["choices"][0]["message"]["content"]
        seen.ended = "whole"
    return seen


def _read_stream(seen: Seen, raw: str) -> None:
    """Every event must parse: an error never lands inside half an event."""
    text, done, error = "", False, False
    for block in raw.split("\n\n"):
        for line in block.splitlines():
            if not line.startswith("data: "):
                continue
            assert not done, f"after [DONE]: {line}"
            if line == "data: [DONE]":
                done = True
                continue
            event = json.loads(line[6:])
            error = error or "error" in event
            for choice in event.get("choices", ()):
                text += choice["delta"].get("content") or ""
    seen.text = text
    seen.ended = "error" if error else "whole" if done else "silently cut"


async def ask_many(stack: Stack, names: list[str], model: str = "sim-10") -> list[Seen]:
    """All at once; every second one streamed."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=stack.url, timeout=90, limits=limits) as client:
        return await asyncio.gather(
            *(ask(client, name, model, index % 2 == 1) for index, name in enumerate(names))
        )


def asking_many(stack: Stack, names: list[str], model: str = "sim-10") -> asyncio.Task[list[Seen]]:
    """The same in the background: await what it returns."""
    return asyncio.get_running_loop().create_task(ask_many(stack, names, model))


async def produce_many(
    stack: Stack, names: list[str], model: str = "sim-10", topic: str | None = None
) -> None:
    """Straight to a request topic, with a ce_id and no reply address."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all")
    await producer.start()
    try:
        for name in names:
            value = json.dumps(body(name, model, False)).encode()
            headers = [("ce_id", name.encode())]
            await producer.send(topic or stack.topics.requests, value, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


async def upstream_calls(stack: Stack) -> Counter[str]:
    """Calls of the provider by request id."""
    async with httpx.AsyncClient(timeout=10) as client:
        report = (await client.get(f"http://127.0.0.1:{stack.sim_port}/calls")).json()
    return Counter(report["request_ids"])


async def called(stack: Stack, least: int) -> None:
    """Wait until the provider was called so often."""

    async def enough() -> bool:
        return sum((await upstream_calls(stack)).values()) >= least

    await until(enough, what=f"fewer than {least} calls")


async def serving(stack: Stack) -> None:
    """Wait until the ingress says that it is ready."""
    async with httpx.AsyncClient(base_url=stack.url, timeout=10) as client:

        async def ready() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await until(ready, what="the ingress is not ready")


async def forget_calls(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        await client.delete(f"http://127.0.0.1:{stack.sim_port}/calls")


class Count(Struct):
    """Accepted, outcomes, documents, calls; and what stands there twice."""

    accepted: set[str]
    outcomes: dict[str, str]
    documents: set[str]
    calls: Counter[str]
    repeated: set[str]


async def settled(stack: Stack, seconds: float = 90.0) -> Count:
    """Wait until every accepted request has an outcome and a document; the count then.

    Accepted is what stands in the log: also what was produced for a client that saw a 503.
    """
    accepted = {
        name if "/ingress/" in source else f"{source}/{name}"
        for name, source in await stack.request_ids()
    }

    async def accounted() -> bool:
        return accepted <= set(stack.documents())

    try:
        await until(accounted, seconds)
    except AssertionError:
        missing = sorted(accepted - set(stack.documents()))
        recorded = {exchange.request_id for exchange in await stack.exchanges()}
        unrecorded = [name for name in missing if name not in recorded]
        raise AssertionError(
            f"of {len(accepted)} accepted requests {len(missing)} have no document,"
            f" {len(unrecorded)} no outcome: {missing[:5]} {await stack.describe(missing[:3])}"
        ) from None
    found = await stack.exchanges()
    outcomes: dict[str, str] = {}
    for exchange in found:
        outcomes.setdefault(exchange.request_id, exchange.outcome)
    documents = stack.documents()
    assert len(documents) == len(set(documents)), "a request has two documents"
    calls = await upstream_calls(stack)
    return Count(
        accepted,
        outcomes,
        set(documents),
        calls,
        {name for name, count in calls.items() if count > 1},
    )


def no_half_answer(seen: list[Seen]) -> None:
    """Whole answers are right, and nothing that is not whole looks so."""
    for each in seen:
        assert each.ended != "silently cut", f"{each.name} was cut in silence: {each.text!r}"
        if each.ended == "whole":
            assert each.text == prompt(each.name), f"{each.name} got {each.text!r}"


def accounted_for_once(count: Count) -> None:
    """accepted = outcomes = documents, one each."""
    for name, found in (("outcomes", set(count.outcomes)), ("documents", count.documents)):
        missing, extra = count.accepted - found, found - count.accepted
        assert not missing, f"accepted without {name}: {sorted(missing)[:5]}"
        assert not extra, f"{name} of what was not accepted: {sorted(extra)[:5]}"


async def kill_at(stack: Stack, point: str, load: int) -> None:
    """A worker dies at `point`, as in SLUICE_FAULT_POINT, among `load` requests over HTTP and twenty
    direct ones: nothing accepted is lost, no half answer looks whole, and only what was running is
    called twice."""
    await forget_calls(stack)
    dying = await stack.start("streams", SLUICE_FAULT_POINT=point, KAFKA_GROUP_INSTANCE_ID="w1")
    await produce_many(stack, [f"{point}-{load}-direct-{index}" for index in range(20)])
    asking = asking_many(stack, [f"{point}-{load}-{index}" for index in range(load)])
    assert await dying.ended() == -9
    successor = await stack.start("streams", KAFKA_GROUP_INSTANCE_ID="w1")
    seen = await asking
    count = await settled(stack)

    no_half_answer(seen)
    accounted_for_once(count)
    assert [each for each in seen if each.ended == "broken"] == [], "the ingress lives"
    assert [each for each in seen if each.ended != "whole" and not each.streamed] == []
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    await successor.stop()


async def cancel(stack: Stack, request_id: str) -> None:
    """As a service does it: a record on the control topic."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap)
    await producer.start()
    value, headers = encode(Cancellation(request_id, "requested"))
    await producer.send_and_wait(stack.topics.control, value, headers=headers)
    await producer.stop()


async def overtake(stack: Stack, batch: int) -> None:
    """Interactive requests do not queue behind `batch` unread records of the other lane, neither in
    a worker that is full of them nor in one that joins and is given half of the partitions. Told by
    the order in which requests ended: few batch ones did while an interactive one waited."""
    await forget_calls(stack)
    waiting = [f"batch-{batch}-{index}" for index in range(batch)]
    await produce_many(stack, waiting, "sim-300", stack.topics.batch)
    small = {"STREAMS_CONCURRENCY": "20", "STREAMS_MAX_HELD": "40"}
    workers = [await stack.start("streams", **small)]
    await called(stack, 40)
    seen = await ask_many(stack, [f"now-{batch}-{index}" for index in range(60)])
    workers.append(await stack.start("streams", **small))
    # What waits for an adoption waits for that, and not for batch requests.
    adopted = "partitions_assigned"
    await until(lambda: adopted in workers[1].text(), what="the second worker has no partitions")
    await until(lambda: workers[0].text().count(adopted) > 1, what="the first one has none again")
    seen += await ask_many(stack, [f"later-{batch}-{index}" for index in range(60)])
    done = len(set(stack.documents()) & {f"/kafka/{name}" for name in waiting})
    workers.append(await stack.start("streams"))
    count = await settled(stack, 90 + batch / 100)

    assert done < batch, "the interactive requests had nothing to overtake"
    assert {each.ended for each in seen} == {"whole"}
    no_half_answer(seen)
    accounted_for_once(count)
    found = overtaken(await stack.exchanges(), {each.request_id for each in seen})
    assert max(found) < 200, f"of {batch} batch requests so many went before: {found}"
    for worker in workers:
        await worker.stop()


def overtaken(exchanges: list[Exchange], asked: set[str | None]) -> list[int]:
    """For each request asked: how many batch ones ended between its publication and its own end."""
    batch = [each.finished_at for each in exchanges if "/batch-" in each.request_id]
    return [
        sum(1 for ended in batch if one.created_at < ended < one.finished_at)
        for one in exchanges
        if one.request_id in asked
    ]


async def come_and_go(stack: Stack, load: int) -> None:
    """Workers join and leave among `load` requests, half of them streams, and what runs meanwhile is
    called once: who loses a partition goes on, and the next owner waits for its outcome."""
    await forget_calls(stack)
    first = await stack.start("streams")
    asking = [asking_many(stack, [f"come-{load}-{index}" for index in range(load)], "sim-500")]
    await called(stack, load // 2)
    second = await stack.start("streams")
    await produce_many(stack, [f"direct-{load}-{index}" for index in range(load // 2)], "sim-2000")
    asking.append(asking_many(stack, [f"stay-{load}-{index}" for index in range(load)], "sim-500"))
    await called(stack, load + load // 2)
    third = await stack.start("streams")
    asking.append(asking_many(stack, [f"go-{load}-{index}" for index in range(load)], "sim-300"))
    await called(stack, 2 * load + load // 2)
    await first.stop()
    await second.stop()
    seen = [each for found in asking for each in await found]
    count = await settled(stack)

    assert {each.ended for each in seen} == {"whole"}
    no_half_answer(seen)
    accounted_for_once(count)
    told = "\n".join(
        f"worker {n}:\n{w.text()[-3000:]}" for n, w in enumerate((first, second, third))
    )
    assert count.repeated == set(), f"called twice: {sorted(count.repeated)}\n{told}"
    await third.stop()


async def take_over(stack: Stack) -> None:
    """A worker gives partitions to one that joins and is then killed: what ran in it is run once
    more by the new owner, and nothing else is."""
    await forget_calls(stack)
    slow = [f"slow-{index}" for index in range(20)]
    first = await stack.start("streams")
    await produce_many(stack, slow, "sim-8000")
    await called(stack, 20)
    second = await stack.start("streams")
    await until(lambda: "partitions_assigned" in second.text(), what="it has no partitions")
    await produce_many(stack, [f"quick-{index}" for index in range(60)])
    await called(stack, 40)
    first.kill()
    count = await settled(stack)

    accounted_for_once(count)
    ran_in_the_first = {f"/kafka/{name}" for name in slow}
    assert {name for name in count.repeated if "/slow-" in name} == ran_in_the_first
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    assert "request_taken_over" in second.text()
    await second.stop()
