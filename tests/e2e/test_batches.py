"""Files that the gateway keeps and batches that it runs, as the official SDK and curl see them."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from schemas import exchange as exchanges
from schemas.clock import SystemClock
from schemas.exchange import Exchange
from schemas.identity import partition_of, record_key
from schemas.ids import new_id
from schemas.replies import Address
from schemas.requests import Request, to_headers
from tests.e2e.log import Tail, chat, is_outcome, producing, tail
from tests.gateway import KEY, Gateway
from tests.stack import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL: Any = "/v1/chat/completions"
OURS = {"sluice-provider": "sluice"}
USER = "x-sluice-user-path"
UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")


class World:
    """The shared gateway, and what its clients do with batches."""

    def __init__(self, gateway: Gateway, reading: Tail, http: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.reading = reading
        self.http = http

    def sdk(self, user_path: str) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=f"{self.gateway.url}/v1",
            api_key=KEY,
            max_retries=0,
            timeout=60,
            default_headers=OURS | {USER: user_path},
        )

    async def exchanges(self, batch: str, count: int) -> list[Exchange]:
        """The outcomes of a batch's lines, as soon as there are so many."""

        def of_it(record: Any) -> bool:
            return is_outcome(record) and exchanges.decode(record.value).batch_id == batch

        topic = self.gateway.stack.topics.exchanges
        found = await self.reading.take(topic, of_it, count, what=batch)
        return [exchanges.decode(record.value) for record in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(gateway: Gateway) -> AsyncIterator[World]:
    headers = OURS | {"authorization": f"Bearer {KEY}"}
    async with (
        tail(gateway.stack.bootstrap, gateway.stack.topics.exchanges) as reading,
        httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as http,
    ):
        yield World(gateway, reading, http)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A user path of the test's own: nobody else's batches are seen from there."""
    return f"/batches/{request.node.name.partition('[')[0]}"


@pytest_asyncio.fixture(loop_scope="module")
async def client(world: World, path: str) -> AsyncIterator[AsyncOpenAI]:
    async with world.sdk(path) as found:
        yield found


def line(name: str, content: str = "", model: str = "sim-echo", **changed: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content or f"I am {name}"}]
    body = {"model": model, "messages": messages}
    return {"custom_id": name, "method": "POST", "url": URL, "body": body} | changed


def jsonl(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


async def uploaded(client: AsyncOpenAI, content: bytes) -> str:
    found = await client.files.create(
        file=("in.jsonl", content, "application/jsonl"), purpose="batch"
    )
    return found.id


async def created(client: AsyncOpenAI, *lines: dict[str, Any], **options: Any) -> str:
    given: dict[str, Any] = {"endpoint": URL, "completion_window": "24h"} | options
    name = await uploaded(client, jsonl(*lines))
    return (await client.batches.create(input_file_id=name, **given)).id


async def ended(client: AsyncOpenAI, name: str) -> openai.types.Batch:
    async def over() -> bool:
        return (await client.batches.retrieve(name)).status not in UNDER_WAY

    await until(over, what=f"{name} does not end")
    return await client.batches.retrieve(name)


async def lines_in(client: AsyncOpenAI, name: str | None) -> Iterator[dict[str, Any]]:
    if name is None:
        return iter(())
    content = await client.files.content(name)
    return iter([json.loads(each) for each in content.text.splitlines()])


async def test_a_batch_as_the_sdk_does_it(world: World, client: AsyncOpenAI, path: str) -> None:
    """Upload, create, poll, fetch: one result a line, one document a line, in OpenAI's shapes."""
    names = [f"line-{number}" for number in range(40)]
    bad = line("bad", "[sim-status-400]")
    batch_id = await created(client, *map(line, names), bad, metadata={"for": "a test"})
    found = await ended(client, batch_id)

    assert (found.status, found.object, found.endpoint) == ("completed", "batch", URL)
    assert found.metadata == {"for": "a test"}
    assert found.request_counts is not None
    assert found.request_counts.to_dict() == {"total": 41, "completed": 40, "failed": 1}
    assert found.created_at <= (found.in_progress_at or 0) <= (found.completed_at or 0)
    assert found.expires_at == found.created_at + 86_400
    output = {each["custom_id"]: each for each in await lines_in(client, found.output_file_id)}
    assert set(output) == set(names)
    for name, each in output.items():
        answer = each["response"]
        assert (answer["status_code"], each["error"]) == (200, None)
        assert answer["body"]["choices"][0]["message"]["content"] == f"I am {name}"
    (error,) = await lines_in(client, found.error_file_id)
    assert (error["custom_id"], error["response"]["status_code"]) == ("bad", 400)
    assert error["response"]["body"]["error"]["message"]
    documents = await world.exchanges(batch_id, 41)
    assert sorted(each.custom_id or "" for each in documents) == sorted([*names, "bad"])
    assert {each.user_path for each in documents} == {path}
    by_id = {each.request_id: each.custom_id for each in documents}
    assert all(
        by_id[each["response"]["request_id"]] == each["custom_id"] for each in output.values()
    )
    used = sum(each.usage.output_tokens for each in documents if each.usage)
    assert found.to_dict()["usage"]["output_tokens"] == used  # type: ignore[index]


async def test_files_as_the_sdk_has_them(client: AsyncOpenAI) -> None:
    """Uploaded, listed page by page, shown, read, deleted; after that there is none."""
    contents = [f"content {number}\r\n\x00\xff".encode("latin-1") for number in range(3)]
    names = [await uploaded(client, each) for each in contents]

    shown = await client.files.retrieve(names[0])
    assert (shown.filename, shown.purpose, shown.bytes) == ("in.jsonl", "batch", len(contents[0]))
    assert [(await client.files.content(name)).content for name in names] == contents
    first = await client.files.list(limit=2)
    assert [each.id for each in first.data] == names[:0:-1]
    assert [each.id async for each in client.files.list(limit=2)] == names[::-1]
    assert [each.id for each in (await client.files.list(order="asc")).data] == names
    assert (await client.files.list(purpose="vision")).data == []
    assert (await client.files.delete(names[1])).deleted
    for ask in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            await ask(names[1])
    assert [each.id async for each in client.files.list()] == [names[2], names[0]]


async def test_batches_are_listed_by_pages(client: AsyncOpenAI) -> None:
    """Newest first, with a cursor; an unknown cursor is refused."""
    names = [await created(client, line("a")) for _ in range(3)]

    first = await client.batches.list(limit=2)
    assert [each.id for each in first.data] == names[:0:-1]
    assert first.has_more
    assert [each.id async for each in client.batches.list(limit=1)] == names[::-1]
    with pytest.raises(openai.BadRequestError):
        await client.batches.list(after="batch_unknown")


async def test_nobody_sees_anothers(world: World, client: AsyncOpenAI, path: str) -> None:
    """Neither files nor batches: all that is asked of them is 404, and lists leave them out."""
    name = await uploaded(client, jsonl(line("a")))
    batch = await client.batches.create(input_file_id=name, endpoint=URL, completion_window="24h")
    done = await ended(client, batch.id)
    async with world.sdk("/batches/somebody-else") as other, world.sdk("/batches") as above:
        for file in (name, done.output_file_id or ""):
            for ask in (other.files.retrieve, other.files.content, other.files.delete):
                with pytest.raises(openai.NotFoundError):
                    await ask(file)
        for look in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                await look(batch.id)
        refused = await world.http.get(
            f"/v1/batches/{batch.id}/results", headers={USER: "/batches/somebody-else"}
        )
        assert refused.status_code == 404
        with pytest.raises(openai.BadRequestError):
            await other.batches.create(input_file_id=name, endpoint=URL, completion_window="24h")
        assert (await other.files.list()).data == []
        assert (await other.batches.list()).data == []
        assert (await above.batches.retrieve(batch.id)).id == batch.id  # from above, as everywhere


async def test_a_batch_that_cannot_be_begun(client: AsyncOpenAI) -> None:
    """It fails, and says which lines are wrong, as OpenAI does."""
    name = await created(
        client, line("a"), line("b", url="/v1/embeddings"), line("a"), line("c", model="sim-20")
    )
    found = await ended(client, name)

    assert found.status == "failed"
    assert found.failed_at is not None
    assert found.errors is not None
    assert [(each.line, each.code) for each in found.errors.data or ()] == [
        (2, "url_mismatch"),
        (3, "duplicate_custom_id"),
        (4, "model_mismatch"),
    ]
    assert (found.output_file_id, found.error_file_id) == (None, None)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"endpoint": "/v1/images"}, "endpoint"),
        ({"completion_window": "48h"}, "completion_window"),
        ({"input_file_id": "file-sluice-" + "0" * 32}, "input_file_id"),
    ],
    ids=["endpoint", "window", "file"],
)
async def test_what_is_no_batch(client: AsyncOpenAI, given: dict[str, Any], param: str) -> None:
    """It is refused at once, and the member is named."""
    name = await uploaded(client, jsonl(line("a")))
    asked: dict[str, Any] = {
        "input_file_id": name,
        "endpoint": URL,
        "completion_window": "24h",
    }
    with pytest.raises(openai.BadRequestError) as refused:
        await client.batches.create(**asked | given)

    assert refused.value.param == param


