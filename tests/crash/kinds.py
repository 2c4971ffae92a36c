"""The four kinds of requests that are under way while somebody dies, each with its client."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

import httpx
from msgspec import Struct

from tests.crash.load import Seen, ask, body
from tests.stack import until

KINDS = ("plain", "stream", "async", "batch")
CHAT = "/v1/chat/completions"
ASYNC = {"prefer": "respond-async"}
OURS = {"sluice-provider": "sluice"}
PATIENCE = 120.0  # seconds


class Load(Struct, frozen=True):
    """So many of each kind, and by whom they are answered."""

    each: int
    plain: str = "sim-10"
    stream: str = "sim-10"
    line: str = "sim-1000"  # slower, because lines begin a moment later than the others
    keyed: bool = False  # each has an idempotency key, but for lines, which have no headers

    def headers(self, name: str) -> dict[str, str]:
        return {"idempotency-key": name} if self.keyed else {}


class Clients:
    """They ask one ingress and fetch from another what they do not wait for."""

    def __init__(self, asked: str, fetching: str, load: Load) -> None:
        limits = httpx.Limits(max_connections=None)
        self._asked = httpx.AsyncClient(base_url=asked, timeout=PATIENCE, limits=limits)
        self._fetching = httpx.AsyncClient(base_url=fetching, timeout=PATIENCE, limits=limits)
        self._load = load

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._asked.aclose()
        await self._fetching.aclose()

    async def ask_all(self, name: str) -> dict[str, list[Seen]]:
        """All at once, as soon as the batch is there; by kind."""
        lines = [Seen(f"{name}-b{n}", streamed=False) for n in range(self._load.each)]
        batch = await self._begun(lines)
        names = {kind: [f"{name}-{kind[0]}{n}" for n in range(len(lines))] for kind in KINDS[:3]}
        plain, streams, left, _ = await asyncio.gather(
            asyncio.gather(*(self._ask(each, streamed=False) for each in names["plain"])),
            asyncio.gather(*(self._ask(each, streamed=True) for each in names["stream"])),
            asyncio.gather(*(self._ask_and_leave(each) for each in names["async"])),
            self._ended(batch, lines),
        )
        return {"plain": plain, "stream": streams, "async": left, "batch": lines}

    async def _ask(self, name: str, *, streamed: bool) -> Seen:
        model = self._load.stream if streamed else self._load.plain
        return await ask(self._asked, name, model, streamed, self._load.headers(name))

    async def _ask_and_leave(self, name: str) -> Seen:
        seen = Seen(name, streamed=False)
        content = body(name, self._load.plain, streamed=False)
        headers = ASYNC | self._load.headers(name)
        try:
            taken = await self._asked.post(CHAT, json=content, headers=headers)
        except (httpx.HTTPError, AttributeError):  # as in `ask`
            return seen
        seen.status, seen.request_id = taken.status_code, taken.headers.get("sluice-request-id")
        seen.ended = "error"
        if taken.status_code == 202:
            answer = await self._fetched(taken.headers["location"], _has_ended)
            if answer.status_code == 200:
                _whole(seen, answer.json())
        return seen

    async def _begun(self, lines: list[Seen]) -> str | None:
        """The id of a batch; None if it was refused or the connection broke."""
        texts = [
            json.dumps({"custom_id": each.name, "method": "POST", "url": CHAT, "body": content})
            for each in lines
            for content in (body(each.name, self._load.line, streamed=False),)
        ]
        form = {"file": ("in.jsonl", "\n".join(texts).encode(), "application/jsonl")}
        client = self._asked
        try:
            file = await client.post(
                "/v1/files", data={"purpose": "batch"}, files=form, headers=OURS
            )
            wanted = {"input_file_id": file.json().get("id"), "endpoint": CHAT}
            wanted["completion_window"] = "24h"
            batch = await client.post("/v1/batches", json=wanted, headers=OURS)
        except httpx.HTTPError:
            return None
        for each in lines:
            each.status, each.ended = batch.status_code, "error"
        return str(batch.json()["id"]) if batch.status_code == 200 else None

    async def _ended(self, batch: str | None, lines: list[Seen]) -> None:
        """Wait for the end of a batch, and tell each line its result: exactly one."""
        if batch is None:
            return
        done = (await self._fetched(f"/v1/batches/{batch}", _is_completed)).json()
        results: list[dict[str, Any]] = []
        for file in filter(None, (done["output_file_id"], done["error_file_id"])):
            content = await self._fetched(f"/v1/files/{file}/content", lambda found: True)
            results += map(json.loads, content.text.splitlines())
        assert sorted(each["custom_id"] for each in results) == sorted(e.name for e in lines)
        by_name = {each.name: each for each in lines}
        for result in results:
            seen, said = by_name[result["custom_id"]], result["response"]
            if said is not None:
                seen.request_id = said["request_id"]
                if said["status_code"] == 200:
                    _whole(seen, said["body"])

    async def _fetched(self, path: str, there: Callable[[httpx.Response], bool]) -> httpx.Response:
        """What stands there, as soon as it does: who is asked may be the one who dies."""
        found: list[httpx.Response] = []

        async def answered() -> bool:
            try:
                answer = await self._fetching.get(path)
            except httpx.HTTPError:
                return False
            if answer.status_code == 503 or not there(answer):
                return False
            found.append(answer)
            return True

        await until(answered, PATIENCE, f"no end of {path}")
        return found[0]


def _has_ended(answer: httpx.Response) -> bool:
    return b'"object":"request"' not in answer.content


def _is_completed(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and answer.json()["status"] == "completed"


def _whole(seen: Seen, answer: dict[str, Any]) -> None:
    seen.text, seen.ended = answer["choices"][0]["message"]["content"], "whole"
