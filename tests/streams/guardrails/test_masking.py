"""Personal data: what is found, what stands for it, and how it comes back."""

import json
from typing import Any

import pytest

from streams.guardrails.masking import Mask
from streams.guardrails.places import spots
from streams.guardrails.recognisers import BUILT_IN, found
from streams.guardrails.restoring import Restoring

ALL = tuple(BUILT_IN.values())
CORPUS = [
    ("write to ann.lee+x@mail.example.org.", [("EMAIL", "ann.lee+x@mail.example.org")]),
    ("jörg@müller.example, please", [("EMAIL", "jörg@müller.example")]),
    ("a@b is none, @ann neither", []),
    ("call +49 170 1234567 or (030) 123-4567", [("PHONE", "+49 170 1234567"), ("PHONE", "(030) 123-4567")]),
    ("phone 555-867-5309.", [("PHONE", "555-867-5309")]),
    ("in 2024-05-17 10 of 12345 were 3.14159265", []),
    ("order 1234567890123 of 99", []),
    ("card 4111 1111 1111 1111, not 4111 1111 1111 1112", [("CREDIT_CARD", "4111 1111 1111 1111")]),
    ("amex 378282246310005", [("CREDIT_CARD", "378282246310005")]),
    ("zeros 0000000000000000", []),
    ("IBAN DE89 3704 0044 0532 0130 00 is one", [("IBAN", "DE89 3704 0044 0532 0130 00")]),
    ("GB82WEST12345698765432", [("IBAN", "GB82WEST12345698765432")]),
    ("DE89 3704 0044 0532 0130 01 is none", []),
    ("from 192.168.1.20 to 2001:db8::8a2e:370:7334", [("IP_ADDRESS", "192.168.1.20"), ("IP_ADDRESS", "2001:db8::8a2e:370:7334")]),
    ("version 1.2.3, 999.1.1.1, 10:30:00", []),
    ("SSN 536-22-8765, not 000-22-8765", [("US_SSN", "536-22-8765")]),
    ("key sk-proj-abcdefghijklmnop1234 there", [("API_KEY", "sk-proj-abcdefghijklmnop1234")]),
    ("AKIAIOSFODNN7EXAMPLE", [("API_KEY", "AKIAIOSFODNN7EXAMPLE")]),
    ("ghp_" + "a1B2" * 9, [("API_KEY", "ghp_" + "a1B2" * 9)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CORPUS, ids=[str(n) for n in range(len(CORPUS))])
def test_the_corpus(text: str, expected: list[tuple[str, str]]) -> None:
    """What is personal is found, with its kind and no more; what only looks like it is not."""
    assert [(each.kind, text[each.start : each.end]) for each in found(text, ALL)] == expected


BODIES: list[tuple[str, dict[str, Any], str]] = [
    (
        "openai_chat",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "@"}]},
         {"role": "assistant", "tool_calls": [{"function": {"arguments": '{"to": "@"}'}}]}]},
        "messages",
    ),
    ("openai_completions", {"prompt": ["@", "@"]}, "prompt"),
    ("openai_responses", {"instructions": "@", "input": [{"role": "user", "content": "@"},
     {"type": "function_call_output", "output": "@"}]}, "input"),
    ("anthropic", {"system": "@", "messages": [{"role": "user", "content": [
        {"type": "tool_result", "content": "@"}, {"type": "tool_use", "input": {"a": ["@"]}}]}]}, "messages"),
    ("gemini", {"systemInstruction": {"parts": [{"text": "@"}]}, "contents": [{"parts": [
        {"text": "@"}, {"functionCall": {"args": {"x": {"y": "@"}}}}]}]}, "contents"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "body", "member"), BODIES, ids=[each[0] for each in BODIES])
def test_every_dialect(dialect: str, body: dict[str, Any], member: str) -> None:
    """Wherever a model reads it is masked; all other bytes of the body stay, and back it comes."""
    written = json.dumps(
        {"x": 1.10, "user": "b@c.example", **body, "new_field": {"content": 1}}, indent=1
    )
    text = (
        written.replace("1.1", "1.10")
        .replace('@"', 'say ann@example.org"')
        .replace("@\\", "ann@example.org\\")
    )
    mask = Mask(text)
    masked = mask.body(text, spots(dialect, "chat", text), ALL)
    assert "ann@example.org" not in masked
    assert masked.replace("[EMAIL_1]", "ann@example.org") == text
    assert mask.whole(masked) == text
    assert mask.count == 1


def test_a_placeholder_is_not_one_of_the_callers_words() -> None:
    """A number that the question uses itself is left out; equal values have one placeholder."""
    text = "what is [EMAIL_1]? a@b.example, c@d.example, a@b.example"
    mask = Mask(text)
    assert mask.masked(text, ALL) == "what is [EMAIL_1]? [EMAIL_2], [EMAIL_3], [EMAIL_2]"


