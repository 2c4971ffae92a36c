"""Applies the guardrails of a request's workflow to its question, and to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from msgspec.structs import replace

from providers.retelling import Listener
from schemas.clock import Clock
from schemas.envelopes import EVENT_STREAM
from schemas.errors import GatewayError
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.tasks import Tasks
from schemas.usage import Usage
from streams.guardrails.guarded import Guarded
from streams.guardrails.judging import Judging
from streams.guardrails.masking import Mask
from streams.guardrails.policy import GUARDED, Policy
from streams.guardrails.remote import Remote
from streams.guardrails.restoring import Restoring
from streams.stages import Call, Handler, Replies


class Guardrails:
    """A Handler around all that may answer. Where nothing is configured it is not there."""

    def __init__(self, handler: Handler, policy: Policy, remote: Remote, clock: Clock) -> None:
        self._handler = handler
        self._policy = policy
        self._remote = remote
        self._clock = clock
        self._tasks = Tasks()

    async def close(self) -> None:
        await self._tasks.abort()

    def __call__(self, call: Call) -> Replies:
        if self._policy.idle:
            return self._handler(call)
        plan = self._policy.plan(call)
        call.features = plan.features
        call.guarded = Guarded(plan.workflow, plan.epoch)
        if not plan.steps or call.request.operation not in GUARDED:
            return self._handler(call)
        judging = Judging(call, plan.steps, self._handler, self._remote, self._clock)
        return self._guarded(call, judging)

    async def _guarded(self, call: Call, judging: Judging) -> Replies:
        try:
            await judging.question()
        except GatewayError as error:
            yield Failed(error, error.status)
            return
        replies = self._held(call, judging)
        if judging.of_answers:
            replies = self._checked(call, judging, replies)
        if judging.mask:
            replies = _restored(call, judging.mask, replies)
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    async def _held(self, call: Call, judging: Judging) -> Replies:
        """The answer; until those have decided who look while the provider works, nothing of it."""
        guarded = call.guarded
        assert guarded is not None
        async with aclosing(self._handler(call)) as replies:
            if judging.beside:
                name = f"guardrails of {call.request.request_id}"
                verdict = self._tasks.start(judging.meanwhile(), name=name)
                try:
                    held = await self._until(verdict, replies)
                    if (error := await verdict) is not None:
                        yield Failed(error, error.status, usage=_usage(held))
                        return
                finally:
                    verdict.cancel()
                for reply in held:
                    guarded.heard(reply)
                    yield reply
            async for reply in replies:
                guarded.heard(reply)
                yield reply

    async def _until(
        self, verdict: asyncio.Task[GatewayError | None], replies: AsyncIterator[Reply]
    ) -> list[Reply]:
        """What came before the verdict; a refusal does not wait for the provider."""
        held: list[Reply] = []
        while not verdict.done():
            step = self._tasks.start(_next(replies), name="next reply")
            try:
                await asyncio.wait((step, verdict), return_when=asyncio.FIRST_COMPLETED)
                if not step.done() and verdict.result() is not None:
                    break
                found = await step
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait((step,))
            if found is None:
                break
            held.append(found)
        return held

    async def _checked(self, call: Call, judging: Judging, replies: Replies) -> Replies:
        """The whole answer, or the refusal of it: nobody sees a part before it is known."""
        async with aclosing(replies):
            held = [reply async for reply in replies]
        end = held[-1] if held else None
        if isinstance(end, Completed) and call.request.operation == "chat":
            try:
                await judging.answer(_whole(call, held))
            except GatewayError as error:
                yield Failed(error, error.status, usage=end.usage)
                return
        elif isinstance(end, Failed) and len(held) > 1:
            yield replace(end, event=None)  # what nobody has judged nobody sees
            return
        for reply in held:
            yield reply


def _whole(call: Call, held: list[Reply]) -> str | None:
    """The answer as one body; None if it cannot be understood."""
    try:
        listener = Listener(call.request)
        for reply in held:
            if isinstance(reply, Started):
                listener.begin(reply.content_type, reply.model)
            elif isinstance(reply, Chunk):
                listener.hear(reply.data)
            elif isinstance(reply, Completed):
                listener.finish(reply.data, reply.usage)
        return listener.body.decode()
    except (GatewayError, UnicodeDecodeError):
        return None


async def _next(replies: AsyncIterator[Reply]) -> Reply | None:
    return await anext(replies, None)


def _usage(held: list[Reply]) -> Usage | None:
    end = held[-1] if held else None
    return end.usage if isinstance(end, Completed | Failed) else None


async def _restored(call: Call, mask: Mask, replies: Replies) -> Replies:
    """The answer with the caller's own words where placeholders stand."""
    stream: Restoring | None = None
    pieces: list[bytes] = []
    async with aclosing(replies):
        async for reply in replies:
            if isinstance(reply, Started):
                if reply.content_type.startswith(EVENT_STREAM):
                    stream = Restoring(call.request.dialect, mask)
                yield replace(reply, size=None)
            elif stream is not None:
                for each in _streamed(stream, reply):
                    yield each
            elif isinstance(reply, Chunk):
                pieces.append(reply.data)
            elif isinstance(reply, Completed):
                yield replace(reply, data=mask.answer(b"".join([*pieces, reply.data])))
            else:
                yield reply


def _streamed(stream: Restoring, reply: Chunk | Completed | Failed) -> list[Reply]:
    if isinstance(reply, Chunk):
        return [Chunk(data, reply.content)] if (data := stream.feed(reply.data)) else []
    if isinstance(reply, Completed):
        return [replace(reply, data=stream.feed(reply.data) + stream.end())]
    # An error stays as the provider wrote it: it is stored as it is told.
    return [Chunk(data), reply] if (data := stream.end()) else [reply]
