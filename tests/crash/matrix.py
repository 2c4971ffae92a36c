"""The crash matrix: who dies where, what each kind of client then has, and the table of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from tests import services
from tests.crash.kinds import KINDS, Clients, Load
from tests.crash.load import (
    Count,
    Seen,
    accounted_for_once,
    forget_calls,
    no_half_answer,
    settled,
)
from tests.stack import Stack

PAGE = services.ROOT / "docs" / "crash-matrix.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- end -->\n"


class Row(Struct):
    """One crash."""

    killed: str
    point: str
    seen: dict[str, list[Seen]]
    repeated: dict[str, int]  # of each kind: requests whose provider was called twice


async def crash(
    stack: Stack,
    killed: str,
    point: str,
    load: Load,
    dies: Callable[[], Awaitable[None]],
    urls: tuple[str, str] | None = None,
) -> Row:
    """Ask while `dies` ends somebody and starts its successor; the row, when all is accounted for.

    `urls`: of the ingress that is asked, and of the one from which answers are fetched.
    """
    await forget_calls(stack)
    asked, fetching = urls or (stack.url, stack.url)
    dying = asyncio.ensure_future(dies())
    async with Clients(asked, fetching, load) as clients:
        seen = await clients.ask_all(f"{killed}-{point}")
    await dying
    count = await settled(stack)
    everybody = [each for found in seen.values() for each in found]
    no_half_answer(everybody)
    accounted_for_once(count)
    assert {name: calls for name, calls in count.calls.items() if calls > 2} == {}
    return Row(killed, point, seen, _repeated(seen, count))


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
