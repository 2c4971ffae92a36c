"""The simulated provider over real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from schemas.tasks import Tasks
from sluice.sim import SimConfig, run
from sluice.sim.calls import Tally
from sluice.sim.script import LISTED, Script, UnknownModel, parse

MESSAGES = [{"role": "user", "content": "one two  three"}]


@pytest.fixture
async def sim() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a simulated provider of its own."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    config, tasks = SimConfig(port=0, shutdown_timeout=0.1), Tasks()
    running = tasks.start(run(config, stop, address.set_result), name="sim")
    await asyncio.wait([running, address], return_when=asyncio.FIRST_COMPLETED)
    if running.done():  # it cannot start
        await running
    async with aiohttp.ClientSession(await address) as client:
        yield client
    stop.set()
    await running


async def chat(sim: aiohttp.ClientSession, model: str, **members: Any) -> tuple[int, bytes]:
    body = {"model": model, "messages": MESSAGES, **members}
    async with sim.post("/v1/chat/completions", json=body) as response:
        return response.status, await response.read()


async def stream(sim: aiohttp.ClientSession, model: str, **members: Any) -> list[Any]:
    """The events of a stream that ends in good order, decoded; `[DONE]` as it is."""
    status, body = await chat(sim, model, stream=True, **members)
    assert status == 200
    assert body.endswith(b"\n\n")
    payloads = [event.removeprefix(b"data: ") for event in body.split(b"\n\n")[:-1]]
    return [p if p == b"[DONE]" else msgspec.json.decode(p) for p in payloads]


def text(events: list[Any], index: int = 0) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        if event != b"[DONE]"
        for choice in event["choices"]
        if choice["index"] == index
    )


async def test_plain_echo(sim: aiohttp.ClientSession) -> None:
    """`sim-echo` says the last user message, and counts words as tokens."""
    status, body = await chat(sim, "sim-echo")
    answer = msgspec.json.decode(body)
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == "one two  three"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["model"] == "sim-echo"
    assert answer["usage"]["total_tokens"] == 6


async def test_stream_shape(sim: aiohttp.ClientSession) -> None:
    """A stream is role, words, finish, usage only if asked for, `[DONE]`."""
    events = await stream(sim, "sim-echo", stream_options={"include_usage": True})
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert text(events) == "one two  three"
    assert len(events) == 1 + 3 + 1 + 1 + 1
    assert events[-3]["choices"][0]["finish_reason"] == "stop"
    assert events[-2]["choices"] == []
    assert events[-2]["usage"]["completion_tokens"] == 3
    assert events[-1] == b"[DONE]"
    unasked = await stream(sim, "sim-echo")
    assert all("usage" not in event for event in unasked[:-1])


async def test_streamed_and_plain_say_the_same(sim: aiohttp.ClientSession) -> None:
    """Every way to say something gives one content, streamed or plain, and equal bytes each time."""
    for model in ("sim-echo", "sim-lorem-17", "sim-bytes-100", "sim-json-3", "sim-1-lorem-2"):
        _, body = await chat(sim, model)
        content = msgspec.json.decode(body)["choices"][0]["message"]["content"]
        assert text(await stream(sim, model)) == content
        assert (await chat(sim, model))[1] == body
    assert len(content.split()) == 2


async def test_sizes(sim: aiohttp.ClientSession) -> None:
    """`bytes-N` says N bytes and `json-K` an object of K members."""
    _, body = await chat(sim, "sim-bytes-8388608")
    assert len(msgspec.json.decode(body)["choices"][0]["message"]["content"]) == 8 << 20
    assert len(text(await stream(sim, "sim-bytes-8388608"))) == 8 << 20
    _, body = await chat(sim, "sim-json-5")
    assert (
        len(msgspec.json.decode(msgspec.json.decode(body)["choices"][0]["message"]["content"])) == 5
    )


async def test_choices_limit_and_tool(sim: aiohttp.ClientSession) -> None:
    """`n`, `max_tokens` and tools do what they do at OpenAI."""
    events = await stream(sim, "sim-echo", n=2)
    assert text(events, 0) == text(events, 1) == "one two  three"
    _, body = await chat(sim, "sim-lorem-9", max_completion_tokens=2)
    choice = msgspec.json.decode(body)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("lorem ipsum", "length")
    tools = [{"type": "function", "function": {"name": "weather"}}]
    _, body = await chat(sim, "sim-tool", tools=tools)
    choice = msgspec.json.decode(body)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "weather"
    deltas = [e["choices"][0]["delta"] for e in (await stream(sim, "sim-tool", tools=tools))[:-1]]
    arguments = "".join(
        delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta
    )
    assert arguments == choice["message"]["tool_calls"][0]["function"]["arguments"]


async def test_status(sim: aiohttp.ClientSession) -> None:
    """`status-S` is an OpenAI error; 429 says when to come back."""
    status, body = await chat(sim, "sim-status-500")
    assert (status, msgspec.json.decode(body)["error"]["type"]) == (500, "server_error")
    request = {"model": "sim-status-429-retry-7", "messages": MESSAGES}
    async with sim.post("/v1/chat/completions", json=request) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize("model", ["sim-cut-0", "sim-cut-2", "sim-lorem-5-cut-99"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_cut(sim: aiohttp.ClientSession, model: str, streamed: bool) -> None:
    """`cut-N` resets the connection inside the body."""
    with pytest.raises(aiohttp.ClientError):
        await chat(sim, model, stream=streamed)


async def test_cut_comes_after_n_chunks(sim: aiohttp.ClientSession) -> None:
    """`cut-2` sends two words."""
    body = {"model": "sim-lorem-9-cut-2", "messages": MESSAGES, "stream": True}
    got = b""
    async with sim.post("/v1/chat/completions", json=body) as response:
        with contextlib.suppress(aiohttp.ClientError):
            async for data in response.content.iter_any():
                got += data
    assert got.count(b'"content":"') == 3  # the role's empty one, and two words


async def test_broken_streams(sim: aiohttp.ClientSession) -> None:
    """`truncate`, `malformed`, `error` and `no-done` end the HTTP body in good order and lack the rest."""
    for model, last in (
        ("sim-truncate-1", b'"one"'),
        ("sim-malformed-1", b'"content":'),
        ("sim-error-1", b'"error":'),
        ("sim-no-done", b'"finish_reason":"stop"'),
    ):
        status, body = await chat(sim, model, stream=True)
        assert status == 200
        assert b"[DONE]" not in body
        assert last in body.rstrip(b"\n").rsplit(b"\n\n", 1)[-1]


async def test_broken_answers(sim: aiohttp.ClientSession) -> None:
    """The same faults of plain answers: half of it, not JSON, an error object with status 200."""
    for model in ("sim-truncate-0", "sim-malformed-0"):
        _, body = await chat(sim, model)
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(body)
    status, body = await chat(sim, "sim-error-0")
    assert status == 200
    assert msgspec.json.decode(body)["error"]["code"] == 503


async def test_refuse(sim: aiohttp.ClientSession) -> None:
    """`refuse` closes the connection without an answer."""
    with pytest.raises(aiohttp.ClientConnectionError):
        await chat(sim, "sim-refuse")


@pytest.mark.parametrize("model", ["sim-stall-1", "sim-hang"])
async def test_silence_and_leaving(sim: aiohttp.ClientSession, model: str) -> None:
    """A silent call stays open until the caller leaves; then it is counted as abandoned."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await chat(sim, model, stream=True)
    async with asyncio.timeout(10):
        while (report := await calls(sim))["open"]:  # noqa: ASYNC110 - seen only by asking
            await asyncio.sleep(0.01)
    assert (report["abandoned"], report["answered"]) == (1, 0)


