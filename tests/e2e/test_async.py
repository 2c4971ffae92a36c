"""Requests that outlive their connection: asked at one ingress, fetched, resumed and cancelled at another."""

import asyncio
import json
import random
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from openai import AsyncOpenAI

from schemas.clock import SystemClock
from schemas.identity import partition_of, record_key
from schemas.ids import new_id
from schemas.replies import Address
from schemas.requests import Request, to_headers
from tests import services
from tests.brokers import BROKERS, embedded_broker
from tests.e2e.log import producing
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-async-master"
ASYNC = {"prefer": "respond-async"}
USER = "x-sluice-user-path"
IDS = {"sluice-event-ids": "1", "sluice-on-disconnect": "background"}
CLOCK = SystemClock()


class World:
    """A gateway with two ingress processes: what is asked at the first is looked for at the second."""

    def __init__(self, stack: Stack, second: str, clients: list[httpx.AsyncClient]) -> None:
        self.stack = stack
        self.first, self.second = clients
        self._second = second

    def sdk(self, *, second: bool = False) -> AsyncOpenAI:
        url = self._second if second else self.stack.url
        return AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60)

    async def answer(self, place: str) -> httpx.Response:
        """What stands at a `Location`, as soon as it is an answer."""
        while True:
            found = await self.second.get(place)
            if b'"object":"request"' not in found.content:
                return found
            assert found.json()["status"] in ("queued", "in_progress")
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BROKERS)
async def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("async")
    async with AsyncExitStack() as block:
        prefix = "llm."
        if request.param == "embedded":
            bootstrap = (await block.enter_async_context(embedded_broker(folder))).bootstrap
        else:
            bootstrap = request.getfixturevalue("kafka_bootstrap")
            prefix = f"{request.getfixturevalue('session_prefix')}async."
        stack = Stack(
            folder,
            bootstrap,
            prefix,
            GOMODEL_MASTER_KEY=KEY,
            INGRESS_PUBLISH_TIMEOUT="10s",  # a busy machine is no outage of the log
            RETRY_MAX_RETRIES="0",
            CIRCUIT_BREAKER_FAILURE_THRESHOLD="0",
        )
        block.callback(stack.erase)
        # The same provider again, as one that speaks Responses itself.
        stack.env |= {
            "OPENAI_API_KEY": "sk-sim",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{stack.sim_port}/v1",
        }
        await stack.start("sim")
        stack.base["streams"], _ = await asyncio.gather(
            stack.start("streams"), stack.start("sinks")
        )
        stack.base["ingress"] = await stack.start("ingress")
        port = services.free_port()
        await stack.start("ingress", SLUICE_SLOT="1", PORT=str(port))
        second = f"http://127.0.0.1:{port}"
        headers = {"authorization": f"Bearer {KEY}"}
        clients = [
            await block.enter_async_context(
                httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
            )
            for url in (stack.url, second)
        ]
        yield World(stack, second, clients)


EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```sh\n(.*?)```", re.DOTALL)
HELLO = [{"role": "user", "content": "Hello"}]
ASKED: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": HELLO},
    "responses": {"input": "Hello"},
    "messages": {"messages": HELLO, "max_tokens": 500},
    "completions": {"prompt": "Hello"},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("route", ["chat/completions", "responses", "messages"])
async def test_respond_async(world: World, route: str, stream: bool) -> None:
    """202 says where the answer will be; there it is the answer itself, as one who waits gets it."""
    body = {"model": "sim-10-lorem-20", **ASKED[route], "stream": stream}
    waited = await world.first.post(f"/v1/{route}", json=body)
    taken = await world.first.post(f"/v1/{route}", json=body, headers=ASYNC)
    found = await world.answer(taken.headers["location"])

    assert taken.status_code == 202
    assert taken.headers["preference-applied"] == "respond-async"
    name = taken.headers["sluice-request-id"]
    assert taken.headers["location"] == f"/v1/requests/{name}"
    assert (taken.json()["id"], taken.json()["object"]) == (name, "request")
    assert taken.json()["status"] == "queued"
    assert found.status_code == 200
    assert found.headers["sluice-request-id"] == name
    for header in ("content-type", "sluice-provider", "sluice-model"):
        assert found.headers[header] == waited.headers[header]
    assert shape(found) == shape(waited)


