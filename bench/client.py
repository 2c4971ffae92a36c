"""Streams in a closed loop: `python -m bench.client URL --model mock-20 --streams 64 --seconds 8`.

Prints one JSON line. A stream counts as good only with status 200, all its words in order, `[DONE]`
and the proper end of its body.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import statistics
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

WORDS = [b"word%02d " % number for number in range(1, 31)]
WORD = re.compile(rb'"content":"(word\d\d )"')
TIMEOUT = 30.0


class Stream(asyncio.Protocol):
    """One connection, on which one stream follows another."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended: asyncio.Future[None] | None = None
        self.first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self.first and WORDS[0] in self._received:
            self.first = time.perf_counter()
        whole = self._received.endswith(b"0\r\n\r\n") and b"[DONE]" in self._received[-64:]
        if whole or b"HTTP/1.1 200" not in self._received[:16]:
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def ask(self, request: bytes) -> tuple[float, float, bool]:
        """Seconds to the first word and to the end, and whether all was good."""
        assert self.transport is not None
        self._received.clear()
        self.first = 0.0
        self._ended = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        self.transport.write(request)
        async with asyncio.timeout(TIMEOUT):
            await self._ended
        whole = time.perf_counter() - begun
        good = bytes(self._received[:12]) == b"HTTP/1.1 200"
        good = good and WORD.findall(self._received) == WORDS
        return self.first - begun, whole, good and self._received.endswith(b"0\r\n\r\n")


async def one_after_the_other(
    args: argparse.Namespace, number: int, until: float, found: list[tuple[float, float, bool]]
) -> None:
    where = urlsplit(args.url)
    loop = asyncio.get_running_loop()
    # Spread over one pause between two chunks: real callers do not begin in one instant.
    await asyncio.sleep(number / args.streams * 0.02)
    _, stream = await loop.create_connection(Stream, where.hostname, where.port)
    count = 0
    while time.perf_counter() < until:
        count += 1
        body = json.dumps(
            {
                "model": args.model,
                "stream": True,
                "stream_options": {"include_usage": True},
                "messages": [{"role": "user", "content": f"{args.run} {number:03} {count:06}"}],
            }
        ).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Authorization: Bearer {args.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(await stream.ask(head.encode() + body))
        if not found[-1][2]:
            break
    if stream.transport is not None:
        stream.transport.close()


async def run(args: argparse.Namespace) -> dict[str, float]:
    found: list[tuple[float, float, bool]] = []
    until = time.perf_counter() + args.seconds
    async with asyncio.TaskGroup() as group:
        for number in range(args.streams):
            group.create_task(one_after_the_other(args, number, until, found))
    good = [entry for entry in found if entry[2]]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "requests": len(found),
        "errors": len(found) - len(good),
        "first_ms": statistics.median([first for first, _, _ in good] or [0.0]) * 1000,
        "whole_ms": statistics.median([whole for _, whole, _ in good] or [0.0]) * 1000,
        "client_seconds": used.ru_utime + used.ru_stime,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--model", default="mock-20")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--key", default="none")
    parser.add_argument("--run", default="1")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