async def test_flaky(sim: aiohttp.ClientSession) -> None:
    """`flaky-N` fails N times for each prompt, by status 500 or by the fault that is named."""
    assert [(await chat(sim, "sim-flaky-2"))[0] for _ in range(4)] == [500, 500, 200, 200]
    other = [{"role": "user", "content": "another"}]
    assert (await chat(sim, "sim-flaky-2", messages=other))[0] == 500
    assert [(await chat(sim, "sim-flaky-1-status-429"))[0] for _ in range(2)] == [429, 200]


async def calls(sim: aiohttp.ClientSession) -> Any:
    async with sim.get("/calls") as response:
        return await response.json()


async def test_calls(sim: aiohttp.ClientSession) -> None:
    """Calls are counted by model, by the caller's key (header, metadata, mark) and by request id."""
    marked = [{"role": "user", "content": [{"type": "text", "text": "hi [sim:c] there"}]}]
    await chat(sim, "sim-echo", metadata={"sim_key": "b"})
    await chat(sim, "sim-status-500", messages=marked)
    headers = {"x-sim-key": "a", "X-Client-Request-Id": "r-1"}
    body = {"model": "sim-echo", "messages": marked}
    for _ in range(2):
        async with sim.post("/v1/chat/completions", json=body, headers=headers):
            pass
    report = await calls(sim)
    assert report["total"] == 4
    assert report["models"] == {"sim-echo": 3, "sim-status-500": 1}
    assert report["keys"] == {"a": 2, "b": 1, "c": 1}
    assert report["request_ids"] == {"r-1": 2}
    async with sim.delete("/calls") as response:
        assert response.status == 204
    assert (await calls(sim))["total"] == 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'{"messages": []}', None),
        (b'{"model": "sim"}', "messages"),
        (b'{"model": "sim", "messages": []}', "messages"),
        (b'{"model": "sim", "messages": "hi"}', None),
        (b'{"model": "sim", "messages": [{"role": "user", "content": "x"}], "n": 0}', "n"),
        (
            b'{"model":"sim","messages":[{"role":"user"}],"stream_options":{"include_usage":true}}',
            "stream_options",
        ),
    ],
)
async def test_refused_requests(sim: aiohttp.ClientSession, body: bytes, param: str | None) -> None:
    """What OpenAI refuses is refused with 400 in OpenAI's envelope, and is no call."""
    async with sim.post("/v1/chat/completions", data=body) as response:
        error = msgspec.json.decode(await response.read())["error"]
    assert (response.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert (await calls(sim))["total"] == 0


async def test_models(sim: aiohttp.ClientSession) -> None:
    """Every listed model answers or fails as its name says; an unreadable name is 404."""
    async with sim.get("/v1/models") as response:
        listed = [model["id"] for model in (await response.json())["data"]]
    assert listed == list(LISTED)
    assert all(parse(model) for model in listed)
    status, body = await chat(sim, "sim-bogus")
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (404, "model_not_found")


async def test_gemini_as_its_own_sdk_writes_it(sim: aiohttp.ClientSession) -> None:
    """Names in either case and base64 for URLs mean the same; a caller's own names stay."""
    own = {"type": "object", "properties": {"mime_type": {"type": "string"}}}
    body = {
        "contents": [
            {
                "parts": [
                    {"text": "hi"},
                    {"inlineData": {"data": "__77", "mime_type": "image/png"}},
                ]
            }
        ],
        "generationConfig": {"thinkingConfig": {"include_thoughts": True, "thinking_budget": 5}},
    }
    tools = [{"functionDeclarations": [{"name": "f", "parameters_json_schema": own}]}]
    path = "/v1beta/models/{}:generateContent"
    said = await (await sim.post(path.format("sim"), json=body)).json()
    called = await (await sim.post(path.format("sim-tool"), json=body | {"tools": tools})).json()

    thought, told = said["candidates"][0]["content"]["parts"]
    assert (thought["thought"], told["text"]) == (True, "hi [image image/png 3]")
    calls = [part["functionCall"] for part in called["candidates"][0]["content"]["parts"][1:]]
    assert calls == [{"name": "f", "args": {"mime_type": "simulated"}}]


@pytest.mark.parametrize(("model", "status"), [("gemini-2.5-pro", 200), ("gemini-3-pro", 400)])
async def test_gemini_insists_on_signatures_since_3(
    sim: aiohttp.ClientSession, model: str, status: int
) -> None:
    """A call without one is refused by the models that refuse it."""
    call = {"functionCall": {"name": "f", "args": {}}}
    result = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]},
        ],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    }
    async with sim.post(f"/v1beta/models/{model}:generateContent", json=body) as response:
        assert response.status == status


