"""What recorded requests ask of their providers, when their callers speak another dialect, and what is no
request for an answer at all."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.base import Endpoint, Target
from providers.canonical.request import ChatRequest, Text, ToolResult, Turn
from providers.dialogue import PASS_THROUGH
from providers.relay import Relayed
from schemas.errors import InvalidRequest
from schemas.requests import Dialect, Relay, Request
from tests.providers import fidelity
from tests.providers.pairs import SPOKEN, parse, plain, render
from tests.providers.support import fold, whole
from tests.providers.test_round_trips import meaning
from tests.recordings import Recording

# What the result of a tool says where its picture stands in a message of its own.
_REWORDED = "See the next message of the user."


def texts(asked: ChatRequest) -> list[str]:
    """What is said, without its white space: where it is cut, and where an instruction in the middle of a
    conversation stands, is not the same everywhere."""
    found = [text for turn in asked.turns for text in spoken(turn)]
    return ["".join(text.split()) for text in found]


def spoken(turn: Turn) -> Iterator[str]:
    for part in turn.parts:
        if isinstance(part, Text):
            yield part.text
        elif isinstance(part, ToolResult):
            yield from (inner.text for inner in part.parts if isinstance(inner, Text))


def calls(asked: ChatRequest) -> list[object]:
    """Calls with their arguments, and their results' words."""
    found: list[object] = []
    for _, kind, *said in meaning(asked.turns):
        if kind == "call":
            found.append(said)
        elif kind == "result":
            call, parts = said
            found.append((call, [one for one in parts if one[0] == "text" and one[1] != _REWORDED]))
    return found


def tools(asked: ChatRequest) -> dict[str, object]:
    """By name: the schema of a function, whose lack is an object without members to some."""
    found = {}
    for tool in asked.tools:
        schema: Any = plain(getattr(tool, "parameters", None)) or {}
        found[getattr(tool, "name", "")] = schema.get("properties", {})
    return found


@pytest.mark.parametrize("caller", SPOKEN)
def test_a_recorded_request_of_another_caller(shared_dir: Path, caller: Dialect) -> None:
    """Every recorded request that a caller of another dialect can make too reaches the provider with the
    same words, calls, arguments, results, and tools; what is left out on the way is named."""
    seen: Counter[str] = Counter()
    for dialect, recording in fidelity.rows(shared_dir):
        if dialect == caller or recording.status != 200:
            continue
        try:
            said = parse(msgspec.json.encode(recording.request), dialect)
            made, left_out = render(said, caller)
            asked = parse(made, caller)
            body, _ = render(asked, dialect)
        except InvalidRequest:
            seen["cannot be said"] += 1
            continue
        if left_out:  # of this caller's words they are not
            seen["said in part"] += 1
            continue
        again = parse(body, dialect)
        heard = "".join(texts(again))
        assert all(text in heard for text in texts(said)), recording.key
        assert calls(again) == calls(said), recording.key
        # A form may be forced by a tool beside these, and a tool that is not allowed be left out.
        allowed = said.tool_choice.allowed if said.tool_choice is not None else ()
        known = tools(again)
        for name, schema in tools(said).items():
            assert known.get(name) == schema or (allowed and name not in allowed), recording.key
        seen["said"] += 1
    assert seen["said"] >= 150, seen


def others(shared_dir: Path) -> Iterator[Recording]:
    """Every other recorded row of a vendor that we have: files, counts, embeddings, lists and the like."""
    answers = {recording.key for _, recording in fidelity.rows(shared_dir)}
    for path in sorted((shared_dir / "recordings").glob("*.jsonl")):
        if path.stem in fidelity.WITHOUT:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            key = f"{path.stem}:{number}"
            row = msgspec.json.decode(line)
            if key not in answers:
                yield Recording(
                    key,
                    f"{row['method'].upper()} {row['url']}",
                    row["request"],
                    row["status"],
                    row["headers"],
                    row["response"],
                )


def test_everything_else_is_relayed(shared_dir: Path) -> None:
    """Every recorded row that asks for no answer goes through `/p/<provider>/…` and back byte for byte, with
    its method, query and status, errors included."""
    seen: Counter[str] = Counter()
    for recording in others(shared_dir):
        method, _, url = recording.url.partition(" ")
        root, host, path = re.fullmatch(r"(https?://([^/]+))(/.*)", url).groups()  # type: ignore[union-attr]
        given = recording.request
        body = given.encode() if isinstance(given, str) else msgspec.json.encode(given)
        endpoint = Endpoint(
            instance="east",
            routes={},
            base_url=root,
            models_url="",
            headers={"Authorization": "Bearer ours"},
        )
        kind = "application/json" if isinstance(given, dict) else "multipart/form-data; boundary=x"
        asked = Request(
            request_id="r",
            body=body,
            operation="relay",
            relay=Relay("east", method, path),
            content_type=kind,
        )
        dialogue = Relayed(asked, Target(endpoint, ""), PASS_THROUGH)
        assert (dialogue.sent.method, dialogue.sent.url) == (method, url), recording.key
        assert dialogue.sent.body == body, recording.key
        answer = recording.body()
        if recording.status >= 400:
            failed = dialogue.failure(recording.status, recording.headers, answer)
            assert (failed.status, failed.body) == (recording.status, answer), recording.key
        else:
            chunks, end = fold(dialogue.decoder(recording.content_type), [answer])
            assert whole(chunks, end) == answer, recording.key
        seen[host] += 1
    assert {"api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"} <= set(seen)
    assert sum(seen.values()) >= 60, seen
