"""Guardrails around a provider that does as it is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from providers.base import Target
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import UpstreamError
from schemas.guardrails import Guardrail
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Dialect, Request
from schemas.usage import Usage
from schemas.workflows import Features
from streams.guardrails.policy import Policy
from streams.guardrails.remote import Question, Remote
from streams.stages import Call, Replies
from streams.stages.guardrails import Guardrails
from tests.streams.stages.fakes import END, event

Rules = dict[str, tuple[int, str, dict[str, Any]]]


class Asked(Remote):
    """A webhook whose decision is given, or an error."""

    def __init__(self, decide: Callable[[], Any]) -> None:
        self.decide = decide
        self.questions: list[Question] = []

    async def decided(self, config: Any, question: Question) -> str | None:
        self.questions.append(question)
        found = self.decide()
        return await found if asyncio.iscoroutine(found) else found


class World:
    """The stage over a provider that says `answer`, or what it was asked last."""

    def __init__(
        self, rules: Rules, answer: str = "", decide: Callable[[], Any] = lambda: None
    ) -> None:
        given = {
            name: (step, Guardrail(type=kind, config=msgspec.Raw(msgspec.json.encode(config))))  # type: ignore[arg-type]  # a test's own
            for name, (step, kind, config) in rules.items()
        }
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []
        self.remote = Asked(decide)
        self.closed = 0
        self.ended = asyncio.Event()

        def targets(call: Call) -> list[Target]:
            return []

        self.policy = Policy(Features(), given, targets)
        self.stage = Guardrails(self.provider, self.policy, self.remote, SystemClock())

    async def provider(self, call: Call) -> Replies:
        try:
            body = msgspec.json.decode(call.request.body)
            self.bodies.append(body)
            if call.request.user_path.endswith("/guardrails/rewriter"):
                if self.answer == "broken":
                    yield Failed(UpstreamError(), 502)
                    return
                text = body["messages"][-1]["content"].upper()
            else:
                text = self.answer or body["messages"][-1]["content"]
            if call.streamed:
                yield Started(200, "text/event-stream", "sim", "m")
                for letter in text:
                    yield Chunk(event(content=letter))
                yield Completed(END, usage=Usage(3, 4))
            else:
                yield Started(200, "application/json", "sim", "m")
                choice = {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
                yield Completed(
                    msgspec.json.encode({"id": "x", "choices": [choice]}), usage=Usage(3, 4)
                )
        finally:
            self.closed += 1
            self.ended.set()

    async def ask(
        self, text: str, *, stream: bool = False, dialect: Dialect = "openai_chat"
    ) -> list[Reply]:
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}
        request = Request(
            request_id="r", body=msgspec.json.encode(body), dialect=dialect, user_path="/team/a"
        )
        self.call = Call(request, envelope(request))
        return [reply async for reply in self.stage(self.call)]

    @property
    def verdicts(self) -> list[tuple[str, str, str]]:
        assert self.call.guarded is not None
        return [(each.name, each.action, each.phase) for each in self.call.guarded.verdicts]


def said(replies: list[Reply]) -> str:
    """What the caller reads, or the code of the error."""
    if isinstance(replies[-1], Failed):
        return f"!{replies[-1].error.code}"
    data = b"".join(each.data for each in replies if isinstance(each, Chunk | Completed))
    if data.startswith(b"{"):
        return str(msgspec.json.decode(data)["choices"][0]["message"]["content"])
    found = ""
    for each in data.split(b"\n\n"):
        if each.startswith(b"data: {"):
            found += msgspec.json.decode(each[6:])["choices"][0]["delta"].get("content") or ""
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_masked_and_restored(stream: bool) -> None:
    """The provider and the exchange see placeholders only; the caller sees its own words again."""
    world = World({"pii": (0, "pii", {})})
    text = "I am ann@example.org, card 4111111111111111"
    assert said(await world.ask(text, stream=stream)) == text
    assert world.bodies[0]["messages"][0]["content"] == "I am [EMAIL_1], card [CREDIT_CARD_1]"
    guarded = world.call.guarded
    assert guarded is not None
    stored = (guarded.body or b"") + guarded.answer([b"x"], b"", None)
    assert b"[EMAIL_1]" in stored
    assert b"ann@" not in b"".join(stored.split(b"data: "))
    assert b"4111" not in stored
    assert world.verdicts == [("pii", "masked", "input")]


async def test_steps_compose() -> None:
    """All changes count, in the order of their steps; those of one step one after the other."""
    world = World(
        {
            "last": (2, "system_prompt", {"mode": "decorator", "content": "C"}),
            "one": (1, "system_prompt", {"mode": "inject", "content": "A"}),
            "two": (1, "system_prompt", {"mode": "decorator", "content": "B"}),
            "rewriter": (3, "llm_based_altering", {"model": "small"}),
        }
    )
    assert said(await world.ask("hello")) == "HELLO"
    assert world.bodies[-1]["messages"][0] == {"role": "system", "content": "C\nB\nA"}
    assert world.call.guarded is not None
    assert world.call.guarded.verdicts[-1].usage == Usage(3, 4)


@pytest.mark.parametrize("on_error", ["open", "closed"])
async def test_a_rewriter_that_fails(on_error: str) -> None:
    """Open: the text goes on as it is. Closed: nothing goes on."""
    world = World(
        {"rewriter": (0, "llm_based_altering", {"model": "s", "on_error": on_error})}, "broken"
    )
    expected = "broken" if on_error == "open" else "!guardrail_unavailable"
    assert said(await world.ask("hello")) == expected
    assert world.verdicts == [("rewriter", f"failed_{on_error}", "input")]


CHECKS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("block_list", {"words": ["secret plan"]}, "the Secret  plan!", "yes", "!guardrail_blocked"),
    ("block_list", {"words": ["secret"]}, "secretary", "yes", "yes"),
    ("block_list", {"words": ["no"], "apply_to": ["output"]}, "x", "oh no", "!guardrail_blocked"),
    (
        "block_list",
        {"words": ["no"], "apply_to": ["output"], "action": "flag"},
        "x",
        "oh no",
        "oh no",
    ),
    ("regex", {"patterns": ["\\d{6}"]}, "pin 123456", "yes", "!guardrail_blocked"),
    ("regex", {"patterns": ["^please"], "require": True}, "do it", "yes", "!guardrail_blocked"),
    ("json_schema", {"schema": {"required": ["a"]}}, "x", '{"a": 1}', '{"a": 1}'),
    ("json_schema", {"schema": {"required": ["a"]}}, "x", '{"b": 1}', "!guardrail_blocked"),
    ("json_schema", {"schema": {}}, "x", "no JSON", "!guardrail_blocked"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("kind", "config", "question", "answer", "expected"),
    CHECKS,
    ids=[f"{each[0]}-{number}" for number, each in enumerate(CHECKS)],
)
async def test_checks(
    kind: str, config: dict[str, Any], question: str, answer: str, expected: str, stream: bool
) -> None:
    """What is refused reaches nobody: a question no provider, an answer not even in part its caller."""
    world = World({"check": (0, kind, config)}, answer)
    replies = await world.ask(question, stream=stream)
    assert said(replies) == expected
    if expected.startswith("!"):
        assert len(replies) == 1
        assert bool(world.bodies) == (world.verdicts[-1][2] == "output")


async def test_a_refused_answer_was_paid_for() -> None:
    """The usage of an answer that nobody sees stands in the exchange."""
    world = World({"check": (0, "block_list", {"words": ["no"], "apply_to": ["output"]})}, "no")
    (failed,) = await world.ask("x")
    assert isinstance(failed, Failed)
    assert failed.usage == Usage(3, 4)


HOOK = {"url": "http://hook.example/", "apply_to": ["input"]}


@pytest.mark.parametrize("mode", ["sync", "parallel"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_webhook_decides(mode: str, stream: bool) -> None:
    """Its refusal is the answer; in parallel the provider is asked, and nothing of it is shown."""
    world = World({"hook": (0, "webhook", {**HOOK, "mode": mode})}, decide=lambda: "not that")
    replies = await world.ask("x", stream=stream)
    assert (said(replies), len(replies)) == ("!guardrail_blocked", 1)
    assert world.verdicts == [("hook", "blocked", "input")]
    assert len(world.bodies) == world.closed


async def test_the_answer_waits_for_the_verdict() -> None:
    """A provider that is faster than a parallel check is held back until the check has decided."""
    decided = asyncio.Event()
    order: list[str] = []

    async def decide() -> None:
        await decided.wait()
        order.append("decided")

    world = World({"hook": (0, "webhook", {**HOOK, "mode": "parallel"})}, decide=decide)
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    request = Request(request_id="r", body=msgspec.json.encode(body))
    replies = world.stage(world_call := Call(request, envelope(request)))
    first = asyncio.ensure_future(anext(replies))
    await world.ended.wait()
    assert not first.done()
    decided.set()
    assert isinstance(await first, Started)
    assert order == ["decided"]
    assert [type(each) async for each in replies][-1] is Completed
    assert world_call.guarded is not None


@pytest.mark.parametrize("mode", ["sync", "parallel"])
@pytest.mark.parametrize("on_error", ["open", "closed"])
async def test_a_webhook_that_fails(mode: str, on_error: str) -> None:
    """Open: as if it had agreed. Closed: an error that may be tried again."""

    def decide() -> None:
        raise UpstreamError

    config = {**HOOK, "mode": mode, "on_error": on_error}
    world = World({"hook": (0, "webhook", config)}, decide=decide)
    expected = "hi" if on_error == "open" else "!guardrail_unavailable"
    assert said(await world.ask("hi")) == expected
    assert world.verdicts == [("hook", f"failed_{on_error}", "input")]


async def test_nothing_configured_costs_nothing() -> None:
    """Without guardrails and workflows a call goes to the next handler as it is."""
    world = World({})
    assert said(await world.ask("hi")) == "hi"
    assert world.call.guarded is None