async def test_flap(sim: aiohttp.ClientSession) -> None:
    """`flap-N` fails N times, answers N times, and so on."""
    found = [(await chat(sim, "sim-flap-2"))[0] for _ in range(6)]
    assert found == [500, 500, 200, 200, 500, 500]


async def test_refusals_of_a_request(sim: aiohttp.ClientSession) -> None:
    """Too long for `context-K`, refused by a filter, or beginning the answer itself."""
    begun = [*MESSAGES, {"role": "assistant", "content": "one two"}]
    for model, messages, code in (
        ("sim-context-2", MESSAGES, "context_length_exceeded"),
        ("sim-blocked", MESSAGES, "content_filter"),
        ("sim-no-prefill", begun, None),
    ):
        status, body = await chat(sim, model, messages=messages)
        assert (status, msgspec.json.decode(body)["error"]["code"]) == (400, code)
    for model in ("sim-context-3", "sim-no-prefill"):
        assert (await chat(sim, model))[0] == 200
        assert text(await stream(sim, model)) == "one two  three"


async def test_a_bare_limit(sim: aiohttp.ClientSession) -> None:
    """`bare` leaves Retry-After out."""
    request = {"model": "sim-status-429-bare", "messages": MESSAGES}
    async with sim.post("/v1/chat/completions", json=request) as response:
        assert (response.status, "Retry-After" in response.headers) == (429, False)