def shape(found: httpx.Response) -> Any:
    """What two answers of the same script have in common: all but ids and times."""
    if found.headers["content-type"] == "application/json":
        return sorted(found.json())
    lines = [line for line in found.text.split("\n") if line and not line.startswith(":")]
    return [sorted(json.loads(line[6:])) if line.startswith("data: {") else line for line in lines]


async def test_embeddings(world: World) -> None:
    """Any request for a model can be left."""
    body = {"model": "openai/sim-echo", "input": "Hello"}

    taken = await world.first.post("/v1/embeddings", json=body, headers=ASYNC)
    found = await world.answer(taken.headers["location"])

    assert taken.status_code == 202
    assert found.json()["data"][0]["embedding"]


async def test_an_error_is_fetched_like_an_answer(world: World) -> None:
    """With its own status, body and headers."""
    body = {"model": "sim-status-429", "messages": HELLO}

    taken = await world.first.post("/v1/chat/completions", json=body, headers=ASYNC)
    found = await world.answer(taken.headers["location"])

    assert taken.status_code == 202
    assert found.status_code == 429
    assert found.json()["error"]


async def test_who_waits_a_little_may_have_it_at_once(world: World) -> None:
    """`wait=N`: whole within that time it is the answer, else 202, and it goes on."""
    prefer = {"prefer": "respond-async, wait=60"}
    body = {"model": "sim-echo", "messages": HELLO}

    soon = await world.first.post("/v1/chat/completions", json=body, headers=prefer)
    prefer = {"prefer": "respond-async; x=y, wait=1"}
    late = await world.first.post(
        "/v1/chat/completions",
        json=body | {"model": "sim-100-lorem-20", "stream": True},
        headers=prefer,
    )
    found = await world.answer(late.headers["location"])

    assert (soon.status_code, soon.json()["object"]) == (200, "chat.completion")
    assert late.status_code == 202
    assert late.headers["preference-applied"] == "respond-async, wait=1"
    assert found.text.endswith("data: [DONE]\n\n")


async def test_the_sdk_fetches_what_it_left(world: World) -> None:
    """OpenAI's client asks by a header and parses the answer that it gets from the place."""
    async with world.sdk() as client:
        taken = await client.chat.completions.with_raw_response.create(
            model="sim-10-lorem-5",
            messages=HELLO,
            extra_headers=ASYNC,  # type: ignore[arg-type]
        )
        place = taken.headers["location"].removeprefix("/v1")
        await world.answer(taken.headers["location"])
    async with world.sdk(second=True) as client:
        found = await client.get(place, cast_to=openai.types.chat.ChatCompletion)

    assert taken.status_code == 202
    assert len((found.choices[0].message.content or "").split()) == 5


async def test_cancelled(world: World) -> None:
    """DELETE at another ingress stops the call; what is fetched then says so."""
    body = {"model": "sim-hang", "messages": HELLO}
    taken = await world.first.post("/v1/chat/completions", json=body, headers=ASYNC)
    place = taken.headers["location"]

    async def called() -> bool:
        state = (await world.second.get(place)).json()
        return bool(state["status"] == "in_progress")

    await until(called, what="a worker has begun")
    stopped = await world.second.delete(place)
    found = await world.answer(place)
    again = await world.second.delete(place)

    assert stopped.json()["status"] == "cancelling"
    assert (found.status_code, found.json()["error"]["code"]) == (499, "cancelled")
    assert again.json()["status"] == "cancelled"


