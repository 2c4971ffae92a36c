"""The gateway that GoModel's scenarios ask: five vendors, all of them the simulated provider, and aliases.

On the embedded broker it stores in SQLite, on real Kafka in MongoDB.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct
from pymongo import MongoClient

from tests import services
from tests.brokers import embedded_broker
from tests.gateway import Background
from tests.stack import Process, Stack

KEY = "sk-gomodel-master"
ADMIN = "/admin/api/v1"
SECONDS = 30.0
SLOTS = 16  # of ingress processes; each may be used once
Json = dict[str, Any]
# A model's name that is no script of the simulated provider's means: echo the last user message.
MODELS = {
    "OPENAI": "gpt-4o-mini,gpt-3.5-turbo,gpt-5-nano,text-embedding-3-small",
    "ANTHROPIC": "claude-sonnet-4-6",
    "GEMINI": "gemini-2.5-flash,gemini-embedding-001",
    "GROQ": "llama-3.3-70b-versatile",
    "XAI": "grok-3-mini",
}
ALIASES = """
aliases:
  smart: {target_model: gpt-4o-mini, target_provider: openai, description: OpenAI's}
  careful: {target_model: claude-sonnet-4-6, target_provider: anthropic}
models:
  text-embedding-3-small: {modes: [embedding]}
  gemini-embedding-001: {modes: [embedding]}
model_overrides:
  xai/grok-3-mini: [/]
"""


class World(Struct):
    """The running gateway, as a client with the key sees it, and what came of its requests."""

    stack: Stack
    client: httpx.Client
    find: Callable[[str, str], list[Json]]  # stored documents by a field's value
    background: Background
    slots: Iterator[int]

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=named(headers))

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.client.put(path, json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.client.delete(path)

    def told(self, path: str, **query: str) -> Any:
        """What the admin API answers below its prefix."""
        answer = self.client.get(f"{ADMIN}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=named(headers))

    def chat(self, model: str, content: Any, **more: Any) -> httpx.Response:
        messages = [{"role": "user", "content": content}]
        return self.post("/v1/chat/completions", {"model": model, "messages": messages, **more})

    def respond(self, model: str, given: Any, **more: Any) -> httpx.Response:
        return self.post("/v1/responses", {"model": model, "input": given, **more})

    def received(self, mark: str) -> list[Json]:
        """The provider's requests with that text in them."""
        found = httpx.get(
            f"http://127.0.0.1:{self.stack.sim_port}/calls/received", params={"containing": mark}
        )
        requests: list[Json] = found.json()
        return requests

    def sent(self, mark: str) -> Json:
        """The body of the only request with that text that a provider got."""
        (request,) = self.received(mark)
        body: Json = json.loads(request["body"])
        return body

    def stored(self, client_request_id: str) -> Json:
        """The document of the request that its caller named so, as soon as it is there."""
        deadline = time.monotonic() + SECONDS
        while not (found := self.find("client_request_id", client_request_id)):
            assert time.monotonic() < deadline, f"{client_request_id} was not stored"
            time.sleep(0.05)
        (document,) = found
        return document

    @contextmanager
    def ingress(self, **env: str) -> Iterator[httpx.Client]:
        """One more ingress with other settings, and a client of it without a key."""
        port = services.free_port()
        more = {"SLUICE_SLOT": str(next(self.slots)), "PORT": str(port), **env}
        process: Process = self.background.run(self.stack.start("ingress", **more))
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
                yield client
        finally:
            self.background.run(process.stop())

    def refused(self, role: str, **env: str) -> str:
        """What a role says that does not start with these settings."""
        done = subprocess.run(
            [sys.executable, "-m", "sluice", role],
            cwd=self.stack.folder,
            env={"PYTHONPATH": str(services.ROOT), **self.stack.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 2, done.stderr
        return done.stderr


def becomes(found: Callable[[], Any]) -> Any:
    """What that finds, as soon as it is something: sinks and other processes come a moment later."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def named(headers: dict[str, str]) -> dict[str, str]:
    """Headers as keyword arguments."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def events(answer: httpx.Response) -> list[Any]:
    """The data of a stream's events; `[DONE]` as it is."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [line[5:].strip() for line in answer.text.split("\n") if line.startswith("data:")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def said(answer: httpx.Response) -> str:
    """The text of a plain chat answer."""
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def words(answer: httpx.Response) -> str:
    """The text of a streamed one."""
    chunks = [event for event in events(answer) if event != "[DONE]"]
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    )


def output_text(response: Json) -> str:
    """The text of a response."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


def error_of(answer: httpx.Response) -> Json:
    """The error in OpenAI's envelope, all four of its members."""
    error: Json = answer.json()["error"]
    assert error.keys() >= {"type", "message", "param", "code"}
    assert error["message"]
    return error


@contextmanager
def running(
    folder: Path, prefix: str, bootstrap: str | None, mongodb: str | None
) -> Iterator[World]:
    """Until the end of the block; without an address on an embedded broker, with SQLite."""
    background, block = Background(), AsyncExitStack()
    database = prefix.rstrip(".")
    try:
        stack = background.run(_started(block, folder, prefix, (bootstrap, mongodb, database)))
        find = _in_mongodb(mongodb, database) if mongodb else _in_sqlite(stack.database)
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=stack.url, headers=headers, timeout=SECONDS) as client:
            yield World(stack, client, find, background, iter(range(1, SLOTS)))
    finally:
        background.run(block.aclose())
        background.close()
        if mongodb:
            with MongoClient[Json](mongodb) as store:
                store.drop_database(database)


async def _started(
    block: AsyncExitStack,
    folder: Path,
    prefix: str,
    places: tuple[str | None, str | None, str],
) -> Stack:
    bootstrap, mongodb, database = places
    if bootstrap is None:
        bootstrap = (await block.enter_async_context(embedded_broker(folder))).bootstrap
    (folder / "config.yaml").write_text(ALIASES)
    env = {
        "GOMODEL_MASTER_KEY": KEY,
        "SLUICE_REPLY_PARTITIONS": str(SLOTS),
        "GUARDRAILS_ENABLED": "true",
        "RESPONSE_CACHE_SIMPLE_ENABLED": "true",
    }
    if mongodb:
        env |= {"STORAGE_TYPE": "mongodb", "MONGODB_URL": mongodb, "MONGODB_DATABASE": database}
    stack = Stack(folder, bootstrap, prefix, **env)
    host = f"http://127.0.0.1:{stack.sim_port}"
    for vendor, models in MODELS.items():
        version = "v1beta" if vendor == "GEMINI" else "v1"
        stack.env |= {
            f"{vendor}_API_KEY": f"sk-{vendor.lower()}",
            f"{vendor}_BASE_URL": f"{host}/{version}",
            f"{vendor}_MODELS": models,
        }
    stack.env["CONFIGURED_PROVIDER_MODELS_MODE"] = "allowlist"
    block.callback(stack.erase)
    await stack.start_all()
    return stack


def _in_sqlite(path: Path) -> Callable[[str, str], list[Json]]:
    def find(field: str, value: str) -> list[Json]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = connection.execute(f"select document from exchanges where {field} = ?", (value,))
            return [json.loads(row[0]) for row in rows]
        finally:
            connection.close()

    return find


def _in_mongodb(url: str, database: str) -> Callable[[str, str], list[Json]]:
    def find(field: str, value: str) -> list[Json]:
        with MongoClient[Json](url) as client:
            return list(client[database]["exchanges"].find({field: value}))

    return find