async def test_a_batch_is_cancelled(client: AsyncOpenAI) -> None:
    """What was answered is kept; what runs is stopped, and says so; there is nothing to cancel after."""
    quick = [line(f"quick-{number}") for number in range(5)]
    slow = [line(f"slow-{number}", "[sim-hang]") for number in range(5)]
    name = await created(client, *quick, *slow)

    async def half() -> bool:
        counts = (await client.batches.retrieve(name)).request_counts
        return counts is not None and counts.completed == 5

    await until(half, what="the quick ones are not answered")
    assert (await client.batches.cancel(name)).status == "cancelling"
    found = await ended(client, name)
    assert found.status == "cancelled"
    assert found.cancelling_at is not None
    assert found.cancelled_at is not None
    output = [each["custom_id"] for each in await lines_in(client, found.output_file_id)]
    errors = list(await lines_in(client, found.error_file_id))
    assert sorted(output) == [each["custom_id"] for each in quick]
    assert sorted(each["custom_id"] for each in errors) == [each["custom_id"] for each in slow]
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}
    with pytest.raises(openai.ConflictError):
        await client.batches.cancel(name)


async def test_a_batch_expires(world: World, client: AsyncOpenAI) -> None:
    """Calls that last longer than its window are ended with it."""
    slow = [line(f"slow-{number}", "[sim-hang]") for number in range(3)]
    name = await created(client, line("quick"), *slow, completion_window="2s")
    found = await ended(client, name)

    assert found.status == "expired"
    assert found.expires_at == found.created_at + 2
    output = [each["custom_id"] for each in await lines_in(client, found.output_file_id)]
    errors = list(await lines_in(client, found.error_file_id))
    assert output == ["quick"]
    assert sorted(each["custom_id"] for each in errors) == [each["custom_id"] for each in slow]
    assert {each["error"]["code"] for each in errors} == {"batch_expired"}
    outcomes = [each.outcome for each in await world.exchanges(name, 4)]
    assert sorted(outcomes) == ["completed", "expired", "expired", "expired"]


