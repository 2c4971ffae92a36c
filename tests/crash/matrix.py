"""The crash matrix: who dies where, what each kind of client then has, and the table of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from msgspec import Struct

from tests import services
from tests.crash.load import (
    Count,
    Seen,
    accounted_for_once,
    ask,
    body,
    forget_calls,
    no_half_answer,
    settled,
)
from tests.stack import Stack, until

PAGE = services.ROOT / "docs" / "crash-matrix.md"
KINDS = ("plain", "stream", "async")
ASYNC = {"prefer": "respond-async"}
BEGIN, END = "<!-- matrix -->\n", "<!-- end -->\n"


class Row(Struct):
    """One crash."""

    killed: str
    point: str
    load: int  # requests of each kind
    seen: dict[str, list[Seen]]
    repeated: dict[str, int]  # of each kind: requests whose provider was called twice


async def ask_async(client: httpx.AsyncClient, fetching: httpx.AsyncClient, name: str) -> Seen:
    """Ask, leave, and fetch the answer elsewhere when it is there."""
    seen = Seen(name, streamed=False)
    chat = "/v1/chat/completions"
    try:
        taken = await client.post(chat, json=body(name, "sim-10", False), headers=ASYNC)
    except httpx.HTTPError:
        return seen
    seen.status, seen.request_id = taken.status_code, taken.headers.get("sluice-request-id")
    if taken.status_code != 202:
        seen.ended = "error"
        return seen
    found: list[httpx.Response] = []

    async def answered() -> bool:
        try:
            answer = await fetching.get(taken.headers["location"])
        except httpx.HTTPError:
            return False  # who fetches it may be the one who dies
        if answer.status_code == 503 or b'"object":"request"' in answer.content:
            return False
        found.append(answer)
        return True

    await until(answered, 120, f"no answer to {name}")
    if found[0].status_code == 200:
        seen.text = json.loads(found[0].content)["choices"][0]["message"]["content"]
        seen.ended = "whole"
    else:
        seen.ended = "error"
    return seen


async def all_kinds(url: str, fetching: str, name: str, load: int) -> dict[str, list[Seen]]:
    """`load` requests of each kind at once; asynchronous ones are fetched from `fetching`."""
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client,
        httpx.AsyncClient(base_url=fetching, timeout=120, limits=limits) as other,
    ):
        numbers = range(load)
        plain, streams, left = await asyncio.gather(
            asyncio.gather(*(ask(client, f"{name}-p{n}", "sim-10", False) for n in numbers)),
            asyncio.gather(*(ask(client, f"{name}-s{n}", "sim-10", True) for n in numbers)),
            asyncio.gather(*(ask_async(client, other, f"{name}-a{n}") for n in numbers)),
        )
    return {"plain": plain, "stream": streams, "async": left}


async def crash(
    stack: Stack,
    killed: str,
    point: str,
    load: int,
    dies: Callable[[], Awaitable[None]],
    urls: tuple[str, str] | None = None,
) -> Row:
    """Ask while `dies` ends somebody and starts its successor; the row, when all is accounted for.

    `urls`: of the ingress that is asked, and of the one from which answers are fetched.
    """
    await forget_calls(stack)
    asked, fetching = urls or (stack.url, stack.url)
    dying = asyncio.ensure_future(dies())
    seen = await all_kinds(asked, fetching, f"{killed}-{point}", load)
    await dying
    count = await settled(stack)
    everybody = [each for found in seen.values() for each in found]
    no_half_answer(everybody)
    accounted_for_once(count)
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    return Row(killed, point, load, seen, _repeated(seen, count))


def _repeated(seen: dict[str, list[Seen]], count: Count) -> dict[str, int]:
    ids = {kind: {each.request_id for each in found} for kind, found in seen.items()}
    return {kind: len(count.repeated & ids[kind]) for kind in KINDS}


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| killed | at | " + " | ".join(KINDS) + " |",
        "|---|---|" + "---|" * len(KINDS),
    ]
    lines += [
        f"| {row.killed} | `{row.point}` | "
        + " | ".join(_cell(row.seen[kind], row.repeated[kind]) for kind in KINDS)
        + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _cell(seen: list[Seen], repeated: int) -> str:
    said = {
        "whole": "whole",
        "error": "ended with an error",
        "broken": "connection broken",
    }
    counts = {ended: sum(each.ended == ended for each in seen) for ended in said}
    found = [f"{counts[ended]} {text}" for ended, text in said.items() if counts[ended]]
    if repeated:
        found.append(f"{repeated} called twice")
    return ", ".join(found)


def write(rows: list[Row], page: Path = PAGE) -> None:
    """Put the table where it stands in the page."""
    text = page.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    page.write_text(text[:before] + table(rows) + text[after:])
