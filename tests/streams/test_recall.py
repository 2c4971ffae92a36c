"""Requests that continue a response, made whole for whoever does not know it."""

import json

import pytest

from providers.base import Endpoint, Route, Target
from schemas.clock import SystemClock
from schemas.errors import PreviousResponseNotFound
from schemas.kept import Kept
from schemas.requests import Request
from streams.recall import Recall

OURS = "resp_0198a000-0000-7000-8000-00000000000{}"


class Answers:
    """Kept answers, by response id; some come only after so many look-ups."""

    def __init__(self, *found: Kept, late: int = 0) -> None:
        self._found = {each.response_id: each for each in found}
        self._late = late
        self.asked: list[str] = []

    async def find(self, name: str) -> Kept | None:
        self.asked.append(name)
        return self._found.get(name) if len(self.asked) > self._late else None

    async def delete(self, name: str) -> bool:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def target(instance: str, *dialects: str, keeps: bool = False) -> Target:
    routes = {name: Route(f"http://x/{name}", keeps=keeps) for name in dialects}
    return Target(Endpoint(instance, routes, "http://x", "http://x/models", {}), "m")


CHAT = target("chat", "openai_chat")
NATIVE = target("native", "openai_responses", keeps=True)
FORGETFUL = target("native", "openai_responses")


def answer(name: str, text: str, previous: str | None = None, provider: str = "native") -> Kept:
    asked = {"model": "m", "input": f"ask {text}", "previous_response_id": previous}
    said = {
        "id": name,
        "output": [
            {"type": "message", "id": "msg_1", "role": "assistant", "content": f"say {text}"}
        ],
    }
    return Kept(
        request_id=name,
        response_id=name,
        client="k",
        user_path="/a",
        provider=provider,
        request=json.dumps(asked).encode(),
        answer=json.dumps(said).encode(),
    )


def request(previous: str | None, **changes: object) -> Request:
    body = {"model": "m", "input": "now"} | ({"previous_response_id": previous} if previous else {})
    fields = {"dialect": "openai_responses", "client": "k", "user_path": "/a"} | changes
    return Request(request_id="r", body=json.dumps(body).encode(), **fields)  # type: ignore[arg-type]


def texts(found: Request) -> list[str]:
    said = []
    for item in json.loads(found.body)["input"]:
        content = item["content"]
        said.append(content if isinstance(content, str) else content[0]["text"])
    return said


async def test_a_conversation_is_told_in_full_to_who_does_not_know_it() -> None:
    """Three responses in a row: all their input and output, in order, before the new input."""
    chain = [
        answer("resp_a", "1"),
        answer("resp_b", "2", "resp_a"),
        answer("resp_c", "3", "resp_b"),
    ]
    recall = Recall(Answers(*chain), SystemClock())

    found = await recall.request_for(request("resp_c"), CHAT)

    assert texts(found) == ["ask 1", "say 1", "ask 2", "say 2", "ask 3", "say 3", "now"]
    assert "previous_response_id" not in json.loads(found.body)
    assert found.continues == "resp_c"


async def test_its_maker_knows_it() -> None:
    """The instance that made the response natively gets the request as it came."""
    asked = request("resp_a")
    recall = Recall(Answers(answer("resp_a", "1")), SystemClock())

    assert await recall.request_for(asked, NATIVE) is asked


async def test_a_maker_that_keeps_nothing_does_not() -> None:
    """It speaks the dialect and made the response, but is told the conversation in full: it might ignore
    what it does not know. One that nobody knows is not found."""
    recall = Recall(Answers(answer("resp_a", "1")), SystemClock())

    found = await recall.request_for(request("resp_a"), FORGETFUL)
    assert texts(found) == ["ask 1", "say 1", "now"]
    assert "previous_response_id" not in json.loads(found.body)
    with pytest.raises(PreviousResponseNotFound):
        await recall.request_for(request("resp_unknown"), FORGETFUL)


async def test_another_native_instance_does_not() -> None:
    """It, too, gets the conversation in full."""
    recall = Recall(Answers(answer("resp_a", "1", provider="elsewhere")), SystemClock())

    assert texts(await recall.request_for(request("resp_a"), NATIVE)) == ["ask 1", "say 1", "now"]


async def test_what_we_do_not_know_a_native_provider_may() -> None:
    """An id that is not ours and not stored here is left to the provider."""
    asked = request("resp_unknown")

    assert await Recall(Answers(), SystemClock()).request_for(asked, NATIVE) is asked


async def test_an_answer_that_is_just_being_stored_is_waited_for() -> None:
    """The sink may be a moment behind the caller who has the answer already."""
    name = OURS.format(1)
    answers = Answers(answer(name, "1", provider="chat"), late=2)

    found = await Recall(answers, SystemClock()).request_for(request(name), CHAT)

    assert texts(found) == ["ask 1", "say 1", "now"]
    assert answers.asked == [name] * 3


@pytest.mark.parametrize("changes", [{"client": "other"}, {"user_path": "/b"}])
async def test_others_responses_are_not_found(changes: dict[str, object]) -> None:
    """Neither another key nor another user path can continue it, nor learn that it exists."""
    recall = Recall(Answers(answer("resp_a", "1")), SystemClock())

    with pytest.raises(PreviousResponseNotFound):
        await recall.request_for(request("resp_a", **changes), CHAT)


@pytest.mark.parametrize("changes", [{"client": "other"}, {"user_path": "/b"}])
async def test_nor_by_a_provider_that_keeps_them(changes: dict[str, object]) -> None:
    """To the provider all callers are one, the gateway's key: it is not asked."""
    recall = Recall(Answers(answer("resp_a", "1")), SystemClock())

    with pytest.raises(PreviousResponseNotFound):
        await recall.request_for(request("resp_a", **changes), NATIVE)


async def test_what_its_maker_has_lost_is_told_again() -> None:
    """In full, as to any other; nothing of what we do not know, either."""
    recall = Recall(Answers(answer("resp_a", "1")), SystemClock())

    found = await recall.retold(request("resp_a"))

    assert found is not None
    assert texts(found) == ["ask 1", "say 1", "now"]
    assert await recall.retold(request(None)) is None


async def test_a_gap_in_the_conversation_is_an_error() -> None:
    """An earlier response that was deleted makes the rest meaningless."""
    recall = Recall(Answers(answer("resp_b", "2", "resp_gone")), SystemClock())

    with pytest.raises(PreviousResponseNotFound, match="resp_gone"):
        await recall.request_for(request("resp_b"), CHAT)


@pytest.mark.parametrize("asked", [request(None), request("resp_a", dialect="openai_chat")])
async def test_nothing_else_is_looked_up(asked: Request) -> None:
    """What continues nothing costs no look-up."""
    answers = Answers()

    assert await Recall(answers, SystemClock()).request_for(asked, CHAT) is asked
    assert answers.asked == []