async def test_continues(sim: aiohttp.ClientSession) -> None:
    """`continues` says only what comes behind its own last turn."""
    begun = [*MESSAGES, {"role": "assistant", "content": "lorem ipsum"}]
    assert text(await stream(sim, "sim-lorem-3-continues", messages=begun)) == " dolor"
    assert text(await stream(sim, "sim-lorem-3", messages=begun)) == "lorem ipsum dolor"


def test_scripts() -> None:
    """Parts may stand in any order; other names mean `sim-echo`."""
    assert parse("sim") == parse("sim-echo") == parse("gpt-4o") == Script()
    expected = Script("lorem", 32, 0.02, "cut", 3, 1, 2)
    assert parse("sim-20-lorem-32-flaky-2-cut-3") == expected
    assert parse("sim-cut-3-flaky-2-lorem-32-20") == expected
    assert parse("sim-no-done-5") == Script(delay=0.005, fault="no-done")
    assert parse("sim-flaky-1") == Script(fault="status", number=500, flaky=1)


@pytest.mark.parametrize(
    "model",
    [
        "sim-",
        "sim-bogus",
        "sim-lorem",
        "sim-lorem-x",
        "sim-lorem-5-bytes-5",
        "sim-cut-1-stall-1",
        "sim-lorem-1-lorem-2",
        "sim-20-30",
        "sim-status-200",
        "sim-bytes-999999999",
    ],
)
def test_unreadable_scripts(model: str) -> None:
    """A name that begins with `sim` and makes no sense is refused, never guessed at."""
    with pytest.raises(UnknownModel, match=r"sim-"):
        parse(model)


def test_tally_is_bounded() -> None:
    """The counts forget the oldest name instead of growing for ever."""
    tally = Tally()
    for number in range(100_001):
        tally.add(str(number))
    assert len(tally.copy()) == 100_000
    assert "0" not in tally.copy()


