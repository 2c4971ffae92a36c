"""The guardrails of one request, step by step; each verdict is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from msgspec.structs import replace

from schemas import bodies
from schemas.clock import Clock
from schemas.errors import GatewayError, GuardrailBlocked, GuardrailUnavailable, UpstreamError
from schemas.guardrails import (
    Action,
    Altering,
    JsonSchema,
    Moderation,
    Phase,
    Pii,
    SystemPrompt,
    Verdict,
    Webhook,
)
from schemas.replies import Chunk, Completed, Failed
from schemas.requests import Request
from schemas.usage import Usage
from streams.guardrails import altering, system_prompt
from streams.guardrails.guarded import Guarded
from streams.guardrails.places import Spot, answered, replaced, spoken, spots
from streams.guardrails.policy import masked, new_mask
from streams.guardrails.rails import Rail
from streams.guardrails.remote import Question, Remote
from streams.stages import Call, Handler

Steps = Sequence[Sequence[Rail]]


class Judging:
    """Of one call. `mask` is what stands in its answer again."""

    def __init__(
        self, call: Call, steps: Steps, handler: Handler, remote: Remote, clock: Clock
    ) -> None:
        assert call.guarded is not None
        self._call = call
        self._steps = steps
        self._handler = handler
        self._remote = remote
        self._clock = clock
        self._guarded: Guarded = call.guarded
        self._body = self._stored = call.request.body.decode()
        self.mask = new_mask(call.request, self._body)
        checks = [each for step in steps for each in step]
        self.beside = [each for each in checks if each.parallel and each.looks_at("input")]
        self.of_answers = [each for each in checks if each.looks_at("output")]

    # -- the question

    async def question(self) -> None:
        """Change and check it; GuardrailBlocked, GuardrailUnavailable. What looks while the provider
        works is not asked yet."""
        for step in self._steps:
            checks = [each for each in step if each.looks_at("input") and not each.parallel]
            texts = self._texts() if checks else []
            await self._together(checks, "input", texts, self._body)
            for each in step:
                if each.changes:
                    await self._change(each)
        if self._body != self._call.request.body.decode():
            self._call.request = replace(self._call.request, body=self._body.encode())

    async def _change(self, each: Rail) -> None:
        config, request = each.config, self._call.request
        before = self._body
        if isinstance(config, SystemPrompt):
            self._body = system_prompt.applied(config, request.dialect, before)
            self._note(each, "passed" if self._body == before else "changed")
        elif isinstance(config, Pii):
            self._masked(each, config)
        elif isinstance(config, Altering) and request.operation in ("chat", "count_tokens"):
            await self._altered(each, config)

    def _masked(self, each: Rail, config: Pii) -> None:
        request, before = self._call.request, self.mask.count
        self._body = masked(self.mask, each, request, self._body)
        count = self.mask.count - before
        restore = None if config.restore else False
        if config.store == "masked":
            self._stored = masked(self.mask, each, request, self._stored)
            if count:
                self._guarded.body = self._stored.encode()
                self._guarded.keeps = self._guarded.keeps or config.restore
        self._guarded.verdicts.append(
            Verdict(
                each.name,
                each.type,
                "masked" if count else "passed",
                count=count or None,
                store="original" if config.store == "original" else None,
                restore=restore,
            )
        )

    async def _altered(self, each: Rail, config: Altering) -> None:
        request, begun = self._call.request, self._clock.monotonic()
        found = [
            spot
            for spot in spots(request.dialect, request.operation, self._body)
            if spot.role in config.roles and spot.form == "text" and spot.text.strip()
            if not (config.skip_content_prefix and spot.text.startswith(config.skip_content_prefix))
        ]
        room, usages = asyncio.Semaphore(altering.AT_ONCE), list[Usage]()

        async def one(number: int, spot: Spot) -> str:
            async with room:
                asked = altering.question(config, each.name, spot.text, request, number)
                text, usage = await self._asked(asked)
                if usage is not None:
                    usages.append(usage)
                return text

        action, reason = "passed" if not found else "changed", None
        try:
            texts = await asyncio.gather(*(one(n, spot) for n, spot in enumerate(found)))
            places = [spot.found for spot in found]
            self._body = replaced(self._body, list(zip(places, texts, strict=True)))
        except GatewayError as error:
            action, reason = f"failed_{config.on_error}", error.code
        self._guarded.verdicts.append(
            Verdict(
                each.name,
                each.type,
                action,  # type: ignore[arg-type]  # one of the two
                reason=reason,
                count=len(found) or None,
                seconds=self._since(begun),
                usage=_sum(usages),
                model=config.model,
            )
        )
        if action == "failed_closed":
            raise GuardrailUnavailable(f"The guardrail `{each.name}` cannot do its work: {reason}.")

    async def _asked(self, request: Request) -> tuple[str, Usage | None]:
        """What a model writes, through all that is behind the guardrails."""
        call = Call(request, bodies.envelope(request))
        call.features = self._call.features
        pieces: list[bytes] = []
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                if isinstance(reply, Failed):
                    raise reply.error
                if isinstance(reply, Chunk | Completed):
                    pieces.append(reply.data)
                if isinstance(reply, Completed):
                    return altering.rewritten(b"".join(pieces)), reply.usage
        raise UpstreamError

    def _texts(self) -> list[Spot]:
        request = self._call.request
        return spots(request.dialect, request.operation, self._body)

    # -- checks

    async def meanwhile(self) -> GatewayError | None:
        """The verdict of those who look while the provider works."""
        try:
            await self._together(self.beside, "input", self._texts(), self._body)
        except GatewayError as error:
            return error
        return None

    async def answer(self, body: str | None) -> None:
        """Check a whole answer; None: it cannot be understood."""
        if body is None:
            for each in self.of_answers:
                self._failed(each, "output", "unreadable_answer", None)
            return
        for step in self._steps:
            checks = [each for each in step if each.looks_at("output")]
            said = list(answered(self._call.request.dialect, body)) if checks else []
            await self._together(checks, "output", said, body)

    async def _together(
        self, checks: Sequence[Rail], phase: Phase, texts: Sequence[Spot], body: str
    ) -> None:
        """Those of one step at the same time; the first refusal in their order is raised."""
        found = await asyncio.gather(
            *(self._check(each, phase, texts, body) for each in checks), return_exceptions=True
        )
        for each in found:
            if each is not None:
                raise each

    async def _check(self, each: Rail, phase: Phase, texts: Sequence[Spot], body: str) -> None:
        config, begun = each.config, self._clock.monotonic()
        roles = getattr(config, "roles", None)
        said = [
            (spot.role, spot.text)
            for spot in texts
            if phase == "output" or roles is None or spot.role in roles
        ]
        seconds: float | None = None
        try:
            if each.look is not None:
                reason = each.look(self._looked_at(each, phase, said, body))
            else:
                reason = await self._outside(each, phase, said)
                seconds = self._since(begun)
        except GatewayError as error:
            self._failed(each, phase, error.code, self._since(begun))
            return
        if reason is None:
            self._note(each, "passed", phase, seconds=seconds)
            return
        blocks = not isinstance(config, SystemPrompt | Altering | Pii) and config.action == "block"
        self._note(each, "blocked" if blocks else "flagged", phase, reason, seconds)
        if blocks:
            raise GuardrailBlocked(_message(each, phase, reason))

    def _looked_at(
        self, each: Rail, phase: Phase, said: Sequence[tuple[str, str]], body: str
    ) -> list[str]:
        if isinstance(each.config, JsonSchema):
            return [body] if phase == "input" else spoken(self._call.request.dialect, body)
        return [text for _, text in said]

    async def _outside(
        self, each: Rail, phase: Phase, said: Sequence[tuple[str, str]]
    ) -> str | None:
        if not said:
            return None
        call = self._call
        question = Question(each.name, phase, call.request, call.envelope.model, tuple(said))
        if isinstance(each.config, Moderation):
            return await self._remote.moderated(each.config, question)
        assert isinstance(each.config, Webhook)
        return await self._remote.decided(each.config, question)

    def _failed(self, each: Rail, phase: Phase, code: str, seconds: float | None) -> None:
        closed = each.on_error == "closed"
        self._note(each, "failed_closed" if closed else "failed_open", phase, code, seconds)
        if closed:
            raise GuardrailUnavailable(f"The guardrail `{each.name}` cannot decide: {code}.")

    # -- notes

    def _since(self, begun: float) -> float:
        return round(self._clock.monotonic() - begun, 6)

    def _note(
        self,
        each: Rail,
        action: Action,
        phase: Phase = "input",
        reason: str | None = None,
        seconds: float | None = None,
    ) -> None:
        self._guarded.verdicts.append(
            Verdict(each.name, each.type, action, phase, reason, seconds=seconds)
        )


def _message(each: Rail, phase: Phase, reason: str) -> str:
    said = getattr(each.config, "message", "")
    what = "request" if phase == "input" else "answer"
    return said or f"The guardrail `{each.name}` refused the {what}: {reason}."


def _sum(usages: Sequence[Usage]) -> Usage | None:
    if not usages:
        return None
    return Usage(
        input_tokens=sum(each.input_tokens for each in usages),
        output_tokens=sum(each.output_tokens for each in usages),
    )