async def foreign(world: World, client: str) -> str:
    """A request in the log as an ingress writes it for another caller; its id."""
    topics, now = world.stack.topics, CLOCK.time()
    name = new_id(int(now * 1000), 0)
    request = Request(
        request_id=name,
        body=json.dumps({"model": "sim-echo", "messages": HELLO}).encode(),
        source="/sluice/ingress/0",
        user_path="/",
        client=client,
        reply_to=Address(topics.replies, 0),
        created=now,
        keep=True,
    )
    key = record_key(name)
    async with producing(world.stack.bootstrap) as producer:
        await producer.send_and_wait(
            topics.requests,
            request.body,
            key=key,
            partition=partition_of(key, world.stack.partitions),
            headers=to_headers(request),
        )
    return name


async def test_nobody_elses(world: World) -> None:
    """Another key's request is 404, as is one of another user path; one's own below is found."""
    theirs = await foreign(world, "somebody")
    ours = await foreign(world, "master")
    body = {"model": "sim-echo", "messages": HELLO}
    taken = await world.first.post(
        "/v1/chat/completions", json=body, headers={**ASYNC, USER: "/a/b"}
    )
    place = taken.headers["location"]

    assert (await world.answer(f"/v1/requests/{ours}")).status_code == 200
    for path in (f"/v1/requests/{theirs}", f"/v1/requests/{theirs}/events"):
        assert (await world.second.get(path)).status_code == 404
    assert (await world.second.delete(f"/v1/requests/{theirs}")).status_code == 404
    assert (await world.second.get(place, headers={USER: "/a/c"})).status_code == 404
    assert (await world.second.get(place, headers={USER: "/a"})).status_code == 200
    assert (await world.second.get(place, headers={"authorization": ""})).status_code == 401


@pytest.mark.parametrize(
    "name",
    ["x", new_id(0, 3), new_id(2**42, 3), "00000000-0000-4000-8000-000000000000"],
    ids=["no-id", "1970", "2109", "random"],
)
async def test_what_never_was(world: World, name: str) -> None:
    """404, not 410: nothing was ever deleted here."""
    for path in (f"/v1/requests/{name}", f"/v1/requests/{name}/events"):
        found = await world.first.get(path)
        assert (found.status_code, found.json()["error"]["code"]) == (404, "not_found")


async def test_the_examples(world: World) -> None:
    """The commands of docs/async.md do what stands there."""
    if shutil.which("curl") is None:
        services.missing("curl is not installed")
    examples = dict(EXAMPLE.findall((services.ROOT / "docs" / "async.md").read_text()))

    async def run(name: str) -> str:
        """Against this gateway, with its key."""
        command = examples[name].replace("http://127.0.0.1:8080", world.stack.url)
        command = command.replace(" -H 'Content", f" -H 'x-api-key: {KEY}' -H 'Content")
        shell = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        return (await shell.communicate())[0].decode()

    left, stream, again = await run("leave"), await run("events"), await run("again")

    assert left.startswith("HTTP/1.1 202 Accepted")
    place = re.findall(r"location: (/v1/requests/\S+)", left)[0]
    assert (await world.answer(place)).status_code == 200
    assert re.findall(r"^id: (\d+)$", stream, re.MULTILINE)[:3] == ["1", "2", "3"]
    assert stream.endswith("data: [DONE]\n\n")
    assert (again.count("HTTP/1.1 200"), again.count("idempotent-replayed: true")) == (2, 1)


