"""What is hidden of bodies and headers."""

import json

import pytest
from msgspec import Raw

from schemas.exchange import Body, any_body, decode, encode
from schemas.redaction import REDACTED, Redaction, parsed, redacted
from tests.sinks.samples import ANSWER, QUESTION, exchange, json_body

CHAT = {
    "user": "ann",
    "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "deep": {"password": 1, "list": [{"password": {"x": 2}}]},
}


def hidden(*paths: str) -> dict[str, object]:
    rules = Redaction(paths=tuple(map(parsed, paths)))
    found = rules.content_of(Raw(json.dumps(CHAT).encode()))
    assert found is not None
    return dict(json.loads(bytes(found)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.user", CHAT | {"user": REDACTED}),
        ("$['user']", CHAT | {"user": REDACTED}),
        (
            "$.messages[*].content",
            CHAT | {"messages": [{"role": "user", "content": REDACTED}] * 2},
        ),
        (
            "$.messages[1].content",
            CHAT | {"messages": [CHAT["messages"][0], {"role": "user", "content": REDACTED}]},  # type: ignore[index]  # a list
        ),
        (
            "$..password",
            CHAT | {"deep": {"password": REDACTED, "list": [{"password": REDACTED}]}},
        ),
        ("$.*", dict.fromkeys(CHAT, REDACTED)),
        ("$.nothing.there[3]", CHAT),
    ],
)
def test_what_a_path_leads_to_is_hidden(path: str, expected: object) -> None:
    """And nothing else."""
    assert hidden(path) == expected


def test_what_nobody_hides_is_as_it_was() -> None:
    """Byte for byte: numbers that Python would write otherwise, too."""
    content = Raw(b'{ "n": 1e400, "m": 1.50 }')
    rules = Redaction(paths=(parsed("$.other"),))
    assert rules.content_of(Raw(b'{ "m": 1.50 }')) == Raw(b'{ "m": 1.50 }')
    assert rules.content_of(content) in (None, content)


@pytest.mark.parametrize("wrong", ["user", "$", "$.a[", "$.a[x]", "$a", "$.a b"])
def test_what_is_no_path_is_refused(wrong: str) -> None:
    """It would hide nothing."""
    with pytest.raises(ValueError, match=r"names nothing|must begin|not understood"):
        parsed(wrong)


def test_a_body_without_json_is_hidden_whole_by_paths() -> None:
    """Nobody can tell what stands in it; without paths it stays."""
    text = any_body(b"data: secret\n\n", "text/event-stream")
    assert b"secret" not in Redaction(paths=(parsed("$.a"),)).body(text).content()
    assert Redaction(frozenset({"x"})).body(text) == text


def test_an_exchange_is_shown_with_what_may_be_seen() -> None:
    """Paths hold in both bodies, names of headers in any case; a key without bodies shows none."""
    rules = Redaction(frozenset({"set-cookie"}), (parsed("$..content"),))
    found = exchange(http_headers={"Set-Cookie": "a=b", "x-kept": "c"})
    shown = decode(redacted(encode(found), rules))
    assert b"Hello" not in shown.request.content()
    assert shown.response is not None
    assert b"Hello" not in shown.response.content()
    assert shown.http_headers == {"Set-Cookie": REDACTED, "x-kept": "c"}

    private = decode(redacted(encode(exchange(without=("bodies",))), Redaction()))
    assert b"Hello" not in private.request.content()
    assert isinstance(private.response, Body)
    assert b"Hello" not in private.response.content()

    whole = encode(exchange(request=json_body(QUESTION), response=json_body(ANSWER)))
    assert redacted(whole, Redaction()) is whole
