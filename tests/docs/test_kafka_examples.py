"""The examples of docs/kafka.md, run as they stand there; only the topics' prefix is the test's own."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from schemas.exchange import Exchange
from tests import services
from tests.stack import Stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = services.ROOT / "docs" / "kafka.md"
EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```(?:sh|python)\n(.*?)```", re.DOTALL)
TOPIC = re.compile(r"llm\.(?=(?:requests|replies|exchanges|control|dead-letters)\b)(?!control\.)")
EXAMPLES: dict[str, str] = dict(EXAMPLE.findall(PAGE.read_text()))
SECONDS = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, session_prefix: str
) -> AsyncIterator[Stack]:
    """A worker and the simulated provider on real Kafka."""
    if shutil.which("kcat") is None:
        services.missing("kcat is not installed: apt-get install kcat")
    built = Stack(tmp_path_factory.mktemp("examples"), kafka_bootstrap, f"{session_prefix}docs.")
    try:
        await built.start("sim")
        await built.start("streams")
        yield built
    finally:
        built.erase()


async def run(stack: Stack, name: str, *arguments: str, **env: str) -> str:
    """Run one example by the shell or by Python; what it wrote to stdout."""
    text = TOPIC.sub(stack.topics.prefix, EXAMPLES[name])
    if name.endswith(".py"):
        script = Path(stack.folder) / name
        script.write_text(text)
        command = [sys.executable, "-W", "error", str(script), *arguments]
    else:
        command = ["sh", "-eu", "-c", text]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise AssertionError(f"{name} did not end") from None
    assert process.returncode == 0, f"{name}: {err.decode()}"
    assert not name.endswith(".py") or err == b""
    return out.decode()


def printed_headers(line: str) -> dict[str, str]:
    """kcat's `%h`: name=value, separated by commas."""
    return dict(part.partition("=")[::2] for part in line.split(",") if "=" in part)


async def test_a_body_alone_is_a_request(stack: Stack) -> None:
    """A record without key and headers is answered; its outcome names it by its position."""
    await run(stack, "body-only")
    key, document = (await run(stack, "outcome")).splitlines()

    exchange = msgspec.json.decode(document, type=Exchange)
    assert exchange.outcome == "completed"
    assert exchange.request_id == key
    assert key.startswith(f"{stack.topics.requests}-")
    assert exchange.source == exchange.user_path == "/kafka"


async def test_the_batch_lane(stack: Stack) -> None:
    """The same record on the other topic is answered as well."""
    await run(stack, "batch")

    async def answered() -> bool:
        return any(
            exchange.kafka.topic == stack.topics.batch and exchange.outcome == "completed"
            for exchange in await stack.exchanges()
        )

    await until(answered, SECONDS, "no outcome came")


async def test_ask_and_answer(stack: Stack) -> None:
    """With a reply address the answer stands on that topic, under the scoped id and the correlation id."""
    await run(stack, "make_topic.py")
    await run(stack, "ask")
    key, headers, body = (await run(stack, "answer")).splitlines()

    found = printed_headers(headers)
    assert key == "/billing/order-42"
    assert found["kafka_correlationId"] == "42"
    assert found["ce_type"] == "llm.reply.completed"
    assert (found["sluice-attempt"], found["sluice-seq"], found["sluice-count"]) == ("1", "0", "1")
    assert (found["sluice-status"], found["sluice-provider"]) == ("200", "sim")
    assert msgspec.json.decode(body)["choices"][0]["message"]["content"] == "Hello"

    question = "one two three four"
    stream = await run(stack, "ask.py", question)
    events = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    assert events.pop() == "[DONE]"
    deltas = [
        choice["delta"] for event in events for choice in msgspec.json.decode(event)["choices"]
    ]
    assert "".join(delta.get("content") or "" for delta in deltas) == question


async def test_a_retry_is_answered_from_the_outcome(stack: Stack) -> None:
    """The same request once more gives a replay with the same bytes, and no second outcome."""
    await run(stack, "make_topic.py")
    await run(stack, "ask")
    await run(stack, "ask")

    async def replayed() -> bool:
        records = await stack.read(f"{stack.topics.replies}.billing")
        mine = [(h, value) for _, _, h, key, value in records if key == b"/billing/order-42"]
        return len({value for _, value in mine}) == 1 and any("sluice-replay" in h for h, _ in mine)

    await until(replayed, SECONDS, "no replay came")
    ids = [exchange.request_id for exchange in await stack.exchanges()]
    assert ids.count("/billing/order-42") == 1


async def test_a_cancellation(stack: Stack) -> None:
    """A record on the control topic ends a running request as cancelled."""
    await run(stack, "slow")
    await run(stack, "cancel")

    async def cancelled() -> bool:
        found = {exchange.request_id: exchange.outcome for exchange in await stack.exchanges()}
        return found.get("/billing/order-43") == "cancelled"

    await until(cancelled, SECONDS, "the request was not cancelled")


async def test_a_dead_letter(stack: Stack) -> None:
    """Bytes that are no request are kept as they were, with the reason and where they stood."""
    await run(stack, "no-request")
    key, headers, value = (await run(stack, "dead-letter")).splitlines()

    assert (key, value) == ("order-44", "not JSON")
    assert "kafka_dlt-exception-message=The body is not valid JSON" in headers
    assert f"kafka_dlt-original-topic={stack.topics.requests}" in headers


async def test_security_settings(stack: Stack, kafka_sasl: dict[str, str]) -> None:
    """The settings by which our roles authenticate mean the same in kcat."""
    found = await run(stack, "security", **kafka_sasl)

    assert f'topic "{stack.topics.requests}" with {stack.partitions} partitions' in found


async def test_every_example_is_run() -> None:
    """No example stands on the page that no test runs."""
    source = Path(__file__).read_text()

    assert [name for name in EXAMPLES if f'"{name}"' not in source] == []
    assert PAGE.read_text().count("```sh") + PAGE.read_text().count("```python") == len(EXAMPLES)