class TestBackground:
    """`background: true` on Responses, whoever answers."""

    @pytest.mark.parametrize("model", ["sim-10-lorem-20", "openai/sim-10-lorem-20"])
    async def test_from_queued_to_completed(self, world: World, model: str) -> None:
        """It is told as queued at once, under the name by which it is found to the end."""
        async with world.sdk() as client, world.sdk(second=True) as other:
            begun = await client.responses.create(
                model=model, input="Hello", background=True, metadata={"a": "b"}
            )
            seen = {begun.status}
            found = begun
            while found.status in ("queued", "in_progress"):
                found = await other.responses.retrieve(begun.id)
                seen.add(found.status)
            items = [item async for item in other.responses.input_items.list(begun.id)]
            again = await other.responses.create(
                model="sim-echo", input="And now?", previous_response_id=begun.id
            )

        assert begun.status == "queued"
        assert begun.id.startswith("resp_")
        assert (begun.background, begun.metadata) == (True, {"a": "b"})
        assert seen <= {"queued", "in_progress", "completed"}
        assert (found.id, found.status, found.background) == (begun.id, "completed", True)
        assert len(found.output_text.split()) == 20
        assert len(items) == 1
        assert again.status == "completed"

    async def test_cancelled(self, world: World) -> None:
        """The provider's call is stopped; a second time changes nothing."""
        async with world.sdk() as client, world.sdk(second=True) as other:
            begun = await client.responses.create(model="sim-hang", input="Hello", background=True)
            found = await other.responses.cancel(begun.id)
            again = await other.responses.cancel(begun.id)
            shown = await client.responses.retrieve(begun.id)

        assert [each.status for each in (found, again, shown)] == ["cancelled"] * 3
        assert {each.id for each in (found, again, shown)} == {begun.id}

    async def test_failed(self, world: World) -> None:
        """An error is a Response that failed, with the reason."""
        async with world.sdk() as client:
            begun = await client.responses.create(
                model="sim-status-500", input="Hello", background=True
            )
            found = begun
            while found.status in ("queued", "in_progress"):
                found = await client.responses.retrieve(begun.id)

        assert (found.id, found.status) == (begun.id, "failed")
        assert found.error is not None
        assert (found.error.code, bool(found.error.message)) == ("server_error", True)

    @pytest.mark.parametrize("model", ["sim-5-lorem-40", "openai/sim-5-lorem-40"])
    async def test_a_stream_that_is_left(self, world: World, model: str) -> None:
        """It goes on without its reader, who has the rest by the number of the last event seen."""
        async with world.sdk() as client, world.sdk(second=True) as other:
            first = []
            async with await client.responses.create(
                model=model, input="Hello", background=True, stream=True
            ) as stream:
                async for event in stream:
                    first.append(event)
                    if len(first) == 9:
                        break
            name = first[0].response.id  # type: ignore[union-attr]
            rest = [
                event
                async for event in await other.responses.retrieve(
                    name, stream=True, starting_after=first[-1].sequence_number
                )
            ]
            found = await other.responses.retrieve(name)

        numbers = [event.sequence_number for event in (*first, *rest)]
        assert numbers == list(range(len(numbers)))
        assert rest[-1].type == "response.completed"
        assert rest[-1].response.id == name
        assert (found.id, found.status) == (name, "completed")
        text = "".join(e.delta for e in (*first, *rest) if e.type == "response.output_text.delta")
        assert text == found.output_text

    async def test_deleted(self, world: World) -> None:
        """Nothing of it is shown any more, also where the log still has it."""
        async with world.sdk() as client:
            begun = await client.responses.create(model="sim-echo", input="Hello", background=True)
            while (await client.responses.retrieve(begun.id)).status != "completed":
                pass
            await client.responses.delete(begun.id)
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(begun.id)
        gone = await world.first.get(f"/v1/requests/{begun.id.removeprefix('resp_')}")

        assert gone.status_code == 410

    async def test_must_be_stored(self, world: World) -> None:
        """As OpenAI has it."""
        async with world.sdk() as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await client.responses.create(
                    model="sim", input="Hello", background=True, store=False
                )

        assert caught.value.param == "store"

    async def test_what_was_not_in_the_background_is_not_cancelled(self, world: World) -> None:
        """400: it has ended."""
        async with world.sdk() as client:
            found = await client.responses.create(model="sim-echo", input="Hello")
            with pytest.raises(openai.BadRequestError):
                await client.responses.cancel(found.id)