def sent(dialect: str, text: str, kind: str = "text") -> bytes:
    """An event that brings a piece of text, or of a call's arguments."""
    tool = kind == "tool"
    if dialect == "openai_chat":
        call = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
        delta = call if tool else {"content": text}
        event: dict[str, Any] = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    elif dialect == "openai_completions":
        event = {"choices": [{"index": 0, "text": text, "finish_reason": None}]}
    elif dialect == "anthropic":
        delta = {"partial_json": text} if tool else {"text": text}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
    elif dialect == "openai_responses":
        name = "function_call_arguments" if tool else "output_text"
        event = {
            "type": f"response.{name}.delta",
            "output_index": 0,
            "delta": text,
            "sequence_number": 0,
        }
    else:
        event = {"candidates": [{"content": {"parts": [{"text": text}]}}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


ENDS: dict[str, dict[str, Any]] = {
    "openai_chat": {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    "openai_completions": {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
    "anthropic": {"type": "content_block_stop", "index": 0},
    "openai_responses": {
        "type": "response.output_item.done",
        "output_index": 0,
        "sequence_number": 3,
    },
    "gemini": {"candidates": [{"finishReason": "STOP"}]},
}


def told(dialect: str, data: bytes) -> str:
    """The text that a caller sees before the text's end."""
    found = ""
    for each in data.decode().split("\n\n"):
        event = json.loads(each.partition("data: ")[2] or "null")
        if event is None or event == ENDS[dialect] or event.get("type", "").endswith("done"):
            break
        if dialect.startswith("openai_c"):
            choice = event["choices"][0]
            delta = choice.get("delta", {})
            calls = delta.get("tool_calls")
            found += (
                calls[0]["function"]["arguments"]
                if calls
                else delta.get("content") or choice.get("text") or ""
            )
        elif dialect == "anthropic":
            found += next(iter(event["delta"].values()))
        elif dialect == "openai_responses":
            found += event["delta"]
        else:
            found += event["candidates"][0]["content"]["parts"][0]["text"]
    return found


CASES = [(dialect, "text") for dialect in ENDS] + [
    (dialect, "tool") for dialect in ("openai_chat", "anthropic", "openai_responses")
]


@pytest.mark.parametrize(("dialect", "kind"), CASES, ids=["-".join(each) for each in CASES])
def test_cut_at_every_position(dialect: str, kind: str) -> None:
    """However the provider cuts its stream, in events or in bytes, the caller sees the values; also of what
    only begins like a placeholder when the text ends."""
    mask = Mask("")
    mail, name = mask.placeholder("EMAIL", "ann@example.org"), mask.placeholder("OWN", 'O"Hara')
    text = f'{{"a": "{mail}{name}", "b": "[EMAIL_9] [{mail}"}} [EMA'
    expected = mask.restored(text, json=kind == "tool")
    end = b"data: " + json.dumps(ENDS[dialect]).encode() + b"\n\n"
    for cut in range(len(text) + 1):
        for width in (0, 1, 5):
            pieces = (text[:cut], text[cut : cut + width], text[cut + width :])
            stream = b"".join(sent(dialect, piece, kind) for piece in pieces if piece) + end
            restoring = Restoring(dialect, mask)
            at = cut * len(stream) // (len(text) + 1)
            data = restoring.feed(stream[:at]) + restoring.feed(stream[at:]) + restoring.end()
            assert told(dialect, data) == expected
    one = Restoring(dialect, mask)
    letters = b"".join(one.feed(sent(dialect, each, kind)) for each in text)
    assert told(dialect, letters + one.feed(end) + one.end()) == expected


def test_events_without_a_placeholder_stay_byte_for_byte() -> None:
    """Spelling, unknown fields and comments of other events are the provider's own."""
    mask = Mask("")
    mask.placeholder("EMAIL", "ann@example.org")
    stream = b': hi\n\nevent: x\ndata: {"choices":[{"delta":{"content":"a"}}], "n": 1.10}\r\n\r\ndata: [DONE]\n\n'
    restoring = Restoring("openai_chat", mask)
    assert restoring.feed(stream) + restoring.end() == stream


def test_inserted_events_are_numbered() -> None:
    """An event that brings what was held back has a number of its own, and those behind it move on."""
    mask = Mask("")
    mask.placeholder("EMAIL", "ann@example.org")
    restoring = Restoring("openai_responses", mask)
    data = restoring.feed(sent("openai_responses", "a [EM"))
    data += restoring.feed(b"data: " + json.dumps(ENDS["openai_responses"]).encode() + b"\n\n")
    events = [
        json.loads(each.partition("data: ")[2]) for each in data.decode().split("\n\n") if each
    ]
    assert [event["sequence_number"] for event in events] == [0, 1, 4]
