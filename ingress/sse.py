"""Streams to the client: each record as it comes, keep-alive comments, errors in-band."""

from __future__ import annotations

from ingress.replies import Slot
from ingress.seen import Seen
from ingress.wire import Answer
from schemas.clock import Clock
from schemas.faultpoints import reach

# One newline: openai-python takes a comment followed by a blank line for an empty event.
PING = b": ping\n"
# What a stream carries beside its own headers.
LINES = b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"


async def relay(slot: Slot, answer: Answer, seen: Seen, interval: float, clock: Clock) -> None:
    """Write what comes until the answer ends or fails.

    The answer was begun with what was `seen`. When this returns, its body was ended properly: after the last piece, or
    after an error event that no client can take for the end of a whole answer.
    """
    slot.ping_in(clock.monotonic(), interval)
    while True:
        if slot.pieces:
            data = slot.take()
            if slot.ended:
                await answer.end(data)
                return
            await answer.write(data)
            seen.note(data)
            reach("ingress.mid_stream")
            slot.ping_in(clock.monotonic(), interval)
        elif slot.error is not None:
            await answer.end(seen.error(slot.error))
            return
        elif slot.ended:
            await answer.end()
            return
        elif clock.monotonic() >= slot.ping_at:
            if seen.between_lines:  # what is relayed may be cut anywhere
                await answer.write(PING)
            slot.ping_in(clock.monotonic(), interval)
        else:
            await slot.wait()