async def test_requests_in_the_body(world: World, client: AsyncOpenAI, path: str) -> None:
    """GoModel's way: the requests stand in the body, the results are one list; before the end it is 409."""
    headers = {USER: path}
    requests = [
        {"custom_id": "mine", "body": line("")["body"]},
        {"body": line("")["body"], "url": URL},
        {"custom_id": "bad", "body": line("", "[sim-status-400]")["body"]},
    ]
    body = {"requests": requests, "endpoint": URL, "metadata": {"provider": "sluice"}}
    made = await world.http.post("/v1/batches", json=body, headers=headers)
    assert made.status_code == 200, made.text
    name = made.json()["id"]
    await ended(client, name)
    found = (await world.http.get(f"/v1/batches/{name}/results", headers=headers)).json()

    assert (found["object"], found["batch_id"], found["provider"]) == ("list", name, "sluice")
    rows = {each["custom_id"]: each for each in found["data"]}
    assert [each["index"] for each in found["data"]] == [0, 1, 2]
    assert {each: rows[each]["status_code"] for each in rows} == {
        "mine": 200,
        "req-1": 200,
        "bad": 400,
    }
    assert rows["mine"]["response"]["object"] == "chat.completion"
    slow = await created(client, line("slow", "[sim-hang]"))
    early = await world.http.get(f"/v1/batches/{slow}/results", headers=headers)
    assert early.status_code == 409
    await client.batches.cancel(slow)


async def test_other_endpoints(client: AsyncOpenAI) -> None:
    """Whatever can be asked at once can be asked in a batch."""
    hello = {"model": "sim-echo", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        "/v1/responses": ({"model": "sim-echo", "input": "Hi"}, "response"),
        "/v1/embeddings": ({"model": "sim-echo", "input": "Hi"}, "list"),
        "/v1/completions": ({"model": "sim-echo", "prompt": "Hi"}, "text_completion"),
        "/v1/messages": (hello, "message"),
    }
    made = {
        url: await created(client, line("a", url=url, body=body), endpoint=url)
        for url, (body, _) in bodies.items()
    }
    for url, name in made.items():
        found = await ended(client, name)
        (only,) = await lines_in(client, found.output_file_id)
        answer = only["response"]["body"]
        assert answer.get("object", answer.get("type")) == bodies[url][1]


async def test_a_line_is_found_by_its_id(world: World, client: AsyncOpenAI, path: str) -> None:
    """Who asks for it is told where its answer is; for others there is none."""
    name = await created(client, line("a"))
    await ended(client, name)
    (outcome,) = await world.exchanges(name, 1)
    place = f"/v1/requests/{outcome.request_id}"
    told = await world.http.get(place, headers={USER: path})
    hidden = await world.http.get(place, headers={USER: "/batches/somebody-else"})

    assert told.status_code == 410
    assert name in told.json()["error"]["message"]
    assert hidden.status_code == 404


async def test_a_request_of_the_batch_lane_is_found(world: World, path: str) -> None:
    """Its answer is fetched as that of any other."""
    stack, clock = world.gateway.stack, SystemClock()
    name = new_id(int(clock.time() * 1000))
    request = Request(
        request_id=name,
        body=chat("sim-echo", "from the other lane"),
        source="/sluice/ingress/0",
        user_path=path,
        client="master",
        created=clock.time(),
        reply_to=Address(stack.topics.replies, 0),
        keep=True,
    )
    seen = await world.http.get("/v1/requests/" + name, headers={USER: path})
    assert seen.status_code == 404
    key = record_key(name)
    async with producing(stack.bootstrap) as producer:
        await producer.send_and_wait(
            stack.topics.batch,
            request.body,
            key=key,
            headers=to_headers(request),
            partition=partition_of(key, stack.partitions),
        )

    async def whole() -> bool:
        found = await world.http.get("/v1/requests/" + name, headers={USER: path})
        return bool(found.json().get("choices"))

    await until(whole, what="it is not found")
