"""What rules may ask about a request."""

import pytest

from schemas.requests import Request
from streams.routing.facts import FACTS, Facts, estimate, facts


def known(body: bytes, **given: object) -> Facts:
    request = Request(request_id="r", body=body, **given)  # type: ignore[arg-type]  # test's own
    return facts(request, "m", stream=True, now=3600.0 * 25)


def test_every_fact_is_there() -> None:
    """Those that the page names, and no others."""
    found = known(b"{}", client="key", user_path="/a", http_headers={"x": "y"})

    assert {name: found[name] for name in FACTS} == found
    with pytest.raises(KeyError):
        found["modell"]
    assert (found["model"], found["key"], found["user_path"]) == ("m", "key", "/a")
    assert (found["stream"], found["hour"], found["headers"]) == (True, 1, {"x": "y"})


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_limits_in_each_dialect(name: str) -> None:
    """The caller's limit of the answer, whatever it is called."""
    assert known(b'{"%s":7}' % name.encode())["max_tokens"] == 7
    assert known(b'{"%s":null}' % name.encode())["max_tokens"] == 0


@pytest.mark.parametrize(
    ("body", "turns"),
    [
        (b'{"messages":[{},{}]}', 2),
        (b'{"contents":[{},{},{}]}', 3),
        (b'{"input":[{}]}', 1),
        (b'{"input":"text"}', 1),
    ],
)
def test_turns_in_each_dialect(body: bytes, turns: int) -> None:
    """Messages of chat, contents of Gemini, input items of Responses."""
    assert known(body)["turns"] == turns


def test_what_a_body_brings() -> None:
    """Tools, a user, metadata of texts; an empty list of tools is none."""
    found = known(b'{"tools":[{}],"user":"u","metadata":{"a":"b","n":1}}')

    assert (found["tools"], found["user"], found["metadata"]) == (True, "u", {"a": "b", "n": ""})
    assert known(b'{"tools":[]}')["tools"] is False


def test_the_estimate_leaves_data_out() -> None:
    """Four bytes a token; base64 is no text."""
    assert estimate(b"x" * 400, images=False) == 100
    body = b'{"text":"%s","data":"%s"}' % (b"a word " * 1000, b"A" * 80_000)

    assert 1700 < estimate(body, images=True) < 1800


def test_what_nobody_asks_is_not_read() -> None:
    """A rule about the model costs nothing of a long body."""
    found = known(b'{"tools":[1]}')

    assert found["model"] == "m"
    assert "tools" not in found
    assert (found["tools"], "turns" in found) == (True, False)


@pytest.mark.parametrize(
    "part",
    [
        b'{"type":"image_url","image_url":{}}',
        b'{"type":"input_image"}',
        b'{"type": "image"}',
        b'{"mimeType":"image/png"}',
    ],
)
def test_images_in_each_dialect(part: bytes) -> None:
    """By the word with which a part of each dialect says what it is; one in a sentence is none."""
    assert known(b'{"messages":[%s]}' % part)["images"] is True
    assert known(b'{"messages":["an image of it"]}')["images"] is False