async def upload(sim: aiohttp.ClientSession, content: bytes) -> dict[str, Any]:
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", content, filename="a.jsonl", content_type="application/jsonl")
    async with sim.post("/v1/files", data=form) as response:
        found: dict[str, Any] = await response.json()
    return found


@pytest.mark.parametrize("content", [b"", b"one\r\ntwo\n", b"\x00\xff\r\n--\r\r\n", b"\n\n"])
async def test_an_upload_is_kept(sim: aiohttp.ClientSession, content: bytes) -> None:
    """A file with its name and purpose; its content comes back byte for byte."""
    kept = await upload(sim, content)

    assert (kept["filename"], kept["purpose"], kept["bytes"]) == ("a.jsonl", "batch", len(content))
    async with sim.get(f"/v1/files/{kept['id']}/content") as response:
        assert response.content_type == "application/jsonl"
        assert await response.read() == content


async def test_an_upload_without_a_file(sim: aiohttp.ClientSession) -> None:
    """It is refused, whatever the body is."""
    for data in ({"purpose": "batch"}, b"nothing"):
        async with sim.post("/v1/files", data=data) as response:
            assert response.status == 400


@pytest.mark.parametrize(
    ("content", "status"), [("Hello", "completed"), ("[sim-hang]", "in_progress")]
)
async def test_a_batch_ends_when_it_is_asked_for(
    sim: aiohttp.ClientSession, content: str, status: str
) -> None:
    """Not if one of its requests hangs; it can be cancelled then."""
    body = {"model": "any", "messages": [{"role": "user", "content": content}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    kept = await upload(sim, msgspec.json.encode(line))
    new = {"input_file_id": kept["id"], "endpoint": "/v1/chat/completions"}
    async with sim.post("/v1/batches", json=new) as response:
        made = await response.json()
    assert made["status"] == "in_progress"

    async with sim.get(f"/v1/batches/{made['id']}") as response:
        found = await response.json()

    assert found["status"] == status
    assert (found["output_file_id"] is not None) == (status == "completed")
    async with sim.post(f"/v1/batches/{made['id']}/cancel") as response:
        assert (await response.json())["status"] in (status, "cancelled")


async def responses(sim: aiohttp.ClientSession, **members: Any) -> tuple[int, Any]:
    async with sim.post("/v1/responses", json={"model": "sim-echo", **members}) as found:
        return found.status, await found.json()


async def test_responses_are_kept(sim: aiohttp.ClientSession) -> None:
    """As they were answered, with their input; they are continued turn by turn, until they are deleted."""
    _, first = await responses(sim, input="one two")
    _, second = await responses(sim, input="three", previous_response_id=first["id"])
    status, third = await responses(sim, input="four", previous_response_id=second["id"])
    place = f"/v1/responses/{second['id']}"

    assert (status, third["previous_response_id"]) == (200, second["id"])
    assert [each["usage"]["input_tokens"] for each in (first, second, third)] == [2, 5, 7]
    assert await (await sim.get(place)).json() == second
    listed = await (await sim.get(f"{place}/input_items")).json()
    assert [item["content"] for item in listed["data"]] == ["three"]
    assert (await (await sim.delete(place)).json())["deleted"] is True
    for found in (await sim.get(place), await sim.delete(place)):
        assert found.status == 404
    status, refused = await responses(sim, input="five", previous_response_id=second["id"])
    assert (status, refused["error"]["code"]) == (400, "previous_response_not_found")


async def test_what_is_not_to_be_stored_is_not(
    sim: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of too many the oldest are forgotten."""
    monkeypatch.setattr("sluice.sim.kept._MAX_BYTES", 12_000)
    _, private = await responses(sim, input="one", store=False)
    _, large = await responses(sim, input="x" * 3000)
    await responses(sim, input="y" * 3000)

    for name in (private["id"], large["id"]):
        assert (await sim.get(f"/v1/responses/{name}")).status == 404