class TestResumed:
    """Streams whose reader comes again."""

    async def test_numbers_only_for_who_asks(self, world: World) -> None:
        """The same stream, each event with its number before it."""
        body = {"model": "sim-lorem-3", "messages": HELLO, "stream": True}

        plain = await world.first.post("/v1/chat/completions", json=body)
        counted = await world.first.post("/v1/chat/completions", json=body, headers=IDS)

        assert "id: " not in plain.text
        events = counted.text.split("\n\n")[:-1]
        assert [event.split("\n")[0] for event in events] == [
            f"id: {number}" for number in range(1, len(events) + 1)
        ]
        assert events[-1].endswith("data: [DONE]")

    @pytest.mark.parametrize("route", ["chat/completions", "responses", "messages"])
    async def test_from_any_event_on(self, world: World, route: str) -> None:
        """By the query or the header; live first, and the same when it is over."""
        body = {"model": "sim-20-lorem-30", **ASKED[route], "stream": True}
        async with world.first.stream("POST", f"/v1/{route}", json=body, headers=IDS) as begun:
            place = f"/v1/requests/{begun.headers['sluice-request-id']}/events"
            async for _ in begun.aiter_bytes():
                break  # and the connection is closed in the middle
        whole = await world.second.get(place)
        events = [event + "\n\n" for event in clean(whole.text).split("\n\n")[:-1]]

        assert whole.headers["content-type"] == "text/event-stream"
        assert [event.split("\n")[0] for event in events] == [
            f"id: {number}" for number in range(1, len(events) + 1)
        ]
        for seen in (0, 1, 7, len(events) - 1, len(events), 10_000):
            by_query = await world.first.get(place, params={"starting_after": seen})
            by_header = await world.first.get(
                place, params={"starting_after": 3}, headers={"last-event-id": str(seen)}
            )
            assert clean(by_query.text) == clean(by_header.text) == "".join(events[seen:])

    async def test_what_was_not_streamed_has_no_events(self, world: World) -> None:
        """400, before and after it has ended."""
        body = {"model": "sim-echo", "messages": HELLO}
        taken = await world.first.post("/v1/chat/completions", json=body, headers=ASYNC)
        await world.answer(taken.headers["location"])

        found = await world.second.get(f"{taken.headers['location']}/events")

        assert found.status_code == 400

    @pytest.mark.parametrize("given", ["-1", "x", "1.5", "9" * 30])
    async def test_a_number_that_is_none(self, world: World, given: str) -> None:
        """400 names the parameter."""
        body = {"model": "sim-echo", "messages": HELLO, "stream": True}
        taken = await world.first.post("/v1/chat/completions", json=body, headers=ASYNC)

        found = await world.first.get(
            f"{taken.headers['location']}/events", params={"starting_after": given}
        )

        assert (found.status_code, found.json()["error"]["param"]) == (400, "starting_after")


class Reader:
    """Reads a stream with event ids, breaks off wherever it is told to, and keeps the whole events."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    @property
    def seen(self) -> int:
        """The number of the last event."""
        last = self.data.rpartition(b"\nid: ")[2].partition(b"\n")[0]
        return int(last.removeprefix(b"id: ")) if self.data else 0

    async def read(self, found: httpx.Response, most: int) -> None:
        """Up to so many bytes, less where the connection breaks."""
        assert found.status_code == 200, await found.aread()
        data = b""
        try:
            async for piece in found.aiter_raw():
                data += piece
                if len(data) >= most:
                    break
            else:
                self.ended = True
        except httpx.HTTPError:
            pass
        data = data[:most]
        self.data += data if self.ended else data[: data.rfind(b"\n\n") + 2]


async def test_a_stream_broken_off_twenty_times(world: World) -> None:
    """Of 2,000 events, at random places, five times by kill -9 of the ingress that began it: in the end
    its reader has, byte for byte, what another has read without a break."""
    chance, reader, unbroken = random.Random(20), Reader(), Reader()
    body = {"model": "sim-10-lorem-2000", "messages": HELLO, "stream": True}
    async with world.first.stream("POST", "/v1/chat/completions", json=body, headers=IDS) as begun:
        place = f"/v1/requests/{begun.headers['sluice-request-id']}"
        await reader.read(begun, chance.randrange(10_000))

    async def read_unbroken() -> None:
        async with world.second.stream("GET", f"{place}/events") as found:
            await unbroken.read(found, 1 << 30)

    other = asyncio.create_task(read_unbroken())
    starting: asyncio.Task[Any] | None = None
    for number in range(1, 20):
        first_is_up = starting is None or starting.done()
        client = world.first if first_is_up and number % 2 else world.second
        after = {"starting_after": reader.seen}
        async with client.stream("GET", f"{place}/events", params=after) as found:
            if number % 4 == 1 and first_is_up:
                reading = asyncio.create_task(reader.read(found, 1 << 30))
                await asyncio.sleep(chance.random() / 4)
                world.stack.base["ingress"].kill()
                await reading
                starting = asyncio.create_task(restarted(world))
            else:
                await reader.read(found, chance.randrange(1, 12_000))
    assert not reader.ended, reader.data[-2000:]
    async with world.second.stream("GET", f"{place}/events?starting_after={reader.seen}") as found:
        await reader.read(found, 1 << 30)
    await other
    assert starting is not None
    await starting
    whole = await world.first.get(place)

    assert reader.ended
    assert unbroken.ended
    assert reader.seen > 2000
    assert clean(reader.data.decode()) == clean(unbroken.data.decode())
    assert without_ids(reader.data.decode()) == whole.text
    assert whole.text.endswith("data: [DONE]\n\n")


async def restarted(world: World) -> None:
    world.stack.base["ingress"] = await world.stack.start("ingress")


async def test_the_ingress_that_took_it_is_killed(world: World) -> None:
    """What was left there is fetched elsewhere, the answer of a provider that is called once."""
    body = {"model": "sim-lorem-30-200", "messages": HELLO}
    places = []
    for _ in range(5):
        taken = await world.first.post("/v1/chat/completions", json=body, headers=ASYNC)
        places.append(taken.headers["location"])
    world.stack.base["ingress"].kill()
    found = [await world.answer(place) for place in places]
    await restarted(world)

    for each in found:
        assert (each.status_code, each.json()["object"]) == (200, "chat.completion")


async def calls_of(world: World, model: str) -> int:
    """How often a provider was asked for that model."""
    async with httpx.AsyncClient(timeout=10) as client:
        found = await client.get(f"http://127.0.0.1:{world.stack.sim_port}/calls")
    return int(found.json()["models"].get(model, 0))


def words(found: httpx.Response) -> str:
    """The text of an answer, streamed or not."""
    assert found.status_code == 200, found.text
    if not found.headers["content-type"].startswith("text/event-stream"):
        return str(found.json()["choices"][0]["message"]["content"])
    events = re.findall(r"^data: (\{.*\})$", found.text, re.MULTILINE)
    assert found.text.endswith("data: [DONE]\n\n")
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


class TestIdempotency:
    """Requests with one `Idempotency-Key`."""

    async def post(self, client: httpx.AsyncClient, key: str, **body: Any) -> httpx.Response:
        asked = {"messages": HELLO, **body}
        headers = {"idempotency-key": key}
        return await client.post("/v1/chat/completions", json=asked, headers=headers)

    async def test_two_hundred_at_once(self, world: World) -> None:
        """Asked of two ingress processes, plain and streamed, they make one call; each has all of it."""
        model = "sim-20-lorem-41"
        found = await asyncio.gather(
            *(
                self.post(client, "two hundred", model=model, stream=stream)
                for _ in range(50)
                for client in (world.first, world.second)
                for stream in (False, True)
            )
        )

        assert {words(each) for each in found} == {words(found[0])}
        assert len(words(found[0]).split()) == 41
        assert await calls_of(world, model) == 1
        marked = [each for each in found if each.headers.get("idempotent-replayed") == "true"]
        assert len(marked) == 199
        names = {each.headers["sluice-request-id"] for each in found}
        assert len(names) == 200
        await until(lambda: names <= set(world.stack.documents()))
        outcomes = [each for each in await world.stack.exchanges() if each.request_id in names]
        assert len(outcomes) == 200
        first = [each for each in outcomes if each.repeats is None]
        assert len(first) == 1
        assert {each.repeats for each in outcomes} == {None, first[0].request_id}
        assert [each for each in outcomes if each.attempts] == first
        assert [each for each in outcomes if each.usage] == first

    async def test_the_ingress_of_the_first_is_killed(self, world: World) -> None:
        """Who comes again to another joins the answer from its beginning; nothing is called again."""
        model, key = "sim-40-lorem-42", "killed"
        body = {"model": model, "messages": HELLO, "stream": True}
        chat = "/v1/chat/completions"
        headers = {"idempotency-key": key}
        async with world.first.stream("POST", chat, json=body, headers=headers) as begun:
            await anext(begun.aiter_raw())
            world.stack.base["ingress"].kill()
            found = await self.post(world.second, key, model=model, stream=True)
        await restarted(world)
        again = await self.post(world.first, key, model=model, stream=True)

        assert len(words(found).split()) == 42
        assert again.text == found.text
        assert await calls_of(world, model) == 1

    async def test_its_worker_is_killed(self, world: World) -> None:
        """Between the outcome and all that follows: the recorded answer is told, then and later, and
        also after yet another worker has begun."""
        model, key = "sim-lorem-43", "worker"
        world.stack.base["streams"].kill()
        dies = await world.stack.start("streams", SLUICE_FAULT_POINT="streams.recorded")
        waiting = asyncio.create_task(self.post(world.first, key, model=model))
        assert await dies.ended() == -9
        await started(world)
        found, again = await waiting, await self.post(world.second, key, model=model)
        world.stack.base["streams"].kill()
        await started(world)
        streamed = await self.post(world.second, key, model=model, stream=True)

        assert again.content == found.content
        assert words(streamed) == words(found)
        assert await calls_of(world, model) == 1

    async def test_whoever_goes_finds_the_answer_later(self, world: World) -> None:
        """A key says that its sender may come again: its request is not cancelled with the connection."""
        model, key = "sim-20-lorem-44", "gone"
        body = {"model": model, "messages": HELLO, "stream": True}
        headers = {"idempotency-key": key}
        async with world.first.stream(
            "POST", "/v1/chat/completions", json=body, headers=headers
        ) as begun:
            await anext(begun.aiter_raw())
        found = await self.post(world.second, key, model=model, stream=True)

        assert len(words(found).split()) == 44
        assert found.headers["idempotent-replayed"] == "true"
        assert await calls_of(world, model) == 1

    @pytest.mark.parametrize(
        ("route", "error"),
        [
            ("chat/completions", ("error", "code", "idempotency_key_reused")),
            ("messages", ("error", "type", "invalid_request_error")),
        ],
        ids=["openai", "anthropic"],
    )
    async def test_another_request(
        self, world: World, route: str, error: tuple[str, str, str]
    ) -> None:
        """422 in its caller's dialect, while the first runs and afterwards."""
        headers = {"idempotency-key": f"another {route}"}
        body = {**ASKED[route], "model": "sim-300-lorem-2"}
        other = {**body, "temperature": 0.5}
        first = asyncio.create_task(world.first.post(f"/v1/{route}", json=body, headers=headers))
        await until(lambda: calls_of(world, "sim-300-lorem-2"))
        meanwhile = await world.second.post(f"/v1/{route}", json=other, headers=headers)
        assert (await first).status_code == 200
        later = await world.second.post(f"/v1/{route}", json=other, headers=headers)

        for found in (meanwhile, later):
            assert found.status_code == 422
            assert found.json()[error[0]][error[1]] == error[2]

    async def test_it_is_its_owners(self, world: World) -> None:
        """Another user path's equal key is another key."""
        model, headers = "sim-lorem-45", {"idempotency-key": "mine"}
        body = {"model": model, "messages": HELLO}
        for path in ("/a", "/b", "/a"):
            found = await world.first.post(
                "/v1/chat/completions", json=body, headers={**headers, USER: path}
            )
            assert found.status_code == 200
        assert await calls_of(world, model) == 2

    async def test_what_failed_may_be_tried_again(self, world: World) -> None:
        """An error is not kept."""
        model = "sim-lorem-46-flaky-1"
        found = [await self.post(world.first, "failed", model=model) for _ in range(3)]

        assert [each.status_code for each in found] == [500, 200, 200]
        assert await calls_of(world, model) == 2

    async def test_beside_respond_async(self, world: World) -> None:
        """Each has a place of its own where the answer is, and there it is the same."""
        model = "sim-20-lorem-47"
        body = {"model": model, "messages": HELLO}
        headers = {"idempotency-key": "async", **ASYNC}
        places = []
        for client in (world.first, world.second):
            taken = await client.post("/v1/chat/completions", json=body, headers=headers)
            assert taken.status_code == 202
            places.append(taken.headers["location"])
        found = [await world.answer(place) for place in places]

        assert found[0].content == found[1].content
        assert await calls_of(world, model) == 1

    @pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"], ids=["empty", "long", "accent"])
    async def test_what_is_no_key(self, world: World, key: str) -> None:
        """400 says what one is."""
        headers = {"idempotency-key": key.encode("latin-1")}
        body = {"model": "sim-echo", "messages": HELLO}
        found = await world.first.post(
            "/v1/chat/completions",
            json=body,
            headers=headers,  # type: ignore[arg-type]  # bytes, so that any can be sent
        )
        assert found.status_code == 400
        assert "Idempotency-Key" in found.json()["error"]["message"]


async def started(world: World) -> None:
    """A worker like the first one."""
    world.stack.base["streams"] = await world.stack.start("streams")


class TestGone:
    """An hour later."""

    async def forget(self, world: World, *topics: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=world.stack.bootstrap)
        await admin.start()
        try:
            places = {
                TopicPartition(topic, number): RecordsToDelete(before_offset=-1)
                for topic in topics
                for number in range(4)
            }
            for place, mark in places.items():
                await admin.delete_records({place: mark})
        finally:
            await admin.close()

    @pytest.mark.parametrize("requests", [False, True], ids=["replies", "requests, too"])
    async def test_what_was_kept_is_in_the_store(self, world: World, requests: bool) -> None:
        """Byte for byte, from any event on; what nobody asked to keep is 410."""
        chat = "/v1/chat/completions"
        body = {"model": "sim-lorem-20", "messages": HELLO, "stream": True}
        counted = await world.first.post(chat, json=body, headers={"sluice-event-ids": "1"})
        taken = await world.first.post(chat, json={**body, "stream": False}, headers=ASYNC)
        plain = await world.answer(taken.headers["location"])
        failed = await world.first.post(
            chat, json={"model": "sim-status-500", "messages": HELLO}, headers=ASYNC
        )
        error = await world.answer(failed.headers["location"])
        ordinary = await world.first.post(chat, json=body)
        names = [each.headers["sluice-request-id"] for each in (counted, taken, failed, ordinary)]
        async with world.sdk() as client:
            begun = await client.responses.create(model="sim-echo", input="Hi", background=True)
            while (await client.responses.retrieve(begun.id)).status != "completed":
                pass
            await until(
                lambda: {*names, begun.id.removeprefix("resp_")} <= set(world.stack.documents())
            )
            topics = world.stack.topics
            await self.forget(world, topics.replies, *([topics.requests] if requests else ()))
            found = [await world.second.get(f"/v1/requests/{name}") for name in names]
            stored = await client.responses.retrieve(begun.id)
        rest = await world.second.get(f"/v1/requests/{names[0]}/events?starting_after=5")

        assert found[0].text == without_ids(counted.text)
        assert rest.text == counted.text[counted.text.index("id: 6\n") :]
        assert (found[1].status_code, found[1].content) == (200, plain.content)
        assert (found[2].status_code, found[2].content) == (500, error.content)
        for header in ("content-type", "sluice-provider", "sluice-model"):
            assert found[1].headers[header] == plain.headers[header]
        assert (stored.id, stored.status) == (begun.id, "completed")
        # The deadline of this one is not over: it may be running, as far as anybody can tell.
        assert requests == (found[3].status_code == 410)


def without_ids(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("id: "))


def clean(text: str) -> str:
    """Without the comments that keep a silent connection alive."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(": "))
